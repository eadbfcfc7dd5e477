import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertRejects,
} from "@std/assert";
import { FormatError, RequestError } from "../../../lib/base/errors.ts";
import type { FrameSource } from "../../../lib/media/source.ts";
import { FRAME_HEADROOM, FRAME_TAILROOM, toSeconds } from "../../../lib/media/frame.ts";
import { type DecoderOptions, openDecoder } from "../../../lib/sources/file/decoder.ts";
import { Library } from "../../../lib/sources/file/library.ts";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";

const media = mediaFolder();
const TALKIE = [...pictures({ size: "320x240", seconds: 2 }), ...tone({ seconds: 2 })];
TALKIE.push("-c:v", "mjpeg", "-c:a", "pcm_s16le");
const LATE_SOUND = [...pictures({ seconds: 3 }), "-itsoffset", "1", ...tone({ seconds: 3 })];
LATE_SOUND.push("-c:v", "mpeg4", "-c:a", "pcm_s16le");

async function open(name: string, options: Partial<DecoderOptions> = {}): Promise<FrameSource> {
  const file = await new Library(media.path).find(name);
  const { signal } = new AbortController();
  return await openDecoder(file, { maxFrameSize: 1 << 24, signal, ...options });
}

Deno.test("openDecoder() describes video before audio", async () => {
  await media.make("talkie.mkv", TALKIE);
  await using decoder = await open("talkie.mkv");
  assertEquals(decoder.streams.map(({ id, type }) => [id, type]), [[0, "video"], [1, "audio"]]);
  assertEquals(decoder.warning, undefined);
});

Deno.test("Decoder.frames() leaves room around every frame for a wire", async () => {
  await media.make("talkie.mkv", TALKIE);
  await using decoder = await open("talkie.mkv");
  let count = 0;
  for await (const { data } of decoder.frames()) {
    count++;
    assert(data.byteOffset >= FRAME_HEADROOM);
    const behind = data.buffer.byteLength - data.byteOffset - data.byteLength;
    assert(behind >= FRAME_TAILROOM, `${behind} bytes behind`);
  }
  assertGreater(count, 100);
});

Deno.test("Decoder.frames() reuses a few buffers for all video frames", async () => {
  await media.make("talkie.mkv", TALKIE);
  await using decoder = await open("talkie.mkv", { audio: false });
  const buffers = new Set<number>();
  let sum = 0;
  for await (const { data } of decoder.frames()) {
    sum++;
    // Memory moves between views and pipes; marks in the free room in front stay with it.
    const mark = new DataView(data.buffer);
    if (mark.getUint32(0) === 0) mark.setUint32(0, sum);
    buffers.add(mark.getUint32(0));
  }
  assertEquals(sum, 50);
  assert(buffers.size <= 6, `${buffers.size} buffers`);
});

Deno.test("Decoder is gone when disposed in the middle, twice too", async () => {
  await media.make("talkie.mkv", TALKIE);
  const decoder = await open("talkie.mkv");
  const frames = decoder.frames();
  await frames.next();
  await decoder[Symbol.asyncDispose]();
  await decoder[Symbol.asyncDispose]();
});

Deno.test("Decoder is gone when disposed before its first frame is taken", async () => {
  await media.make("talkie.mkv", TALKIE);
  const decoder = await open("talkie.mkv");
  await decoder[Symbol.asyncDispose]();
});

Deno.test("Decoder.frames() ends with the signal's reason", async () => {
  await media.make("talkie.mkv", TALKIE);
  const abort = new AbortController();
  await using decoder = await open("talkie.mkv", { signal: abort.signal });
  const reading = async () => {
    for await (const { streamId } of decoder.frames()) {
      if (streamId === 0) abort.abort(new TypeError("enough"));
    }
  };
  await assertRejects(reading, TypeError, "enough");
});

Deno.test("openDecoder() refuses frames over the limit and leaves nothing behind", async () => {
  await media.make("talkie.mkv", TALKIE);
  await assertRejects(() => open("talkie.mkv", { maxFrameSize: 1000 }).then(all), FormatError);
});

Deno.test("openDecoder() says media_error for a file that cannot be decoded", async () => {
  const path = await media.make("wiped.mp4", [...pictures(), "-c:v", "libx264"]);
  const bytes = await Deno.readFile(path);
  const library = new Library(media.path);
  const file = await library.find("wiped.mp4");
  // The index, at the end, stays; all frames go, after the file was probed.
  const index = new TextDecoder("latin1").decode(bytes).indexOf("moov");
  await Deno.writeFile(path, bytes.fill(0, 64, index - 4));
  const { signal } = new AbortController();
  const opening = () => openDecoder(file, { maxFrameSize: 1 << 24, signal });
  const error = await assertRejects(opening, RequestError, `Cannot decode "wiped.mp4": ffmpeg`);
  assertEquals(error.code, "media_error");
  assert(error.message.length < 200 && !error.message.includes("\n"), error.message);
  await Deno.remove(path);
  const gone = await assertRejects(opening, RequestError, `Cannot decode "wiped.mp4"`);
  assertEquals(gone.code, "media_error");
  assert(!gone.message.includes(media.path), gone.message);
});

Deno.test("Decoder.frames() ends at the end of the duration, however late a stream begins", async () => {
  await media.make("late sound.mkv", LATE_SOUND);
  for (const encoding of ["raw", "h264", "mjpeg"] as const) {
    for (const part of [{ start: 0, duration: 1.5 }, { start: 0.05, duration: 0.1 }]) {
      await using decoder = await open("late sound.mkv", { ...part, encoding });
      const ends = new Map<number, number>();
      for await (const { streamId, timestamp, data } of decoder.frames()) {
        const stream = decoder.streams.find(({ id }) => id === streamId)!;
        const samples = stream.codec === "pcm_s16le" ? data.byteLength / 4 - 1 : 0;
        ends.set(streamId, toSeconds(timestamp + samples, stream.timeBase));
      }
      const latest = Math.max(...ends.values());
      assert(latest < part.duration && latest > part.duration - 0.05, `${encoding}: ${latest} s`);
    }
  }
});

Deno.test("Decoder.frames() begins with the first frame, wherever the next keyframe is", async () => {
  // Of an uneven video, keyframes are decoded longer before they are shown than MP4 expects.
  const thinned = ["-vf", "select='lt(n,20)+not(mod(n,5))'", "-fps_mode", "vfr"];
  const coded = ["-c:v", "libx264", "-g", "5", "-bf", "2", "-sc_threshold", "0"];
  await media.make("uneven.mp4", [...pictures({ seconds: 4 }), ...thinned, ...coded]);
  for (let start = 1.01; start < 3.6; start += 0.1) {
    await using decoder = await open("uneven.mp4", { start });
    const [stream] = decoder.streams;
    const { value: frame } = await decoder.frames().next();
    const moment = start + toSeconds(frame?.timestamp ?? NaN, stream.timeBase);
    assertAlmostEquals(moment, Math.ceil(start * 5) / 5, 1e-3, `from ${start} s`);
  }
});

Deno.test("Decoder.frames() throws if nothing begins within the duration", async () => {
  await media.make("late sound.mkv", LATE_SOUND);
  const wanted = { start: 0.05, duration: 0.01 };
  const opening = () => open("late sound.mkv", wanted).then(all);
  await assertRejects(opening, RequestError, "nothing that begins within 0.01 s from 0.05 s on");
});

async function all(decoder: FrameSource): Promise<void> {
  await using _disposed = decoder;
  for await (const _ of decoder.frames()) continue;
}
