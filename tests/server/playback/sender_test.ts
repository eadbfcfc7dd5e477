import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { ByteReader, fromSocket } from "../../../lib/base/byte_reader.ts";
import { ByteWriter } from "../../../lib/base/byte_writer.ts";
import type { Clock } from "../../../lib/base/clock.ts";
import { FRAME_HEADROOM, type StreamDescription } from "../../../lib/media/frame.ts";
import {
  Connection,
  type FrameMessage,
  type Message,
  nativeResponse,
} from "../../../lib/protocol/native/connection.ts";
import { type EndReport, type Notice, parseNotice } from "../../../lib/protocol/native/response.ts";
import { Controls } from "../../../lib/server/playback/controls.ts";
import { FrameRate } from "../../../lib/server/playback/early.ts";
import {
  type ResponseWriter,
  TimedSender,
  type TimedSenderOptions,
} from "../../../lib/server/playback/sender.ts";
import { socketOf } from "../../support/media/bytes.ts";
import { pureTest } from "../../support/pure_test.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

/** Bytes of a frame, and frames a second. */
const SIZE = 100_000;
const RATE = 25;

const SHARED = { timeBase: [1, RATE], fourcc: "    ", extradata: new Uint8Array(0) } as const;
const STREAMS: StreamDescription[] = [
  { ...SHARED, id: 0, type: "video", codec: "rawvideo", width: 2, height: 2 },
  { ...SHARED, id: 1, type: "audio", codec: "pcm_s16le", sampleRate: 25, channels: 1 },
];

/** Frames, a source and a connection. */
interface Scene {
  /** Video frames. */
  count: number;
  /** Frames from keyframe to keyframe. */
  interval?: number;
  /** Bytes per second of the connection, by the time in seconds. */
  throughput?: (time: number) => number;
  /** Seconds per frame of the source. */
  coming?: number;
  /** Whether each video frame has an audio frame beside it. */
  audio?: boolean;
  late?: "wait" | "drop";
  speed?: number;
  /** Seconds of a pause in the middle. */
  pause?: number;
  /** The pause ends before the next frame has come. */
  isComing?: boolean;
  /** Video frames at the beginning that are only decoded. */
  hidden?: number;
  /** The video frame with a discontinuity. */
  breakAt?: number;
  /** A notice before the first frame. */
  notice?: Notice;
}

interface Outcome {
  messages: Message[];
  frames: FrameMessage[];
  notices: Notice[];
  report: EndReport;
  /** Seconds that the scene took. */
  seconds: number;
}

/** Plays a scene on a clock that only waiting, writing and the source advance. */
async function play(scene: Scene): Promise<Outcome> {
  const { count, interval = 1, throughput = () => Infinity, coming = 0, speed = 1 } = scene;
  let time = 0;
  const clock: Clock = {
    now: () => time,
    sleep: (milliseconds) => {
      time += milliseconds;
      return Promise.resolve();
    },
  };
  const written: Uint8Array[] = [];
  const write = (bytes: Uint8Array) => {
    written.push(bytes.slice());
    time += 1000 * bytes.byteLength / throughput(time / 1000);
    return Promise.resolve(bytes.byteLength);
  };
  const writer = new ByteWriter({ write }, { stallTimeout: 10_000, onStall() {} });
  const controls = new Controls({ command: "get_video", speed }, { clock });
  controls.begin({ seekable: true });
  const reader = new ByteReader(fromSocket(socketOf(new Uint8Array(0))));
  const sender = new TimedSender({
    response: nativeResponse(new Connection(reader, writer)),
    ...{ controls, streams: STREAMS, drop: scene.late === "drop", clock },
  });
  if (scene.notice !== undefined) await sender.take({ kind: "notice", notice: scene.notice });
  for (let at = 0; at < count; at++) {
    time += coming * 1000;
    if (at === count / 2 && scene.pause !== undefined) {
      controls.pacer.pause();
      const resume = () => {
        time += scene.pause! * 1000;
        controls.pacer.resume();
      };
      if (scene.isComing) resume();
      else queueMicrotask(resume);
    }
    for (const streamId of scene.audio ? [0, 1] : [0]) {
      const data = new Uint8Array(FRAME_HEADROOM + SIZE).subarray(FRAME_HEADROOM);
      const keyframe = streamId === 1 || at % interval === 0;
      const discontinuity = streamId === 0 && at === scene.breakAt;
      const shownAt = at - (scene.hidden ?? 0);
      const due = Math.max(0, shownAt) / RATE;
      const frame = { streamId, timestamp: shownAt, keyframe, due, data, discontinuity };
      await sender.take({ kind: "frame", frame, beginning: 0, isShown: shownAt >= 0 });
    }
  }
  const bytes = new Uint8Array(
    await new Blob(written.map((part) => part as BlobPart)).arrayBuffer(),
  );
  const receiver = new Connection(new ByteReader(fromSocket(socketOf(bytes))), writer);
  const messages: Message[] = [];
  while (true) {
    const message = await receiver.receive();
    if (message === undefined) break;
    messages.push(message);
  }
  return {
    messages,
    frames: messages.filter((message) => message.kind === "frame"),
    notices: messages.flatMap((message) =>
      message.kind === "notice" ? [parseNotice(message.payload)] : []
    ),
    report: sender.report(),
    seconds: time / 1000,
  };
}

