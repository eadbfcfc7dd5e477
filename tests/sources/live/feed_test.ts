import { assertEquals, assertFalse, assertMatch, assertRejects } from "@std/assert";
import { abortable } from "../../../lib/base/async.ts";
import { RequestError } from "../../../lib/base/errors.ts";
import type { Rendition } from "../../../lib/ffmpeg/rendition.ts";
import {
  type LiveFeedOptions,
  openLiveFeed,
  SourceEndedError,
} from "../../../lib/sources/live/feed.ts";
import type { FrameInput } from "../../../lib/sources/live/relay_feed.ts";
import { parseLiveSource } from "../../../lib/sources/live/source_spec.ts";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";
import { GREY } from "../../support/peers/scripted_server.ts";
import { LeapingTime } from "../../support/time/leaping_time.ts";
import { standIn } from "../../support/programs/stand_in.ts";
import { installedDialect } from "../../support/programs/machine.ts";

const media = mediaFolder();

async function open(
  input: string,
  rendition: Rendition = {},
  options: Partial<LiveFeedOptions> = {},
) {
  const never = new AbortController().signal;
  const dialect = await installedDialect();
  const whole = { maxFrameSize: 1e8, signal: never, dialect, ...options };
  return await openLiveFeed(parseLiveSource(`cam=${input}`), rendition, whole);
}

Deno.test("openLiveFeed() throws the reason why a generator is malformed", async () => {
  const { message } = await assertRejects(() => open("lavfi:no_such_filter,null"), RequestError);
  assertEquals(message, `Cannot read "cam": No such filter: 'no_such_filter'`);
});

Deno.test("LiveFeed.next() fails with the reason once there are no more frames", async () => {
  await using feed = await open("lavfi:testsrc2=size=16x16:rate=25:d=0.2");
  for (let count = 0; count < 5; count++) feed.recycle(await feed.next());
  await assertRejects(() => feed.next(), RequestError, "it came to its end");
});

Deno.test("LiveFeed.next() returns all frames of a file that is opened to its end", async () => {
  // So few frames that none is due by those after it.
  const path = await media.make("few.mkv", [
    ...[...pictures({ seconds: 0.08 }), ...tone({ seconds: 0.08 }), "-c:a", "flac"],
    ...["-c:v", "libx264", "-bf", "3", "-preset", "slow"],
  ]);
  const opened = { arguments: ["-i", `file:${path}`], isStdin: false };
  await using feed = await open(path, { encoding: "copy" }, { opened, isSilent: true });
  assertEquals(feed.streams.map(({ type }) => type), ["video"]);
  for (let count = 0; count < 2; count++) feed.recycle(await feed.next());
  for (let times = 0; times < 2; times++) {
    await assertRejects(() => feed.next(), SourceEndedError, "it came to its end");
  }
});

Deno.test("LiveFeed.next() tells a failure from the end of a file", async () => {
  const path = await media.write("broken.mjpeg", crypto.getRandomValues(new Uint8Array(5000)));
  const opened = { arguments: ["-f", "mjpeg", "-i", `file:${path}`], isStdin: false };
  const error = await assertRejects(() => open(path, {}, { opened }), RequestError);
  assertFalse(error instanceof SourceEndedError);
});

Deno.test("LiveFeed.next() waits longer for frames of a low frame rate", async () => {
  using time = new LeapingTime();
  const source = "lavfi:testsrc2=size=16x16:rate=25";
  const opening = open(source, { fps: 0.25 }, { readTimeout: 100_000 });
  await time.running(104_000);
  await using feed = await opening;
  const [stream] = feed.streams;
  const moments: number[] = [];
  for (let count = 0; count < 2; count++) {
    const { timestamp } = await feed.next();
    moments.push(timestamp * stream.timeBase[0] / stream.timeBase[1]);
  }
  assertEquals(moments, [0, 4]);
});

