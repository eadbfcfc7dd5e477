/** Audio beside raw video: the samples and timestamps of ffmpeg itself. */
import { assert, assertEquals, assertGreater } from "@std/assert";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";
import { decodedBy, decodedBytes, type FrameSum } from "../../support/media/reference.ts";
import { ask, framesOf, type NativeResponse, streamOf } from "../../support/peers/native_client.ts";
import { type TestServer, testServer } from "../../support/peers/test_server.ts";

const media = mediaFolder();
const PICTURES = [...pictures(), "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"];
const FLAC = ["flac", "-sample_fmt", "s16"];

/** A kind of sound: how to make it, and what the server makes of it. */
interface Sample {
  name: string;
  args: readonly string[];
  codec: "pcm_s16le" | "pcm_s32le";
  sampleRate: number;
  channels: number;
  /** Whether pictures come with it. */
  pictures: boolean;
}

/** Shifts the second input by some seconds; the first one's arguments stand before. */
function later(seconds: number, input: string[]): string[] {
  return ["-itsoffset", String(seconds), ...input];
}

const SAMPLES: readonly Sample[] = [
  {
    name: "aac.mp4",
    args: [...tone(), ...PICTURES, "-c:a", "aac"],
    ...{ codec: "pcm_s16le", sampleRate: 48_000, channels: 2, pictures: true },
  },
  {
    name: "opus.webm",
    args: [...tone(), ...pictures(), "-c:v", "libvpx", "-cpu-used", "8", "-c:a", "libopus"],
    ...{ codec: "pcm_s16le", sampleRate: 48_000, channels: 2, pictures: true },
  },
  {
    name: "vorbis.ogg",
    args: [...tone({ rate: 44_100 }), "-c:a", "libvorbis"],
    ...{ codec: "pcm_s16le", sampleRate: 44_100, channels: 2, pictures: false },
  },
  {
    name: "24 bits.flac",
    args: [...tone({ rate: 96_000 }), "-c:a", "flac", "-sample_fmt", "s32"],
    ...{ codec: "pcm_s32le", sampleRate: 96_000, channels: 2, pictures: false },
  },
  {
    name: "24 bits beside pictures.mkv",
    args: [...tone(), ...PICTURES, "-c:a", "pcm_s24le"],
    ...{ codec: "pcm_s32le", sampleRate: 48_000, channels: 2, pictures: true },
  },
  {
    name: "mono.wav",
    args: [...tone({ layout: "mono", rate: 8000 }), "-c:a", "pcm_s16le"],
    ...{ codec: "pcm_s16le", sampleRate: 8000, channels: 1, pictures: false },
  },
  {
    name: "8 bits.wav",
    args: [...tone({ layout: "mono", rate: 22_050 }), "-c:a", "pcm_u8"],
    ...{ codec: "pcm_s16le", sampleRate: 22_050, channels: 1, pictures: false },
  },
  {
    name: "surround.mp4",
    args: [...tone({ layout: "5.1" }), ...PICTURES, "-c:a", "aac"],
    ...{ codec: "pcm_s16le", sampleRate: 48_000, channels: 6, pictures: true },
  },
  {
    name: "surround.mkv",
    args: [...tone({ layout: "5.1" }), "-c:a", ...FLAC],
    ...{ codec: "pcm_s16le", sampleRate: 48_000, channels: 6, pictures: false },
  },
  {
    name: "sound only.mp3",
    args: [...tone({ rate: 44_100 }), "-c:a", "libmp3lame"],
    ...{ codec: "pcm_s16le", sampleRate: 44_100, channels: 2, pictures: false },
  },
  {
    name: "sound only.m4a",
    args: [...tone({ rate: 44_100 }), "-c:a", "aac"],
    ...{ codec: "pcm_s16le", sampleRate: 44_100, channels: 2, pictures: false },
  },
  {
    name: "mp3.avi",
    args: [...tone({ rate: 44_100 }), ...pictures(), "-c:v", "mpeg4", "-c:a", "libmp3lame"],
    ...{ codec: "pcm_s16le", sampleRate: 44_100, channels: 2, pictures: true },
  },
  {
    name: "sound begins late.mp4",
    args: [...PICTURES.slice(0, 4), ...later(0.4, tone()), ...PICTURES.slice(4), "-c:a", "aac"],
    ...{ codec: "pcm_s16le", sampleRate: 48_000, channels: 2, pictures: true },
  },
  {
    name: "sound begins late.mkv",
    args: [...PICTURES.slice(0, 4), ...later(0.4, tone()), ...PICTURES.slice(4), "-c:a", ...FLAC],
    ...{ codec: "pcm_s16le", sampleRate: 48_000, channels: 2, pictures: true },
  },
  {
    name: "sound begins late.ts",
    args: [...PICTURES.slice(0, 4), ...later(0.4, tone()), ...PICTURES.slice(4), "-c:a", "mp2"],
    ...{ codec: "pcm_s16le", sampleRate: 48_000, channels: 2, pictures: true },
  },
  {
    name: "sound begins early.ts",
    args: [...tone(), ...later(0.4, PICTURES.slice(0, 4)), ...PICTURES.slice(4), "-c:a", "aac"],
    ...{ codec: "pcm_s16le", sampleRate: 48_000, channels: 2, pictures: true },
  },
  {
    name: "sound begins early.mp4",
    args: [...tone(), ...later(0.4, PICTURES.slice(0, 4)), ...PICTURES.slice(4), "-c:a", "aac"],
    ...{ codec: "pcm_s16le", sampleRate: 48_000, channels: 2, pictures: true },
  },
];