/** Bytes per second; half of the rate of the frames. */
const HALF = SIZE * RATE / 2;

pureTest(
  "TimedSender.take() sends every frame in its own time over a fast connection",
  async () => {
    for (const late of ["wait", "drop"] as const) {
      const { frames, notices, report, seconds } = await play({
        count: 100,
        throughput: () => 4 * HALF,
        late,
      });
      assertEquals([frames.length, notices, report.dropped], [100, [], 0]);
      const nothing = { id: 1, frames: 0, bytes: 0 };
      assertEquals(report.streams, [{ id: 0, frames: 100, bytes: 100 * SIZE }, nothing]);
      assertLess(Math.abs(seconds - 99.5 / RATE), 0.03);
    }
  },
);

pureTest("TimedSender.take() passes on the notices of the player", async () => {
  const notice = { code: "resuming", message: "Going on where it broke off" };
  const { messages, notices } = await play({ count: 1, notice });
  assertEquals(messages.map(({ kind }) => kind), ["notice", "frame"]);
  assertEquals([notices[0].code, notices[0].message], [notice.code, notice.message]);
});

pureTest(
  "TimedSender.take() sends every frame over a slow connection, and notifies once that it is slow",
  async () => {
    const { frames, notices, report, seconds } = await play({ count: 200, throughput: () => HALF });
    assertEquals([frames.length, report.frames, report.dropped], [200, 200, 0]);
    assertEquals(notices.map(({ code }) => code), ["slow_link"]);
    const { needed = 0, achieved = 0 } = notices[0];
    assertLess(Math.abs(needed - 2 * HALF), 0.05 * HALF);
    assertLess(Math.abs(achieved - HALF), 0.05 * HALF);
    assertLess(15, seconds);
  },
);

pureTest("TimedSender.take() drops frames over a slow connection and keeps the time", async () => {
  const { messages, frames, notices, report, seconds } = await play({
    ...{ count: 500, throughput: () => HALF, late: "drop" },
  });
  assertLess(Math.abs(seconds - 20), 0.6);
  // About as many as the connection takes.
  assertLess(Math.abs(frames.length - 250), 20);
  assertEquals(report.frames + report.dropped, 500);
  // Each gap is marked behind it, and nothing else is.
  let next = 0;
  for (const { timestamp, dropped } of frames) {
    assertEquals(dropped, timestamp !== next);
    next = timestamp + 1;
  }
  const [slow, ...more] = notices.filter(({ code }) => code === "slow_link");
  assertEquals(more, []);
  assertLess(Math.abs((slow.needed ?? 0) - 2 * HALF), 0.1 * HALF);
  assertLess(Math.abs((slow.achieved ?? 0) - HALF), 0.1 * HALF);
  const told = notices.filter((notice) => notice !== slow);
  assert(told.length > 5 && told.length <= 20, `${told.length} notices`);
  assert(told.every(({ code }) => code === "dropped"));
  assertLess(told.at(-1)!.dropped!, report.dropped + 1);
  assertEquals(messages.some(({ kind }) => kind === "end"), false);
});

pureTest("TimedSender.take() goes on with a keyframe if not all frames are keyframes", async () => {
  const { frames, report } = await play({
    ...{ count: 500, interval: 20, throughput: () => HALF, late: "drop" },
  });
  const behind = frames.filter(({ dropped }) => dropped);
  assertLess(2, behind.length);
  assert(behind.every(({ keyframe }) => keyframe));
  assertEquals(frames.length + report.dropped, 500);
});

