import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import type { Rational } from "../../lib/media/frame.ts";
import { NutMuxer, type NutMuxStream } from "../../lib/nut/muxer.ts";
import { concat, seeded } from "../support/media/bytes.ts";
import { demuxAll, describe, muxAll, type ReadFrame } from "../support/media/nut_files.ts";
import { pureTest } from "../support/pure_test.ts";

const VIDEO = {
  id: 9,
  type: "video",
  codec: "rawvideo",
  fourcc: "BGR\x18",
  timeBase: [1001, 30000],
  extradata: new Uint8Array([1, 2, 3]),
  width: 1920,
  height: 1080,
  sampleAspectRatio: [4, 3],
  decodeDelay: 2,
} as const satisfies NutMuxStream;

const AUDIO = {
  id: 65535,
  type: "audio",
  codec: "pcm_s16le",
  fourcc: "\x01\x00\x00\x00",
  timeBase: [2, 88200],
  extradata: new Uint8Array(),
  sampleRate: 44100,
  channels: 2,
} as const satisfies NutMuxStream;

function frame(streamId: number, timestamp: number, size: number, keyframe = true) {
  return { streamId, timestamp, keyframe, data: new Uint8Array(size).fill(timestamp) };
}

/** Start codes of syncpoints among some bytes. */
function syncpoints(header: Uint8Array): number {
  return new TextDecoder("latin1").decode(header).split("NK\xe4\xad\xee\xcaEi").length - 1;
}

pureTest("NutMuxer.header() describes the streams in their order", () => {
  const header = new NutMuxer([VIDEO, AUDIO]).header();
  const { demuxer, rest } = demuxAll(header);
  assertEquals(rest, 0);
  assertEquals(demuxer.headersComplete, true);
  const [video, audio] = [demuxer.streams.get(0)!, demuxer.streams.get(1)!];
  assertEquals(describe(video), { ...VIDEO, codec: "unknown", id: 0 });
  const expected = { ...AUDIO, codec: "unknown", id: 1, timeBase: [1, 44100] as const };
  assertEquals(describe(audio), { ...expected, decodeDelay: 0 });
});

pureTest("NutMuxer.header() tells the frame rate where it is known", () => {
  const header = new NutMuxer([{ ...VIDEO, frameRate: [30000, 1001] }]).header();
  assertEquals(demuxAll(header).rest, 0);
  assertStringIncludes(new TextDecoder("latin1").decode(header), "r_frame_rate\x02\x0a30000/1001");
});

pureTest("NutMuxer.header() holds extradata too long for a short packet", () => {
  const extradata = Uint8Array.from({ length: 10000 }, (_, at) => at);
  const { demuxer } = demuxAll(new NutMuxer([{ ...VIDEO, extradata }]).header());
  assertEquals(demuxer.streams.get(0)?.extradata, extradata);
});

pureTest("NutMuxer.frameHeader() keeps every frame's stream, time, flag and size", () => {
  const random = seeded(4);
  const muxer = new NutMuxer([VIDEO, AUDIO]);
  const written = Array.from({ length: 300 }, () => {
    const streamId = random() < 0.5 ? VIDEO.id : AUDIO.id;
    const timestamp = Math.floor(2 ** (random() * 51));
    const size = Math.floor(2 ** (random() * 15)) - 1;
    return frame(streamId, timestamp, size, random() < 0.3);
  });
  const bytes = concat(
    muxer.header(),
    ...written.flatMap((one) => [muxer.frameHeader(one), one.data]),
  );
  const expected: ReadFrame[] = written.map((one) => (
    { ...one, streamId: one.streamId === VIDEO.id ? 0 : 1, endOfRelevance: false }
  ));
  for (const step of [undefined, () => 1 + Math.floor(random() * 3000)]) {
    const read = demuxAll(bytes, step);
    assertEquals(read.frames, expected);
    assertEquals(read.rest, 0);
  }
  assertEquals(demuxAll(muxAll(demuxAll(bytes))).frames, expected);
});

pureTest("NutMuxer.frameHeader() puts syncpoints where the specification wants them", () => {
  const muxer = new NutMuxer([VIDEO, AUDIO]);
  const due = [
    frame(VIDEO.id, 0, 100), // the first frame
    frame(VIDEO.id, 1, 100, false),
    frame(VIDEO.id, 2, 100), // a keyframe after others
    frame(VIDEO.id, 3, 100),
    frame(VIDEO.id, 4, 40000), // 32768 bytes since the last syncpoint
    frame(VIDEO.id, 5, 10),
  ].map((one) => syncpoints(muxer.frameHeader(one)));
  assertEquals(due, [1, 0, 1, 0, 1, 1]);
});

pureTest("NutMuxer.frameHeader() takes a few bytes a frame", () => {
  const muxer = new NutMuxer([VIDEO, AUDIO]);
  muxer.frameHeader(frame(VIDEO.id, 2 ** 51, 2 ** 25));
  const most = muxer.frameHeader(frame(VIDEO.id, 2 ** 51, 2 ** 25)).length;
  assert(most <= 64, `${most} bytes`);
});

pureTest("NutMuxer.frameHeader() refuses what NUT cannot hold", () => {
  const muxer = new NutMuxer([VIDEO, AUDIO]);
  for (const timestamp of [-1, 0.5, NaN, Infinity, Number.MAX_SAFE_INTEGER]) {
    assertThrows(() => muxer.frameHeader(frame(9, timestamp, 1)), RangeError, `${timestamp}`);
  }
  assertThrows(() => muxer.frameHeader(frame(0, 1, 1)), RangeError, "expected 9, 65535");
});

pureTest("new NutMuxer() refuses streams that NUT cannot describe", () => {
  const refused = (streams: readonly NutMuxStream[], text: string) =>
    assertThrows(() => new NutMuxer(streams), RangeError, text);
  refused([], "none");
  refused([VIDEO, { ...AUDIO, id: VIDEO.id }], "it occurs twice");
  refused([{ ...VIDEO, width: 0 }], '"width": 0');
  refused([{ ...AUDIO, sampleRate: 44100.5 }], '"sample rate": 44100.5');
  refused([{ ...AUDIO, fourcc: "abc" }], '"fourcc"');
  refused([{ ...AUDIO, fourcc: "ab\u2026c" }], '"fourcc"');
  for (const timeBase of [[0, 1], [1, 0], [1, 2 ** 31], [1.5, 1]] satisfies Rational[]) {
    refused([{ ...VIDEO, timeBase }], '"time base"');
  }
});