Deno.test("get_video sends every sample as ffmpeg decodes it", async (t) => {
  await using server = await testServer({ media: media.path });
  for (const sample of SAMPLES) {
    await t.step(sample.name, async () => {
      const path = await media.make(sample.name, sample.args);
      const { name, codec, sampleRate, channels } = sample;
      const { response, samples } = await listen(server, name);
      const stream = streamOf(response, "audio");
      assertEquals(
        [stream?.codec, stream?.sampleRate, stream?.channels, stream?.timeBase],
        [codec, sampleRate, channels, [1, sampleRate]],
      );
      const format = codec.slice("pcm_".length);
      const expected = await decodedBytes(path, ["-map", "0:a:0", "-c:a", codec, "-f", format]);
      assertEquals(samples.length, expected.length);
      assert(isSame(samples, expected), "samples differ");
      const beside = sample.pictures ? "V:0" : undefined;
      const frames = await decodedBy(path, { stream: "a:0", beside, output: ["-c:a", codec] });
      assertEquals(framesOf(response, "audio"), frames);
      assertEquals(response.end?.audioFrames, frames.length);
      if (sample.pictures) {
        const shown = await decodedBy(path, { stream: "V:0", beside: "a:0" });
        assertEquals(framesOf(response, "video"), shown);
      } else {
        assertEquals(streamOf(response, "video"), undefined);
      }
    });
  }
});

for (
  const { name, audio } of [
    { name: "late.mp4", audio: "aac" },
    { name: "late.ts", audio: "mp2" },
    { name: "late.mkv", audio: "ac3" },
  ]
) {
  Deno.test(`get_video keeps sound as far behind the pictures as ${name} has it`, async () => {
    const before = [...PICTURES.slice(0, 4), ...later(0.4, tone()), ...PICTURES.slice(4)];
    await media.make(name, [...before, "-c:a", audio]);
    await using server = await testServer({ media: media.path });
    const { frames, description } = await ask(server, { command: "get_video", name });
    const [first, heard] = description!.streams.map(({ id }) =>
      frames.find((frame) => frame.streamId === id)!.seconds
    );
    // Encoders put some silence in front; one frame of AAC or MP2 is up to 24 ms long.
    const distance = heard - first;
    assert(Math.abs(distance - 0.4) < 0.03, `${distance} s apart, expected 0.4`);
  });
}

Deno.test("get_video sends no audio if it is not requested", async () => {
  await media.make("aac.mp4", SAMPLES[0].args);
  await media.make("mono.wav", SAMPLES[5].args);
  await using server = await testServer({ media: media.path });
  const response = await ask(server, { command: "get_video", name: "aac.mp4", audio: false });
  assertEquals(response.description?.streams.map(({ type }) => type), ["video"]);
  assertEquals([response.end?.frames, response.end?.audioFrames], [25, 0]);
  const nothing = await ask(server, { command: "get_video", name: "mono.wav", audio: false });
  assertEquals(nothing.error?.code, "unsupported");
  const still = await ask(server, { command: "get_image", name: "mono.wav" });
  assertEquals(still.error?.code, "unsupported");
});

