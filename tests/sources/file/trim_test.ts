import { assertEquals } from "@std/assert";
import type { AudioStream, Frame, VideoStream } from "../../../lib/media/frame.ts";
import { trimEnd } from "../../../lib/sources/file/track.ts";

const PICTURES: VideoStream = {
  ...{ id: 0, type: "video", codec: "rawvideo", fourcc: "I420", timeBase: [1, 1000] },
  ...{ extradata: new Uint8Array(0), width: 4, height: 2 },
};
const SOUND: AudioStream = {
  ...{ id: 1, type: "audio", codec: "pcm_s16le", fourcc: "PSD\x10", timeBase: [1, 48_000] },
  ...{ extradata: new Uint8Array(0), sampleRate: 48_000, channels: 2 },
};

function frame(streamId: number, timestamp: number, size = 12): Frame {
  return { streamId, timestamp, keyframe: true, data: new Uint8Array(size) };
}

Deno.test("trimEnd() keeps video frames that begin before the end, and no others", () => {
  const kept = [0, 99, 100, 101].map((at) => trimEnd(0.1, frame(0, at), PICTURES)?.timestamp);
  assertEquals(kept, [0, 99, undefined, undefined]);
  // A third of a second is no whole number of microseconds, nor of bits.
  const thirds: VideoStream = { ...PICTURES, timeBase: [1, 3] };
  assertEquals(trimEnd(0.333333, frame(0, 1), thirds), undefined);
});

Deno.test("trimEnd() cuts PCM to the sample", () => {
  const size = (end: number) => trimEnd(end, frame(1, 4800, 100 * 4), SOUND)?.data.byteLength;
  assertEquals(size(0.2), 400);
  assertEquals(size(0.1 + 40 / 48_000), 160);
  assertEquals(size(0.1 + 40.5 / 48_000), 164);
  assertEquals(size(0.1), undefined);
});

Deno.test("trimEnd() keeps whole packets of compressed audio that begin before the end", () => {
  const stream: AudioStream = { ...SOUND, codec: "aac" };
  assertEquals(trimEnd(0.101, frame(1, 4800), stream)?.data.byteLength, 12);
  assertEquals(trimEnd(0.1, frame(1, 4800), stream), undefined);
});