pureTest(
  "TimedSender.take() drops nothing that is only decoded, and takes it for no delay",
  async () => {
    // Two seconds of a connection that is fast enough for what is shown.
    const scene = { count: 150, hidden: 50, interval: 200, throughput: () => 1.1 * RATE * SIZE };
    for (const late of ["drop", "wait"] as const) {
      const { report, frames, notices } = await play({ ...scene, late });
      assertEquals([report.dropped, frames.length, notices], [0, 150, []]);
    }
  },
);

pureTest("TimedSender.take() marks a discontinuity though its frame is dropped", async () => {
  const scene: Scene = { count: 100, throughput: () => HALF, late: "drop" };
  const sent = (await play(scene)).frames.map(({ timestamp }) => timestamp);
  const breakAt = sent.findIndex((timestamp, at) => timestamp !== at);
  const { frames } = await play({ ...scene, breakAt });
  const broken = frames.filter(({ discontinuity }) => discontinuity);
  assertEquals(broken.map(({ timestamp, dropped }) => [timestamp, dropped]), [
    [sent[breakAt], true],
  ]);
});

pureTest("TimedSender.take() keeps audio if dropping video is enough", async () => {
  const { frames, report } = await play({
    ...{ count: 500, audio: true, throughput: () => 3 * HALF, late: "drop" },
  });
  assertEquals(report.audioFrames, 500);
  assert(frames.every(({ streamId, dropped }) => streamId === 0 || !dropped));
  assertLess(20, report.dropped);
});

pureTest(
  "TimedSender.take() drops frames after the connection stood still for a while",
  async () => {
    const throughput = (time: number) => time > 1 && time < 1.1 ? SIZE / 3 : 100 * HALF;
    const { frames, report } = await play({ count: 200, throughput, late: "drop" });
    assertEquals(frames.filter(({ dropped }) => dropped).length, 1);
    assertLess(Math.abs(report.dropped - 3 * RATE), 5);
  },
);

pureTest("TimedSender.take() gives no reason for a short delay", async () => {
  const throughput = (time: number) => time > 1 && time < 1.1 ? SIZE / 0.8 : 100 * HALF;
  const { notices, report } = await play({ count: 200, throughput, late: "drop" });
  assertLess(10, report.dropped);
  assertEquals(notices.map(({ code }) => code), ["dropped"]);
});

pureTest("TimedSender.take() postpones frames if the source is slow", async () => {
  for (const late of ["wait", "drop"] as const) {
    for (const interval of [1, 50]) {
      const { frames, notices, report } = await play({ count: 300, interval, coming: 0.06, late });
      assertEquals([frames.length, report.dropped], [300, 0]);
      assertEquals(notices.map(({ code }) => code), ["slow_source"]);
    }
  }
});

pureTest("TimedSender.take() finds nothing late at speed 0, nor after a pause", async () => {
  const fast = await play({ count: 100, throughput: () => HALF / 10, late: "drop", speed: 0 });
  assertEquals([fast.frames.length, fast.notices], [100, []]);
  const paused = await play({ count: 100, throughput: () => 3 * HALF, late: "drop", pause: 3600 });
  assertEquals([paused.frames.length, paused.notices], [100, []]);
  assertLess(3600, paused.seconds);
});

pureTest("TimedSender.take() counts the frames of all viewers on one clock", async () => {
  const moments: number[] = [];
  class Heard extends FrameRate {
    override add(now: number): void {
      moments.push(now);
    }
  }
  await sendAt([[0, 0], [0, 40]], { rate: new Heard(), pause: 10_000 });
  assertEquals(moments[1] - moments[0], 10.04);
});

pureTest("TimedSender.take() does not count a pause as time that frames take", async () => {
  const { notices } = await play({ count: 190, coming: 0.06, pause: 3600, isComing: true });
  assertEquals(notices.map(({ code }) => code), ["slow_source"]);
  assertMatch(notices[0].message, / at 6\d % of /);
});

type Moment = readonly [streamId: number, milliseconds: number];