Deno.test("get_video describes sound that is over before the start, and a seek back finds it", async () => {
  const args = [...pictures({ seconds: 2 }), ...tone({ seconds: 0.5 }), ...PICTURES.slice(4)];
  await media.make("over.mp4", [...args, "-c:a", "aac"]);
  await using server = await testServer({ media: media.path });
  const request = { command: "get_video", name: "over.mp4", start: 1 } as const;
  for (const encoding of ["raw", "copy", "h264", "mjpeg"] as const) {
    const response = await ask(server, { ...request, encoding });
    const types = response.description?.streams.map(({ type }) => type);
    assertEquals(types, ["video", "audio"], encoding);
    const heard = response.frames.filter(({ type, seconds }) => type === "audio" && seconds >= 0);
    assertEquals(heard, [], encoding);
  }
  using client = await server.connect();
  await client.ask({ ...request, speed: 1 });
  await client.until("frame");
  await client.seek(0.3, 1);
  await client.frames(1, 1);
});

Deno.test("get_video joins PCM by samples, and by times to within a tick of the file", async () => {
  const sound = tone({ rate: 44_100, layout: "mono", seconds: 2 });
  const path = await media.make("ticks.mkv", [...sound, "-c:a", "pcm_s16le"]);
  await using server = await testServer({ media: media.path });
  const tick = 44_100 / 1000;
  for (const [start, duration] of [[0, undefined], [0.5678, 1]] as const) {
    const { response, samples } = await listen(server, "ticks.mkv", { start, duration });
    const all = await decodedBytes(path, ["-f", "s16le"]);
    const [text, part] = [all, samples].map((bytes) => new TextDecoder("latin1").decode(bytes));
    const earliest = Math.ceil(start * 44_100 - tick);
    const at = text.indexOf(part, Math.max(0, 2 * earliest)) / 2;
    assert(at >= 0 && at < start * 44_100 + tick, `begins with sample ${at}`);
    const length = (duration ?? 2) * 44_100;
    assert(Math.abs(samples.length / 2 - length) < tick, `${samples.length / 2} samples`);
    let next = 0;
    for (const { timestamp, size } of response.frames) {
      assert(Math.abs(timestamp - next) < tick, `${timestamp}, expected about ${next}`);
      next = timestamp + size / 2;
    }
  }
});

Deno.test("get_video sends no video for the cover of an album", async () => {
  const cover = await media.make("cover.png", [...pictures(), "-frames:v", "1"]);
  const path = await media.make("album.mp3", [
    ...tone({ rate: 44_100 }),
    ...["-i", cover, "-map", "0", "-map", "1", "-c:a", "libmp3lame", "-c:v", "copy"],
    ...["-disposition:v", "attached_pic"],
  ]);
  await using server = await testServer({ media: media.path });
  const response = await ask(server, { command: "get_video", name: "album.mp3" });
  assertEquals(response.description?.streams.map(({ type }) => type), ["audio"]);
  assertEquals(framesOf(response, "audio"), await decodedBy(path, { stream: "a:0" }));
  const { list } = await ask(server, { command: "list_media" });
  assertEquals(list?.find(({ name }) => name === "album.mp3")?.kind, "audio");
});

Deno.test("get_video with a start takes video and audio from the same time", async () => {
  const args = [...pictures({ seconds: 2 }), ...tone({ seconds: 2 }), ...PICTURES.slice(4)];
  const path = await media.make("seek.mov", [...args, "-g", "10", "-c:a", "pcm_s16le"]);
  await using server = await testServer({ media: media.path });
  const { response, samples } = await listen(server, "seek.mov", { start: 1.2 });
  const all = await decodedBytes(path, ["-map", "0:a:0", "-f", "s16le"]);
  const rest = all.subarray(1.2 * 48_000 * 4);
  assertEquals(samples.length, rest.length);
  assert(isSame(samples, rest), "samples differ");
  const shown: FrameSum[] = await decodedBy(path, { stream: "V:0" });
  assertEquals(
    framesOf(response, "video").map(({ md5 }) => md5),
    shown.slice(30).map(({ md5 }) => md5),
  );
  assertGreater(response.end?.audioFrames ?? 0, 0);
});

/** Compares many bytes without listing them. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** Asks for a file and joins its samples. */
async function listen(
  server: TestServer,
  name: string,
  part: { start?: number; duration?: number } = {},
): Promise<{ response: NativeResponse; samples: Uint8Array<ArrayBuffer> }> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const response = await ask(server, { command: "get_video", name, ...part }, {
    onFrame: ({ streamId, data }) => void (streamId === 1 && parts.push(data.slice())),
  });
  return { response, samples: new Uint8Array(await new Blob(parts).arrayBuffer()) };
}
