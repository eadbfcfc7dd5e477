import { assertEquals } from "@std/assert";
import { ListedMedia } from "../../../lib/protocol/native/list.ts";
import { parseLiveSource } from "../../../lib/sources/live/source_spec.ts";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";
import type { NativeClient } from "../../support/peers/native_client.ts";
import { testServer } from "../../support/peers/test_server.ts";

const media = mediaFolder();

const FOLLOW = { command: "list_media", follow: true } as const;
const PNG = [...pictures({ seconds: 0.04 }), "-frames:v", "1"];

/** A list that a peer follows. */
class Followed {
  readonly list = new ListedMedia();
  #peer: NativeClient<Deno.TcpConn>;

  constructor(peer: NativeClient<Deno.TcpConn>) {
    this.#peer = peer;
  }

  /** Receives pieces until the list is as it should be. */
  async until(condition: (list: ListedMedia) => boolean): Promise<void> {
    while (!condition(this.list)) {
      const { piece } = await this.#peer.until("list");
      assertEquals(piece.follow, true);
      this.list.add(piece);
    }
  }
}

/** Follows the list of a folder, and waits until it is complete. */
async function follow(peer: NativeClient<Deno.TcpConn>): Promise<Followed> {
  await peer.ask(FOLLOW);
  const followed = new Followed(peer);
  await followed.until(({ isComplete }) => isComplete);
  return followed;
}

Deno.test("listPieces() follows files that come, change and go", async () => {
  const png = await media.make("made/a.png", PNG);
  const larger = await media.make("made/b.png", [...pictures({ size: "32x24" }), "-frames:v", "1"]);
  const folder = await media.folder("followed");
  await Deno.copyFile(png, `${folder}/first.png`);
  await using server = await testServer({ media: folder });
  using peer = await server.connect();
  const followed = await follow(peer);
  const widthOf = (name: string) => followed.list.find(name)?.width;
  await Deno.mkdir(`${folder}/sub`);
  await Deno.copyFile(png, `${folder}/sub/new.png`);
  await followed.until(() => widthOf("sub/new.png") === 64);
  await Deno.copyFile(larger, `${folder}/sub/new.png`);
  await followed.until(() => widthOf("sub/new.png") === 32);
  await Deno.rename(`${folder}/sub/new.png`, `${folder}/other.png`);
  await followed.until(({ size }) => size === 2 && widthOf("other.png") === 32);
  await Deno.remove(`${folder}/first.png`);
  await followed.until(({ size }) => size === 1);
  assertEquals(followed.list.entries.map(({ name }) => name), ["other.png"]);
});

Deno.test("listPieces() does not take a file that is being written for a damaged one", async () => {
  const sound = await Deno.readFile(await media.make("made/a.wav", tone({ seconds: 1 })));
  const folder = await media.folder("growing");
  await using server = await testServer({ media: folder });
  using peer = await server.connect();
  const followed = await follow(peer);
  const path = `${folder}/a.wav`;
  using file = await Deno.open(path, { write: true, create: true });
  // It is not settled, however long a look takes.
  const clock = Date.now;
  using _time = { [Symbol.dispose]: () => void (Date.now = clock) };
  Date.now = () => Deno.statSync(path).mtime?.getTime() ?? 0;
  for (let at = 0; at < 40; at += 20) {
    await file.write(sound.subarray(at, at + 20));
    const size = at + 20;
    await followed.until(({ entries: [entry] }) => entry?.size === size);
    const [{ pending, problem }] = followed.list.entries;
    assertEquals([pending, problem], [true, undefined]);
  }
  Date.now = clock;
  await file.write(sound.subarray(40));
  await followed.until(({ entries: [{ pending }] }) => !pending);
  assertEquals(followed.list.entries[0].codec, "pcm_s16le");
});

Deno.test("listPieces() follows live sources, also in place of a file", async () => {
  const folder = await media.folder("live");
  await Deno.copyFile(await media.make("made/a.png", PNG), `${folder}/cam.png`);
  const live = { sources: [parseLiveSource("fixed=lavfi:testsrc")], linger: 0 };
  await using server = await testServer({ media: folder, live, publish: "local" });
  using peer = await server.connect();
  const followed = await follow(peer);
  assertEquals(followed.list.entries.map(({ name, live }) => [name, live]), [
    ["fixed", true],
    ["cam.png", false],
  ]);
  {
    using publisher = await server.connect();
    await publisher.ask({ command: "publish", name: "robot" });
    await followed.until(({ size }) => size === 3);
    assertEquals(followed.list.find("robot")?.published, true);
  }
  await followed.until(({ size }) => size === 2);
});

Deno.test("sendList() ends at a stop, and at once when the server is drained", async () => {
  const folder = await media.folder("ended");
  await using server = await testServer({ media: folder });
  {
    using peer = await server.connect();
    await follow(peer);
    await peer.control("stop");
    const { end } = await peer.until("end");
    assertEquals([end.reason, end.frames], ["stopped", 0]);
    // The connection serves further requests.
    assertEquals((await peer.request({ command: "list_media" })).list, []);
  }
  using peer = await server.connect();
  await follow(peer);
  const drained = server.server.drain({ grace: 60_000, signal: new AbortController().signal });
  assertEquals((await peer.until("end")).end.reason, "shutdown");
  peer.close();
  await drained;
});

Deno.test("a list that is followed leaves no watch behind", async () => {
  const folder = await media.folder("left");
  await using server = await testServer({ media: folder });
  for (let round = 0; round < 3; round++) {
    using peer = await server.connect();
    await follow(peer);
  }
  // Resources that are still open would fail this test.
  await server.quiet();
});