/** Sends frames that are due at moments, and gives the milliseconds at which each is written. */
async function sendAt(
  moments: readonly Moment[],
  { speed, pause, ...options }: Partial<Pick<TimedSenderOptions, "streams" | "rate">> & {
    speed?: number;
    /** Milliseconds of a pause before the last of them. */
    pause?: number;
  } = {},
): Promise<{ events: [milliseconds: number, streamId: number | "flush"][]; report: EndReport }> {
  const clock = new HandClock({ skips: true });
  const controls = new Controls({ command: "get_video", speed }, { clock });
  controls.begin({ seekable: true });
  const events: [milliseconds: number, streamId: number | "flush"][] = [];
  const response: ResponseWriter = {
    describe: () => Promise.resolve(),
    write(frame) {
      events.push([clock.time, frame.streamId]);
      return frame.data.byteLength;
    },
    writeShared: () => Promise.reject(new Error("not live")),
    flush: () => events.push([clock.time, "flush"]),
    end: () => Promise.resolve(),
  };
  const own = { response, controls, drop: false, clock };
  const sender = new TimedSender({ streams: STREAMS, rate: new FrameRate(), ...options, ...own });
  for (const [at, [streamId, milliseconds]] of moments.entries()) {
    if (pause !== undefined && at === moments.length - 1) {
      controls.pacer.pause();
      clock.time += pause;
      controls.pacer.resume();
    }
    const data = new Uint8Array(FRAME_HEADROOM + 3).subarray(FRAME_HEADROOM);
    const frame = { streamId, timestamp: 0, keyframe: true, due: milliseconds / 1000, data };
    await sender.take({ kind: "frame", frame, beginning: 0, isShown: true });
  }
  return { events, report: sender.report() };
}

const [VIDEO, AUDIO] = [0, 1];

pureTest(
  "TimedSender.take() sends sound with the picture before, and then lets both go",
  async () => {
    const { events, report } = await sendAt([
      ...[[VIDEO, 0], [AUDIO, 0], [AUDIO, 20], [VIDEO, 40], [AUDIO, 41], [VIDEO, 80]] as const,
      [AUDIO, 126],
    ]);
    assertEquals(events, [
      ...[[0, VIDEO], [0, AUDIO], [0, AUDIO], [0, "flush"]],
      ...[[40, VIDEO], [40, AUDIO], [40, "flush"]],
      ...[[80, VIDEO], [80, "flush"], [126, AUDIO]],
    ]);
    assertEquals([report.frames, report.audioFrames], [3, 4]);
  },
);

pureTest(
  "TimedSender.take() sends compressed pictures by four while many frames are sent",
  async () => {
    const moments = [0, 40, 80, 120, 160].map((due): Moment => [VIDEO, due]);
    const timesOf = async (streams: StreamDescription[], framesPerSecond: number, speed = 1) => {
      const rate = new FrameRate();
      for (let at = 0; at <= framesPerSecond; at++) rate.add(at / framesPerSecond - 1);
      const { events } = await sendAt(moments, { streams, rate, speed });
      return events.filter(([_, what]) => what !== "flush").map(([milliseconds]) => milliseconds);
    };
    const video = (codec: string): StreamDescription[] => [{ ...STREAMS[0], codec }];
    const single = moments.map(([_, due]) => due);
    assertEquals(await timesOf(video("h264"), 6000), [0, 0, 0, 0, 160]);
    assertEquals(await timesOf(video("h264"), 4000), single);
    // These may be shown as they arrive.
    assertEquals(await timesOf(video("rawvideo"), 6000), single);
    assertEquals(await timesOf(video("mjpeg"), 6000), single);
    // Sound goes as early; without a crowd, with what is due 45 ms later.
    const sound = [{ ...STREAMS[1], id: VIDEO }];
    assertEquals(await timesOf(sound, 6000), [0, 0, 0, 0, 160]);
    assertEquals(await timesOf(sound, 4000), [0, 0, 80, 80, 160]);
    // At twice the speed, 62.5 ms are as much of the media.
    assertEquals(await timesOf(video("h264"), 6000, 2), [0, 0, 0, 0, 80]);
  },
);

pureTest("TimedSender.take() takes a download, which has no times, for no crowd", async () => {
  const rate = new FrameRate();
  const moments = Array.from({ length: 6000 }, (_, at): Moment => [VIDEO, at]);
  await sendAt(moments, { rate, speed: 0 });
  rate.add(1e9);
  rate.add(1e9 + 1);
  assertEquals(rate.perSecond, 1);
});
