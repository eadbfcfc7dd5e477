import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { pictures, tone } from "../../support/media/media_folder.ts";
import { type NativeClient, watchLive } from "../../support/peers/native_client.ts";
import { liveServer } from "../../support/peers/test_server.ts";
import { mediaChildren } from "../../support/programs/machine.ts";
import { standIn } from "../../support/programs/stand_in.ts";
import { XScreen } from "../../support/screens/x_screen.ts";
import { testWith } from "../../support/test_if.ts";

const test = testWith("Xvfb");

// Sources that can be opened only once, in several renditions at the same time.

/** Requests for different renditions. */
const RENDITIONS = [
  {},
  { width: 160 },
  { encoding: "h264" },
  { encoding: "copy" },
] as const;

/** The server's FFmpegs that read an input: the source's, or `pipe:0`. */
async function readersOf(input: string): Promise<number[]> {
  const found: number[] = [];
  for (const id of await mediaChildren()) {
    const words = (await Deno.readTextFile(`/proc/${id}/cmdline`)).split("\0");
    if (words.includes(input)) found.push(id);
  }
  return found;
}

/** Number of FFmpegs that read the source, and of those that read its capture. */
async function readerCounts(input: string): Promise<[number, number]> {
  return [(await readersOf(input)).length, (await readersOf("pipe:0")).length];
}

/** Sends a transport stream to a port, with a keyframe every half second. */
class Sender implements AsyncDisposable {
  readonly url: string;
  #child: Deno.ChildProcess;

