import { assertEquals, assertMatch } from "@std/assert";
import { mediaFolder, pictures } from "../../support/media/media_folder.ts";
import { watchLive } from "../../support/peers/native_client.ts";
import { refusal, serverOf } from "../../support/peers/relays.ts";
import { ScriptPeer } from "../../support/peers/script_peer.ts";
import { noise } from "../../support/peers/test_publisher.ts";
import type { TestServer } from "../../support/peers/test_server.ts";
import { freePort } from "../../support/programs/machine.ts";

// Scripts that listen: `--live cam=script:HOST:PORT`.

const folder = mediaFolder();
const jpeg = await Deno.readFile(
  await folder.make("a.jpg", [...pictures(), "-frames:v", "1"]),
);

/** Raw frames of 8x4 pixels. */
const RAW = "?framing=u64le+raw:8x4:bgr24";
const RAW_SIZE = 8 * 4 * 3;

/** A script that listens. */
class ListeningScript implements Disposable {
  #listener: Deno.TcpListener;

  constructor(port = 0) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port });
  }

  /** A server whose source `cam` it is. */
  serve(options = ""): Promise<TestServer> {
    return serverOf([`cam=script:127.0.0.1:${this.#listener.addr.port}${options}`]);
  }

  /** Waits for the next connection. */
  async accept(): Promise<ScriptPeer> {
    return new ScriptPeer(await this.#listener.accept());
  }

  [Symbol.dispose](): void {
    this.#listener.close();
  }
}

function watch(server: TestServer) {
  return watchLive(server, { name: "cam", encoding: "copy" });
}

Deno.test("a script that listens is watched over one connection, while somebody watches", async () => {
  using script = new ListeningScript();
  await using server = await script.serve();
  for (let times = 0; times < 2; times++) {
    using one = await watch(server);
    using peer = await script.accept();
    await peer.send(jpeg);
    assertEquals((await one.frames(1))[0].data, jpeg);
    using two = await watch(server);
    await two.until("describe");
    await peer.send(jpeg);
    for (const viewer of [one, two]) assertEquals((await viewer.frames(1))[0].data, jpeg);
    for (const viewer of [one, two]) {
      await viewer.control("stop");
      await viewer.until("end");
    }
    await peer.closed();
    await server.logged(/"cam" is stopped/, times + 1);
  }
  await server.logged(/"cam" sends 8-byte length \(little-endian\), then a JPEG\n$/, 2);
});

Deno.test("a script that waits for a word is asked for its video", async () => {
  using script = new ListeningScript();
  await using server = await script.serve();
  using viewer = await watch(server);
  using peer = await script.accept();
  assertEquals(await peer.heard(9), "get_video");
  await peer.send(jpeg);
  assertEquals((await viewer.frames(1))[0].data, jpeg);
});

Deno.test("a script gets the words of its options", async () => {
  using script = new ListeningScript();
  await using server = await script.serve(`${RAW}&request=get&ack=ok`);
  using viewer = await watch(server);
  using peer = await script.accept();
  assertEquals(await peer.heard(3), "get");
  for (let times = 0; times < 2; times++) {
    const data = noise(RAW_SIZE);
    await peer.send(data);
    assertEquals((await viewer.frames(1))[0].data, data);
    assertEquals(await peer.heard(2), "ok");
  }
});

Deno.test("a script that ends or is cut is connected to again, and viewers stay", async () => {
  using script = new ListeningScript();
  await using server = await script.serve(RAW);
  using viewer = await watch(server);
  const [whole, cut, back] = [noise(RAW_SIZE), noise(RAW_SIZE), noise(RAW_SIZE)];
  {
    using peer = await script.accept();
    await peer.send(whole);
    assertEquals((await viewer.frames(1))[0].data, whole);
  }
  const ended = await viewer.notice("source_lost");
  assertMatch(
    ended.message,
    /^Cannot read "cam": it came to its end; it is tried again in 1\.\d s$/,
  );
  {
    using peer = await script.accept();
    await peer.send(cut);
    assertEquals((await viewer.notice("source_back")).code, "source_back");
    assertEquals((await viewer.frame()).data, cut);
    await peer.write(new Uint8Array([RAW_SIZE, 0, 0]));
  }
  const lost = await viewer.notice("source_lost");
  assertMatch(
    lost.message,
    /^Cannot read "cam": the connection to its script was cut; it is tried/,
  );
  using peer = await script.accept();
  await peer.send(back);
  assertEquals((await viewer.notice("source_back")).code, "source_back");
  const frame = await viewer.frame();
  assertEquals([frame.data, frame.discontinuity], [back, true]);
});

Deno.test("viewers are told what is wrong with a script, without its address", async () => {
  {
    await using server = await serverOf([`cam=script:127.0.0.1:${freePort()}`]);
    assertEquals(
      await refusal(server),
      'media_error: Cannot read "cam": Cannot connect to its script: nothing listens there',
    );
  }
  using script = new ListeningScript();
  await using server = await script.serve();
  using viewer = await watch(server);
  using peer = await script.accept();
  await peer.write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"));
  const received = await viewer.next();
  assertMatch(
    received.kind === "error" ? received.error.message : received.kind,
    /^Cannot read "cam": its script breaks the protocol \(Cannot [^)]*HTTP/,
  );
  await peer.closed();
});
