import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import type { AudioStream, VideoStream } from "../../../lib/media/frame.ts";
import type { TimedFrame } from "../../../lib/media/source.ts";
import type { ResumePoint } from "../../../lib/protocol/native/request.ts";
import { Resume } from "../../../lib/server/playback/resume.ts";
import { pureTest } from "../../support/pure_test.ts";

const SHARED = { fourcc: "\0\0\0\0", extradata: new Uint8Array(0) };

const VIDEO: VideoStream = {
  ...{ ...SHARED, id: 0, type: "video", codec: "h264", timeBase: [1, 10] },
  ...{ width: 2, height: 2 },
};

const AUDIO: AudioStream = {
  ...{ ...SHARED, id: 1, type: "audio", codec: "pcm_s16le", timeBase: [1, 100] },
  ...{ sampleRate: 100, channels: 2 },
};

/** A frame; `size` bytes that count up. */
function frame(streamId: number, timestamp: number, size = 4): TimedFrame {
  const data = Uint8Array.from({ length: size }, (_, at) => at);
  return { streamId, timestamp, keyframe: true, due: timestamp / 10, data };
}

/** The timestamps of the frames that are passed on. */
function passed(resume: Resume, frames: readonly TimedFrame[]) {
  return frames.flatMap((frame) => resume.take(frame)?.timestamp ?? []);
}

/** Timestamps in an order of decoding. */
const DECODED = [0, 3, 1, 2, 6, 4, 5].map((timestamp) => frame(0, timestamp));

pureTest("take() drops all up to the last frame of the client, in the order of sending", () => {
  const rests: [number, number[]][] = [[0, [3, 1, 2, 6, 4, 5]], [1, [2, 6, 4, 5]], [5, []]];
  for (const [after, rest] of rests) {
    const resume = new Resume([{ id: 0, after }], [VIDEO, AUDIO]);
    assertStrictEquals(resume.isOver, false);
    assertEquals(passed(resume, DECODED), rest);
    assertStrictEquals(resume.isOver, true);
  }
});

pureTest("take() passes on streams without a point", () => {
  const resume = new Resume([{ id: 0, after: 1 }], [VIDEO, AUDIO]);
  assertEquals(passed(resume, [frame(1, 0), frame(0, 0), frame(1, 2), frame(0, 1)]), [0, 2]);
});

pureTest("take() cuts samples off to the tick", () => {
  const runs = () => [frame(1, 0, 40), frame(1, 10, 40), frame(1, 25, 40)];
  const cuts: [next: number, timestamp: number | undefined, first: number][] = [
    ...[[-5, 0, 0], [0, 0, 0], [1, 1, 4], [9, 9, 36], [10, 10, 0], [13, 13, 12]] as const,
    // A gap is behind the samples before it.
    ...[[20, 25, 0], [22, 25, 0], [26, 26, 4]] as const,
  ].map(([next, timestamp, first]) => [next, timestamp, first]);
  for (const [next, timestamp, first] of cuts) {
    const resume = new Resume([{ id: 1, next }], [AUDIO]);
    const rest = runs().map((run) => resume.take(run)).find((part) => part !== undefined);
    assertEquals([rest?.timestamp, rest?.data[0]], [timestamp, first], `next ${next}`);
  }
  const behind = new Resume([{ id: 1, next: 35 }], [AUDIO]);
  assertEquals([passed(behind, runs()), behind.isOver], [[], true]);
  const further = new Resume([{ id: 1, next: 36 }], [AUDIO]);
  assertEquals([passed(further, runs()), further.isOver], [[], false]);
});

pureTest("take() goes by the timestamp of a packet if its samples are no ticks", () => {
  const coarse: AudioStream = { ...AUDIO, timeBase: [1, 10] };
  const runs = [frame(1, 0), frame(1, 5), frame(1, 10)];
  assertEquals(passed(new Resume([{ id: 1, after: 5 }], [coarse]), runs), [10]);
  assertEquals(passed(new Resume([{ id: 1, after: 0, next: 5 }], [coarse]), runs), [5, 10]);
  // Its end is known to the nearest tick.
  assertEquals(passed(new Resume([{ id: 1, next: 6 }], [coarse]), runs), [5, 10]);
});

pureTest("take() tells rounds apart by their discontinuities", () => {
  const round = (from: number) =>
    [2, 3, 4].map((timestamp, at) => ({
      ...frame(0, timestamp + from),
      discontinuity: from > 0 && at === 0,
    }));
  const frames = [...round(0), ...round(1), ...round(2)];
  const rest = (point: Partial<ResumePoint>) =>
    passed(new Resume([{ id: 0, ...point }], [VIDEO]), frames);
  assertEquals(rest({ after: 4 }), [3, 4, 5, 4, 5, 6]);
  assertEquals(rest({ after: 4, breaks: 1 }), [5, 4, 5, 6]);
  assertEquals(rest({ after: 4, breaks: 2 }), [5, 6]);
  const skipping = new Resume([{ id: 0, after: 4, breaks: 7 }], [VIDEO]);
  skipping.skip(5, [0]);
  assertEquals(passed(skipping, frames), [5, 6]);
});

pureTest("again() goes on behind the frames that were passed on", () => {
  const points = [{ id: 0, after: 3 }, { id: 1, next: 8 }];
  const resume = new Resume(points, [VIDEO, AUDIO]);
  assertEquals(passed(resume, [frame(1, 0, 40), frame(1, 10, 40)]), [8, 10]);
  const again = resume.again();
  const both = [frame(1, 0, 40), ...DECODED, frame(1, 10, 40), frame(1, 20, 40)];
  assertEquals(passed(again, both), [1, 2, 6, 4, 5, 20]);
});

pureTest("isMissed() says that a point should have come", () => {
  const resume = new Resume([{ id: 0, after: 7 }], [VIDEO]);
  assertEquals([0, 0.7, 0.71].map((due) => resume.isMissed(due)), [false, false, true]);
  resume.take(frame(0, 7));
  assertStrictEquals(resume.isMissed(Infinity), false);
});

pureTest("Resume refuses points that do not match the streams", () => {
  const wrong: [ResumePoint, string][] = [
    [{ id: 2, after: 1 }, "there is no stream 2, expected one of 0 and 1"],
    [{ id: 0, next: 1 }, "stream 0 has pictures, expected after, the last one's timestamp"],
    [{ id: 0, after: 1e10 + 1 }, "expected at most 1000000000 s"],
    [{ id: 1, next: -1e12 }, "expected at most 1000000000 s"],
  ];
  for (const [point, reason] of wrong) {
    const error = assertThrows(() => new Resume([point], [VIDEO, AUDIO]), RequestError);
    assertEquals([error.code, error.message.endsWith(reason)], ["bad_request", true]);
  }
});
