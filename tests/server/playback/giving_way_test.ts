/** Viewers who give their decoder to those who wait for one, and go on as if nothing had been. */
import { assertEquals } from "@std/assert";
import type { ServerOptions } from "../../../lib/server/options.ts";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";
import { ask, NativeClient, watch } from "../../support/peers/native_client.ts";
import type { ReceivedFrame } from "../../support/peers/received.ts";
import { LONG_TIMEOUTS, testServer } from "../../support/peers/test_server.ts";
import { countedFfmpeg } from "../../support/programs/counted_ffmpeg.ts";
import { standIn } from "../../support/programs/stand_in.ts";
import { testIf } from "../../support/test_if.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

const media = mediaFolder();

/** A server with one decoder, of a video with sound. */
async function serve(options: Partial<ServerOptions> = {}) {
  const codec = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "25"];
  await media.make("clip.mkv", [...pictures({ seconds: 2 }), ...tone({ seconds: 2 }), ...codec]);
  // Pings of themselves would tell whether a viewer is there.
  const timeouts = { ...LONG_TIMEOUTS, ping: 1e6 };
  return await testServer({ media: media.path, maxDecoders: 1, timeouts, ...options });
}

/** What is compared of frames, by stream. */
function byStream(frames: readonly ReceivedFrame[]) {
  const streams = Map.groupBy(frames, ({ streamId }) => streamId);
  return [...streams.keys()].sort().map((id) =>
    streams.get(id)!.map(({ timestamp, size, md5 }) => `${timestamp} ${size} ${md5}`)
  );
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Lets time pass until something has happened. */
async function passing<T>(clock: HandClock, event: Promise<T>): Promise<T> {
  let isOver = false;
  event.finally(() => isOver = true).catch(() => {});
  while (!isOver) {
    clock.pass(100);
    await new Promise((resolve) => setTimeout(resolve));
  }
  return await event;
}

/** Pauses a viewer, and waits until the server knows. */
async function pause(viewer: NativeClient): Promise<void> {
  await viewer.control("pause");
  await viewer.connection.send("ping", new Uint8Array());
  assertEquals((await viewer.next()).kind, "pong");
}

const RESPONSES = [["raw", 128e6], ["raw", 0], ["mjpeg", 0], ["h264", 0]] as const;

for (const [encoding, startCacheSize] of RESPONSES) {
  const how = `${encoding}, with ${startCacheSize} bytes of cache`;
  Deno.test(`a paused viewer lends its decoder and goes on to the byte: ${how}`, async () => {
    const request = { name: "clip.mkv", encoding };
    const clock = new HandClock();
    await using server = await serve({ startCacheSize, clock });
    using pausing = await watch(server, { ...request, speed: 1 });
    const frames = await pausing.due(clock);
    clock.pass(700);
    frames.push(...await pausing.due(clock));
    await pause(pausing);
    using ffmpeg = await countedFfmpeg();
    using other = await server.connect();
    await other.ask({ command: "get_video", ...request, width: 32, audio: false });
    assertEquals((await other.notice("waiting")).position, 1);
    clock.pass(9000);
    clock.pass(1000);
    assertEquals((await other.rest()).frames.length, 50);
    assertEquals(ffmpeg.starts.length, 1);
    await pausing.control("resume");
    const rest = await passing(clock, pausing.rest());
    const expected = await ask(server, { command: "get_video", ...request });
    assertEquals(byStream([...frames, ...rest.frames]), byStream(expected.frames));
    assertEquals(rest.end.dropped, 0);
  });
}

const hasIpv6 = Deno.networkInterfaces().some(({ address }) => address === "::1");
const ipv6Test = testIf(hasIpv6, "no IPv6");

ipv6Test(
  "an address lends decoders beyond half of all to another address",
  async () => {
    const clock = new HandClock();
    await using server = await serve({ host: "::", maxDecoders: 2, startCacheSize: 0, clock });
    const { port } = server.address;
    const connect = async (hostname: string) => {
      return new NativeClient(await Deno.connect({ hostname, port }));
    };
    const request = { command: "get_video", name: "clip.mkv" } as const;
    using first = await connect("127.0.0.1");
    using second = await connect("127.0.0.1");
    const frames: ReceivedFrame[] = [];
    for (const viewer of [first, second]) {
      await viewer.ask({ ...request, speed: 1 });
      await viewer.until("describe");
      frames.splice(0, Infinity, ...await viewer.due(clock));
    }
    using other = await connect("::1");
    // No time passes: both decoders are in use. The second one is given up.
    assertEquals(
      byStream((await other.request({ ...request, audio: false })).frames)[0].length,
      50,
    );
    const rest = await passing(clock, second.rest());
    const expected = await other.request(request);
    assertEquals(byStream([...frames, ...rest.frames]), byStream(expected.frames));
  },
);

ipv6Test("a series of images gives way to the viewers of other addresses", async () => {
  const clock = new HandClock();
  await using server = await serve({ host: "::", maxDecoders: 4, startCacheSize: 0, clock });
  const { port } = server.address;
  const connect = async (hostname: string) => {
    return new NativeClient(await Deno.connect({ hostname, port }));
  };
  const path = `${media.path}/niceness`;
  const script = `case "$*" in *"-i "*) nice >>${path};; esac; exec "$REAL" "$@"`;
  using _standIn = await standIn("ffmpeg", script);
  const series = { command: "get_image", name: "clip.mkv", every: 0.5 } as const;
  using other = await connect("::1");
  const alone = await other.request(series);
  using viewer = await connect("127.0.0.1");
  await viewer.ask({ command: "get_video", name: "clip.mkv", audio: false, speed: 1 });
  await viewer.until("describe");
  await viewer.due(clock);
  assertEquals(byStream((await other.request(series)).frames), byStream(alone.frames));
  assertEquals((await other.request({ ...series, every: undefined })).frames.length, 1);
  const niceness = (await Deno.readTextFile(path)).trim().split("\n");
  assertEquals(niceness, Deno.build.os === "linux" ? ["5", "5", "15", "5"] : niceness);
});

Deno.test("a decoder ends with its viewer, also if it makes nothing and ignores signals", async () => {
  await using server = await serve();
  const begun = `${media.path}/begun`;
  using _hangs = await standIn(
    "ffmpeg",
    `[ ! -e ${begun} ] || exec "$REAL" "$@"; : >${begun}; trap "" TERM PIPE; exec sleep 1000`,
  );
  const request = { command: "get_video", name: "clip.mkv", audio: false } as const;
  const leaving = await server.connect();
  await leaving.ask(request);
  using next = await server.connect();
  // Only now has the first one its decoder for sure.
  while (!await exists(begun)) await new Promise((resolve) => setTimeout(resolve));
  await next.ask({ ...request, width: 32 });
  await next.notice("waiting");
  leaving.close();
  assertEquals((await next.rest()).frames.length, 50);
  next.close();
  await server.quiet();
});