  constructor() {
    // A port that is free for TCP is mostly free for UDP, too.
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    this.url = `udp://127.0.0.1:${port}`;
    this.#child = new Deno.Command("ffmpeg", {
      args: [
        ...["-v", "error", "-nostdin", "-re", ...pictures({ seconds: 60 }), "-re"],
        ...[...tone({ seconds: 60 }), "-t", "60", "-c:v", "libx264", "-preset", "ultrafast"],
        ...["-tune", "zerolatency", "-g", "12", "-c:a", "aac"],
        ...["-f", "mpegts", `${this.url}?pkt_size=1316`],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
  }
}

/** Seconds of a viewer's next frame. */
async function lastSeen(viewer: NativeClient): Promise<number> {
  return (await viewer.frames(1))[0].seconds;
}

Deno.test("a port is read once for viewers in every encoding and size", async () => {
  await using sender = new Sender();
  await using server = await liveServer(`cam=${sender.url}`);
  // On a busy machine all FFmpegs together would take too long for a first frame.
  using first = await watchLive(server, { encoding: "copy" });
  await first.frames(1);
  const viewers = await Promise.all(RENDITIONS.map((wish) => watchLive(server, wish)));
  const compressed = ["h264", "aac"];
  const raw = ["rawvideo", "pcm_s16le"];
  for (const [at, expected] of [raw, raw, compressed, compressed].entries()) {
    const { description } = await viewers[at].until("describe");
    assertEquals(description.streams.map(({ codec }) => codec), expected);
    const [picture] = await viewers[at].frames(1, 0);
    assert(picture.keyframe && !picture.discontinuity);
    assertGreater((await viewers[at].frames(2, 1))[1].seconds, 0);
  }
  assertEquals(await readerCounts(sender.url), [1, 3]);
  const late = await watchLive(server, { encoding: "mjpeg", fps: 5 });
  assertEquals((await late.frames(2, 0)).map(({ data }) => data[0]), [0xff, 0xff]);
  assertEquals(await readerCounts(sender.url), [1, 4]);
  for (const viewer of [first, ...viewers, late]) viewer[Symbol.dispose]();
  await server.logged(/"cam" is stopped/, 5);
  assertEquals(await readerCounts(sender.url), [0, 0]);
});

test("a screen is captured once, and the frames have the time of that", async () => {
  await using screen = await XScreen.start();
  await using server = await liveServer(`cam=x11grab:${screen.display}`);
  const viewers = await Promise.all(RENDITIONS.map((wish) => watchLive(server, wish)));
  const [whole, small, , copied] = await Promise.all(viewers.map(async (viewer) => {
    const [frame] = await viewer.frames(1);
    const [stream] = viewer.description?.streams ?? [];
    return { stream, size: frame.data.byteLength, captured: frame.captured ?? 0 };
  }));
  assert(whole.stream.type === "video" && copied.stream.type === "video");
  assertEquals([whole.stream.pixelFormat, copied.stream.pixelFormat], ["bgr0", "bgr0"]);
  assertEquals([whole.size, small.size], [320 * 240 * 4, 160 * 120 * 4]);
  assertEquals(await readerCounts(screen.display), [1, 3]);
  // Frames have the same capture times in every rendition; viewers who read late lack some.
  const read = [whole.captured, copied.captured].map((captured) => new Set([captured]));
  for (let round = 0; round < 500 && read[0].isDisjointFrom(read[1]); round++) {
    await Promise.all([0, 3].map(async (rendition, at) => {
      read[at].add((await viewers[rendition].frames(1))[0].captured ?? 0);
    }));
  }
  assert(!read[0].isDisjointFrom(read[1]) && !read[0].has(0) && !read[1].has(0));
  for (const viewer of viewers) viewer[Symbol.dispose]();
  await server.logged(/"cam" is stopped/, 4);
  assertEquals(await mediaChildren(), []);
});

test("viewers of renditions of a capture stay while it is lost, and go on with it", async () => {
  await using screen = await XScreen.start();
  await using server = await liveServer(`cam=x11grab:${screen.display}`);
  const viewers = await Promise.all(RENDITIONS.map((wish) => watchLive(server, wish)));
  const before = await Promise.all(viewers.map(lastSeen));
  for (let times = 0; times < 2; times++) {
    const [capture, ...others] = await readersOf(screen.display);
    assertEquals(others, []);
    {
      // It does not come back before one more request has failed.
      using _dead = await standIn("ffmpeg", "kill -9 $$");
      Deno.kill(capture, "SIGKILL");
      const lost = await Promise.all(viewers.map((viewer) => viewer.notice("source_lost")));
      for (const { message } of lost) {
        assertMatch(message, /^Cannot read "cam": .*SIGKILL; it is tried again in [1-9]\.\d s$/);
      }
      using late = await watchLive(server, { width: 80 });
      const { error } = await late.until("error");
      assertMatch(`${error.code} ${error.message}`, /^media_error Cannot read "cam": .*SIGKILL$/);
    }
    await Promise.all(viewers.map((viewer) => viewer.notice("source_back")));
  }
  const after = await Promise.all(viewers.map((viewer) => viewer.frames(1)));
  for (const [at, [frame]] of after.entries()) {
    assert(frame.discontinuity);
    assertGreater(frame.seconds, before[at] + 1);
  }
  using late = await watchLive(server, { width: 80 });
  assertEquals((await late.frames(1))[0].data.byteLength, 80 * 60 * 4);
  for (const viewer of viewers) viewer[Symbol.dispose]();
});

test("a rendition of a capture is started again by itself, and no other viewer is notified", async () => {
  await using screen = await XScreen.start();
  await using server = await liveServer(`cam=x11grab:${screen.display}`);
  using small = await watchLive(server, { width: 160 });
  await small.frames(1);
  const [maker] = await readersOf("pipe:0");
  using copied = await watchLive(server, { encoding: "copy" });
  await copied.frames(1);
  Deno.kill(maker, "SIGKILL");
  assertMatch(
    (await small.notice("source_lost")).message,
    /SIGKILL; it is tried again in 1\.\d s$/,
  );
  await small.notice("source_back");
  assert((await small.frames(1))[0].discontinuity);
  assertEquals(await readerCounts(screen.display), [1, 1]);
  await copied.control("stop");
  for (let event = await copied.next(); event.kind !== "end"; event = await copied.next()) {
    // Frames that are not read for long are dropped.
    const isOfSource = event.kind === "notice" && event.notice.code.startsWith("source_");
    assert(event.kind === "frame" || event.kind === "notice" && !isOfSource, event.kind);
  }
});
