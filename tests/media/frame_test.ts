import {
  assert,
  assertEquals,
  assertFalse,
  assertGreaterOrEqual,
  assertStrictEquals,
} from "@std/assert";
import {
  type AudioStream,
  type Frame,
  FRAME_HEADROOM,
  FRAME_TAILROOM,
  keepFrame,
  MAX_FRAME_SIZE,
  pcmSampleSize,
  pcmSeconds,
  pcmTicks,
  sameFormats,
  sameStreams,
  type StreamDescription,
  toSeconds,
  type VideoStream,
} from "../../lib/media/frame.ts";
import { HEADER_LENGTH, MAX_LENGTH } from "../../lib/protocol/native/framing.ts";
import { SCRIPT_MAX_LENGTH } from "../../lib/protocol/script/lengths.ts";
import { pureTest } from "../support/pure_test.ts";

const VIDEO: VideoStream = {
  ...{ id: 0, type: "video", codec: "h264", fourcc: "H264", timeBase: [1, 90_000] },
  ...{ extradata: Uint8Array.of(1, 2), width: 16, height: 16, frameRate: [25, 1] },
};

/** Stereo at 48 kHz, in ticks of samples. */
function audioOf(codec: string): AudioStream {
  return {
    ...{ id: 1, type: "audio", codec, fourcc: "PSD\x10", timeBase: [1, 48_000] },
    ...{ extradata: new Uint8Array(0), sampleRate: 48_000, channels: 2 },
  };
}

/** A frame of 64 kB of sevens, in memory with room around it. */
function frameWith(room: number, options: Partial<Frame> = {}): Frame {
  const data = new Uint8Array(65_536 + 2 * room).subarray(room, room + 65_536).fill(7);
  return { streamId: 0, timestamp: 3, keyframe: true, data, ...options };
}

pureTest("keepFrame() takes over memory that the frame fills", () => {
  const frame = frameWith(FRAME_HEADROOM);
  const { buffer } = frame.data;
  const kept = keepFrame(frame);
  assert(buffer.detached);
  assertEquals(kept, frameWith(0, { borrowed: true }));
  assertStrictEquals(kept.data.byteOffset, FRAME_HEADROOM);
});

pureTest("keepFrame() copies a frame of others, and one in much larger memory", () => {
  for (const frame of [frameWith(0, { borrowed: true }), frameWith(2000)]) {
    const kept = keepFrame(frame);
    assertEquals(kept, frameWith(0, { borrowed: true }));
    assertStrictEquals(kept.data.buffer.byteLength, 65_536);
    frame.data.fill(1);
    assertStrictEquals(kept.data[0], 7);
  }
});

pureTest("toSeconds() counts ticks of the time base", () => {
  assertStrictEquals(toSeconds(90_000, [1, 90_000]), 1);
  assertStrictEquals(toSeconds(-45_000, [1, 90_000]), -0.5);
  assertStrictEquals(toSeconds(30_000, [1001, 30_000]), 1001);
  assertStrictEquals(toSeconds(0, [1, 25]), 0);
});

pureTest("toSeconds() stays exact to the microsecond after a year", () => {
  const year = 365 * 24 * 3600;
  const ticks = year * 1_000_000 + 1;
  assertStrictEquals(Math.round((toSeconds(ticks, [1, 1_000_000]) - year) * 1e6), 1);
});

pureTest("FRAME_HEADROOM holds the native header", () => {
  assertGreaterOrEqual(FRAME_HEADROOM, HEADER_LENGTH);
});

pureTest("MAX_FRAME_SIZE leaves room for the rest of a message in both protocols", () => {
  const needed = MAX_FRAME_SIZE + FRAME_HEADROOM + FRAME_TAILROOM;
  assertGreaterOrEqual(Math.min(MAX_LENGTH, SCRIPT_MAX_LENGTH), needed);
});

pureTest("pcmSampleSize() knows PCM by its name", () => {
  const codecs = ["pcm_s16le", "pcm_s32le", "pcm_u8", "aac", "pcm_alaw"];
  const sizes = codecs.map((codec) => pcmSampleSize(audioOf(codec)));
  assertEquals(sizes, [4, 8, 2, undefined, undefined]);
  assertStrictEquals(pcmSampleSize(VIDEO), undefined);
});

pureTest("pcmSeconds() and pcmTicks() measure bytes of PCM", () => {
  const stream = audioOf("pcm_s16le");
  assertStrictEquals(pcmSeconds(48_000 * 4, stream), 1);
  assertStrictEquals(pcmTicks(48_000 * 4 + 3, stream), 48_000);
  assertStrictEquals(pcmTicks(48_000 * 4, { ...stream, timeBase: [1, 1000] }), 1000);
  for (const other of [VIDEO, audioOf("aac")]) {
    assertEquals([pcmSeconds(4, other), pcmTicks(4, other)], [undefined, undefined]);
  }
});

pureTest("sameStreams() compares every field, in whatever order they stand", () => {
  const { id, ...others } = VIDEO;
  const reordered: StreamDescription = { ...others, rotation: undefined, id };
  assert(sameStreams([VIDEO, audioOf("aac")], [reordered, audioOf("aac")]));
  for (const change of [{ timeBase: [1, 25] }, { rotation: 90 }, { extradata: Uint8Array.of(1) }]) {
    assertFalse(sameStreams([VIDEO], [{ ...VIDEO, ...change } as VideoStream]));
    assertFalse(sameStreams([{ ...VIDEO, ...change } as VideoStream], [VIDEO]));
  }
  assertFalse(sameStreams([VIDEO], []));
});

pureTest("sameFormats() looks at what a decoder has to know, and not at the time base", () => {
  assert(sameFormats([VIDEO], [{ ...VIDEO, timeBase: [1, 25], decodeDelay: 2 }]));
  for (const change of [{ width: 18 }, { codec: "hevc" }, { extradata: Uint8Array.of(1, 3) }]) {
    assertFalse(sameFormats([VIDEO], [{ ...VIDEO, ...change } as VideoStream]));
  }
  assertFalse(sameFormats([VIDEO], []));
  assertFalse(sameFormats([audioOf("aac")], [{ ...audioOf("aac"), channels: 1 }]));
});
