import { assert, assertEquals, assertLess } from "@std/assert";
import { ByteReader, fromSocket } from "../../../lib/base/byte_reader.ts";
import { ByteWriter } from "../../../lib/base/byte_writer.ts";
import type { Clock } from "../../../lib/base/clock.ts";
import { FRAME_HEADROOM, type StreamDescription } from "../../../lib/media/frame.ts";
import {
  Connection,
  type FrameMessage,
  type Message,
} from "../../../lib/protocol/native/connection.ts";
import { type EndReport, type Notice, parseNotice } from "../../../lib/protocol/native/response.ts";
import { Controls } from "../../../lib/server/playback/controls.ts";
import { Delivery } from "../../../lib/server/playback/sender.ts";
import { socketOf } from "../../support/media/bytes.ts";
import { pureTest } from "../../support/pure_test.ts";

/** Bytes of a frame, and frames a second. */
const SIZE = 100_000;
const RATE = 25;

const SHARED = { timeBase: [1, RATE], fourcc: "    ", extradata: new Uint8Array(0) } as const;
const STREAMS: StreamDescription[] = [
  { ...SHARED, id: 0, type: "video", codec: "rawvideo", width: 2, height: 2 },
  { ...SHARED, id: 1, type: "audio", codec: "pcm_s16le", sampleRate: 25, channels: 1 },
];

/** What becomes of frames over a link. */
interface Scene {
  /** Frames of the stream of pictures. */
  count: number;
  /** Every how many of them is a keyframe. */
  interval?: number;
  /** Bytes a second that the link takes, told the moment in seconds. */
  link?: (time: number) => number;
  /** Seconds that the source takes for a frame. */
  coming?: number;
  /** Whether a run of samples stands beside each picture. */
  sound?: boolean;
  late?: "wait" | "drop";
  speed?: number;
  /** Seconds of a pause in the middle. */
  pause?: number;
  /** The picture that does not follow upon the one before. */
  breakAt?: number;
  /** What the player has to tell at first. */
  news?: Notice;
}

interface Outcome {
  messages: Message[];
  frames: FrameMessage[];
  notices: Notice[];
  report: EndReport;
  /** Seconds that it all took. */
  seconds: number;
}

/** Plays a scene in a time that passes only by waiting, writing, and for what the source takes. */
async function play(scene: Scene): Promise<Outcome> {
  const { count, interval = 1, link = () => Infinity, coming = 0, speed = 1 } = scene;
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
    time += 1000 * bytes.byteLength / link(time / 1000);
    return Promise.resolve(bytes.byteLength);
  };
  const writer = new ByteWriter({ write }, { stallTimeout: 10_000, onStall() {} });
  const controls = new Controls({ command: "get_video", speed }, { clock });
  controls.begin({ seekable: true });
  const delivery = new Delivery({
    connection: new Connection(new ByteReader(fromSocket(socketOf(new Uint8Array(0)))), writer),
    ...{ controls, streams: STREAMS, drop: scene.late === "drop", speed, clock },
  });
  if (scene.news !== undefined) await delivery.take({ kind: "notice", notice: scene.news });
  for (let at = 0; at < count; at++) {
    time += coming * 1000;
    if (at === count / 2 && scene.pause !== undefined) {
      controls.pacer.pause();
      queueMicrotask(() => {
        time += scene.pause! * 1000;
        controls.pacer.resume();
      });
    }
    for (const streamId of scene.sound ? [0, 1] : [0]) {
      const data = new Uint8Array(FRAME_HEADROOM + SIZE).subarray(FRAME_HEADROOM);
      const keyframe = streamId === 1 || at % interval === 0;
      const discontinuity = streamId === 0 && at === scene.breakAt;
      const frame = { streamId, timestamp: at, keyframe, due: at / RATE, data, discontinuity };
      await delivery.take({ kind: "frame", frame, beginning: 0, isShown: true });
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
    report: delivery.report,
    seconds: time / 1000,
  };
}

/** Half of what the frames need. */
const HALF = SIZE * RATE / 2;

pureTest(
  "Delivery.take() sends every frame in its own time over a link that takes them",
  async () => {
    for (const late of ["wait", "drop"] as const) {
      const { frames, notices, report, seconds } = await play({
        count: 100,
        link: () => 4 * HALF,
        late,
      });
      assertEquals([frames.length, notices, report.dropped], [100, [], 0]);
      const nothing = { id: 1, frames: 0, bytes: 0 };
      assertEquals(report.streams, [{ id: 0, frames: 100, bytes: 100 * SIZE }, nothing]);
      assertLess(Math.abs(seconds - 99.5 / RATE), 0.03);
    }
  },
);

