import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { assertEquals, assertMatch } from "@std/assert";
import { mediaFolder, pictures } from "../../support/media/media_folder.ts";
import { watchLive } from "../../support/peers/native_client.ts";
import { refusal, serverOf } from "../../support/peers/relays.ts";
import type { TestServer } from "../../support/peers/test_server.ts";

// Scripts that send datagrams: `--live cam=script+udp::PORT`.

const folder = mediaFolder();
const jpeg = await Deno.readFile(
  await folder.make("a.jpg", [...pictures(), "-frames:v", "1"]),
);

/** A UDP port of a script. */
class DatagramPeer implements AsyncDisposable {
  #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  static async open(): Promise<DatagramPeer> {
    const socket = createSocket("udp4");
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    return new DatagramPeer(socket);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  async send(bytes: Uint8Array, port: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#socket.send(bytes, port, "127.0.0.1", (error) => error ? reject(error) : resolve());
    await promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await once(this.#socket, "close");
  }
}

/** The port of `cam`, once it has been opened so many times. */
async function openPort(server: TestServer, count = 1): Promise<number> {
  const pattern = /"cam" waits for datagrams at 127\.0\.0\.1:(\d+)\n$/;
  await server.logged(pattern, count);
  const ports = server.lines.flatMap((line) => line.match(pattern)?.[1] ?? []);
  return Number(ports.at(-1));
}

Deno.test("explain shows each JPEG that came in datagrams", async () => {
  await using script = await DatagramPeer.open();
  const lines: string[] = [];
  const explain = (line: string) => void lines.push(line);
  await using server = await serverOf(["cam=script+udp::0"], { explain });
  const port = await (async () => {
    using viewer = await watchLive(server, { name: "cam", encoding: "copy" });
    const port = await openPort(server);
    await script.send(jpeg, port);
    await viewer.frames(1);
    return port;
  })();
  await server.logged(/"cam" is stopped/);
  const own = lines.filter((line) => line.startsWith(`127.0.0.1:${port} `));
  const [opened, frame, closed] = own.map((line) => line.replaceAll(/ +/g, " "));
  assertMatch(opened, /-- connected the port is open waiting$/);
  const words = `\\d+x\\d+ JPEG: in datagrams from 127.0.0.1:${script.port}`;
  assertMatch(frame, new RegExp(`<- frame ${jpeg.byteLength} bytes ${words} streaming$`));
  assertMatch(closed, /-- closed the port is closed ended$/);
});

Deno.test("JPEGs in datagrams reach viewers unchanged, while somebody watches", async () => {
  await using script = await DatagramPeer.open();
  await using server = await serverOf(["cam=script+udp::0"]);
  for (let times = 1; times <= 2; times++) {
    using one = await watchLive(server, { name: "cam", encoding: "copy" });
    const port = await openPort(server, times);
    await script.send(jpeg, port);
    assertEquals((await one.frames(1))[0].data, jpeg);
    using two = await watchLive(server, { name: "cam", encoding: "copy" });
    await two.until("describe");
    await script.send(jpeg, port);
    for (const viewer of [one, two]) {
      assertEquals((await viewer.frames(1))[0].data, jpeg);
      await viewer.control("stop");
      await viewer.until("end");
    }
    await server.logged(/"cam" is stopped/, times);
  }
});

Deno.test("viewers are told what is wrong with datagrams, without the address", async () => {
  await using other = await DatagramPeer.open();
  await using taken = await serverOf([`cam=script+udp::${other.port}`]);
  assertEquals(
    await refusal(taken),
    'media_error: Cannot read "cam": Cannot receive datagrams: another program uses the port',
  );
  await using server = await serverOf(["cam=script+udp::0"]);
  using viewer = await watchLive(server, { name: "cam" });
  await other.send(new TextEncoder().encode("hello, server"), await openPort(server));
  const received = await viewer.next();
  assertMatch(
    received.kind === "error" ? received.error.message : received.kind,
    /^Cannot read "cam": its script breaks the protocol \(Cannot [^)]*text "hello, server"/,
  );
});