Deno.test("LiveFeed.next() waits for an input that has nothing to give for longer", async () => {
  const { readable, writable } = new TransformStream<number, number>();
  const [frames, writer] = [readable.getReader(), writable.getWriter()];
  const input: FrameInput = {
    streams: [{ ...GREY, timeBase: [1, 1] }],
    async take(signal) {
      const { value: timestamp = 0 } = await abortable(frames.read(), signal);
      const data = new Uint8Array(GREY.width * GREY.height).fill(timestamp);
      return { frame: { streamId: 0, timestamp, keyframe: true, data }, release: () => {} };
    },
    [Symbol.dispose]: () => {},
  };
  using time = new LeapingTime();
  writer.write(0);
  await using feed = await open("lavfi:unused", {}, { input });
  assertEquals((await feed.next()).due, 0);
  for (const seconds of [60, 120]) {
    const next = feed.next();
    await time.running(20_000);
    await time.leap(60_000);
    writer.write(seconds);
    const { due, data: [pixel] } = await next;
    assertEquals([due, pixel], [seconds, seconds]);
  }
});

for (
  const [what, count] of [["has its input", 2], ["has all of its input", 1]] as const
) {
  Deno.test(`openLiveFeed() gives up an FFmpeg that ${what} and hangs`, async () => {
    using _hung = await standIn("ffmpeg", "cat >/dev/null; exec sleep 100000");
    let given = 0;
    const taken = Promise.withResolvers<void>();
    const input: FrameInput = {
      streams: [GREY],
      async take(signal) {
        const data = new Uint8Array(GREY.width * GREY.height);
        if (given < count) {
          return { frame: { streamId: 0, timestamp: given++, keyframe: true, data }, release() {} };
        }
        taken.resolve();
        if (count === 2) await abortable(new Promise<never>(() => {}), signal);
        return undefined;
      },
      [Symbol.dispose]: () => {},
    };
    using time = new LeapingTime();
    const opening = assertRejects(() => open("lavfi:unused", {}, { input }), RequestError);
    await taken.promise;
    await time.running(20_000);
    await time.leap(50_000);
    assertEquals((await opening).message, 'Cannot read "cam": nothing came for 20 s');
  });
}

Deno.test("LiveFeed.next() returns frames that stay valid while further ones are read", async () => {
  await using feed = await open("lavfi:testsrc2=size=320x240:rate=25:d=1");
  const kept = await feed.next();
  const before = kept.data.slice();
  for (let count = 0; count < 10; count++) feed.recycle(await feed.next());
  assertEquals(kept.data, before);
});

Deno.test("LiveFeed.next() returns due times of frames that come out of order", async () => {
  const path = await media.make("order.mp4", [
    ...[...pictures(), "-c:v", "libx264", "-bf", "2", "-g", "12"],
  ]);
  await using feed = await open(path, { encoding: "copy" }, { loop: true });
  const dues: number[] = [];
  const moments: number[] = [];
  const [stream] = feed.streams;
  for (let count = 0; count < 60; count++) {
    const { due, timestamp } = await feed.next();
    dues.push(due);
    moments.push(timestamp * stream.timeBase[0] / stream.timeBase[1]);
  }
  assertEquals(dues, dues.toSorted((a, b) => a - b));
  assertEquals(moments.every((moment, at) => moment >= dues[at]), true);
  assertEquals(moments.some((moment, at) => at > 0 && moment < moments[at - 1]), true);
});

Deno.test("openLiveFeed() ends FFmpeg when it is aborted, and when frames are too large", async () => {
  const stop = new AbortController();
  await using feed = await open("lavfi:testsrc2=size=16x16", {}, { signal: stop.signal });
  stop.abort(new Error("enough"));
  await assertRejects(
    async () => {
      while (true) await feed.next();
    },
    Error,
    "enough",
  );
  await using large = await open("lavfi:testsrc2=size=64x64", {}, { maxFrameSize: 100 });
  const { message } = await assertRejects(() => large.next(), RequestError);
  assertMatch(message, /^Cannot read "cam": .*frame size.*at most 100/);
});