pureTest("Delivery.take() passes on what the player has to tell", async () => {
  const news = { code: "resuming", message: "Going on where it broke off" };
  const { messages, notices } = await play({ count: 1, news });
  assertEquals(messages.map(({ kind }) => kind), ["notice", "frame"]);
  assertEquals([notices[0].code, notices[0].message], [news.code, news.message]);
});

pureTest(
  "Delivery.take() sends every frame over a slow link, and says once that it is slow",
  async () => {
    const { frames, notices, report, seconds } = await play({ count: 200, link: () => HALF });
    assertEquals([frames.length, report.frames, report.dropped], [200, 200, 0]);
    assertEquals(notices.map(({ code }) => code), ["slow_link"]);
    const { needed = 0, achieved = 0 } = notices[0];
    assertLess(Math.abs(needed - 2 * HALF), 0.05 * HALF);
    assertLess(Math.abs(achieved - HALF), 0.05 * HALF);
    assertLess(15, seconds);
  },
);

pureTest("Delivery.take() leaves frames out over a slow link and keeps the time", async () => {
  const { messages, frames, notices, report, seconds } = await play({
    ...{ count: 500, link: () => HALF, late: "drop" },
  });
  assertLess(Math.abs(seconds - 20), 0.6);
  // About as many as the link takes.
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

pureTest(
  "Delivery.take() goes on with a keyframe where pictures build upon each other",
  async () => {
    const { frames, report } = await play({
      ...{ count: 500, interval: 20, link: () => HALF, late: "drop" },
    });
    const behind = frames.filter(({ dropped }) => dropped);
    assertLess(2, behind.length);
    assert(behind.every(({ keyframe }) => keyframe));
    assertEquals(frames.length + report.dropped, 500);
  },
);

pureTest("Delivery.take() tells of a break though the frame that says so is left out", async () => {
  const scene: Scene = { count: 100, link: () => HALF, late: "drop" };
  const sent = (await play(scene)).frames.map(({ timestamp }) => timestamp);
  const breakAt = sent.findIndex((timestamp, at) => timestamp !== at);
  const { frames } = await play({ ...scene, breakAt });
  const broken = frames.filter(({ discontinuity }) => discontinuity);
  assertEquals(broken.map(({ timestamp, dropped }) => [timestamp, dropped]), [
    [sent[breakAt], true],
  ]);
});

pureTest("Delivery.take() keeps sound where leaving pictures out is enough", async () => {
  const { frames, report } = await play({
    ...{ count: 500, sound: true, link: () => 3 * HALF, late: "drop" },
  });
  assertEquals(report.audioFrames, 500);
  assert(frames.every(({ streamId, dropped }) => streamId === 0 || !dropped));
  assertLess(20, report.dropped);
});

pureTest("Delivery.take() leaves frames out after the link stood still for a while", async () => {
  const link = (time: number) => time > 1 && time < 1.1 ? SIZE / 3 : 100 * HALF;
  const { frames, report } = await play({ count: 200, link, late: "drop" });
  assertEquals(frames.filter(({ dropped }) => dropped).length, 1);
  assertLess(Math.abs(report.dropped - 3 * RATE), 5);
});

pureTest("Delivery.take() blames nobody for what did not last", async () => {
  const link = (time: number) => time > 1 && time < 1.1 ? SIZE / 0.8 : 100 * HALF;
  const { notices, report } = await play({ count: 200, link, late: "drop" });
  assertLess(10, report.dropped);
  assertEquals(notices.map(({ code }) => code), ["dropped"]);
});

pureTest("Delivery.take() lets time wait where it is the source that is slow", async () => {
  for (const late of ["wait", "drop"] as const) {
    for (const interval of [1, 50]) {
      const { frames, notices, report } = await play({ count: 300, interval, coming: 0.06, late });
      assertEquals([frames.length, report.dropped], [300, 0]);
      assertEquals(notices.map(({ code }) => code), ["slow_source"]);
    }
  }
});

pureTest("Delivery.take() finds nothing late at speed 0, nor after a pause", async () => {
  const fast = await play({ count: 100, link: () => HALF / 10, late: "drop", speed: 0 });
  assertEquals([fast.frames.length, fast.notices], [100, []]);
  const paused = await play({ count: 100, link: () => 3 * HALF, late: "drop", pause: 3600 });
  assertEquals([paused.frames.length, paused.notices], [100, []]);
  assertLess(3600, paused.seconds);
});
