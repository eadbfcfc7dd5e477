/** The choice of tracks through a real connection. */
import { assertEquals } from "@std/assert";
import type { MediaRequest } from "../../../lib/protocol/native/request.ts";
import { makeFilm } from "../../support/media/film.ts";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";
import { decodedBy } from "../../support/media/reference.ts";
import { ask, framesOf, streamOf } from "../../support/peers/native_client.ts";
import { testServer } from "../../support/peers/test_server.ts";

const media = mediaFolder();

/** Checksums alone: FFmpeg counts the samples of packets whose times are coarse. */
function sumsOf(frames: readonly { md5: string }[]): string[] {
  return frames.map(({ md5 }) => md5);
}

function video(name: string, wishes: Partial<MediaRequest> = {}): MediaRequest {
  return { command: "get_video", name, ...wishes };
}

for (const name of ["film.mkv", "film.mp4"]) {
  Deno.test(`get_video sends the audio of ${name} that is asked for in each encoding`, async () => {
    const path = await makeFilm(media, name);
    await using server = await testServer({ media: media.path });
    const expected: Record<string, string[]> = {
      raw: ["-c", "pcm_s16le"],
      copy: ["-c", "copy"],
    };
    for (const [encoding, output] of Object.entries(expected)) {
      const wishes = { encoding: encoding as MediaRequest["encoding"], audioTrack: 2 };
      const response = await ask(server, video(name, wishes));
      assertEquals(streamOf(response, "audio")?.channels, 1, encoding);
      const decoded = await decodedBy(path, { stream: "a:1", output });
      assertEquals(sumsOf(framesOf(response, "audio")), sumsOf(decoded), encoding);
    }
    for (const encoding of ["h264", "mjpeg"] as const) {
      const french = await ask(server, video(name, { encoding, audioTrack: "fra" }));
      const german = await ask(server, video(name, { encoding, audioTrack: "deu" }));
      const plain = await ask(server, video(name, { encoding }));
      assertEquals(streamOf(french, "audio")?.channels, 1, encoding);
      assertEquals(framesOf(german, "audio"), framesOf(plain, "audio"), encoding);
      assertEquals(framesOf(french, "video"), framesOf(plain, "video"), encoding);
    }
  });

  Deno.test(`get_video seeks in and resumes the audio of ${name} that is asked for`, async () => {
    await makeFilm(media, name);
    await using server = await testServer({ media: media.path });
    for (const encoding of ["raw", "copy"] as const) {
      const wishes = { encoding, audioTrack: 2 };
      const whole = await ask(server, video(name, wishes));
      const sound = whole.frames.filter(({ type }) => type === "audio");
      const points = whole.description!.streams.map(({ id }) => ({
        id,
        after: whole.frames.filter(({ streamId }) => streamId === id)[9].timestamp,
      }));
      const resumed = await ask(server, video(name, { ...wishes, resume: points }));
      assertEquals(resumed.description?.etag, whole.description?.etag);
      const rest = resumed.frames.filter(({ type }) => type === "audio");
      assertEquals(sumsOf(rest), sumsOf(sound.slice(10)), encoding);
      const part = await ask(server, video(name, { ...wishes, start: 1 }));
      assertEquals(streamOf(part, "audio")?.channels, 1, encoding);
      if (encoding === "raw") continue;
      const copied = sumsOf(part.frames.filter(({ type }) => type === "audio"));
      assertEquals(copied, sumsOf(sound).slice(-copied.length));
    }
  });
}

Deno.test("get_video names the tracks that there are, if it has none that is asked for", async () => {
  await makeFilm(media, "film.mkv");
  await media.make("silent.mkv", [...pictures({ seconds: 0.2 }), "-c:v", "ffv1"]);
  await using server = await testServer({ media: media.path });
  const refusals: [string, Partial<MediaRequest>, string][] = [
    ["film.mkv", { audioTrack: "spa" }, `audio track "spa" in "film.mkv": it has 1 (ger), 2 (fra)`],
    ["film.mkv", { audioTrack: 3 }, `audio track 3 in "film.mkv": it has 1 (ger), 2 (fra)`],
    ["silent.mkv", { audioTrack: 1 }, `audio track 1 in "silent.mkv": it has none`],
    ["film.mkv", { subtitles: "fra" }, `subtitles "fra" in "film.mkv": it has 1 (eng), 2 (deu)`],
    ["silent.mkv", { subtitles: true }, `subtitles in "silent.mkv": it has none`],
  ];
  for (const [name, wishes, reason] of refusals) {
    const { error } = await ask(server, video(name, wishes));
    assertEquals([error?.code, error?.message], ["not_found", `Cannot find ${reason}`]);
  }
});

Deno.test("get_video sends the video and the audio that FFmpeg would choose", async () => {
  const cover = await media.make("art/cover.png", [
    ...pictures({ size: "320x240" }),
    "-frames:v",
    "1",
  ]);
  const seconds = 0.4;
  const path = await media.make("many.mkv", [
    ...[...pictures({ seconds }), ...pictures({ size: "96x64", seconds })],
    ...[...tone({ layout: "mono", seconds }), ...tone({ seconds })],
    ...["-map", "0", "-map", "1", "-map", "2", "-map", "3", "-c:v", "libx264"],
    ...["-pix_fmt", "yuv420p", "-c:a", "ac3", "-disposition", "0"],
    ...["-attach", cover, "-metadata:s:t:0", "mimetype=image/png"],
  ]);
  await using server = await testServer({ media: media.path });
  for (const [encoding, output] of [["raw", []], ["copy", ["-c", "copy"]]] as const) {
    const response = await ask(server, video("many.mkv", { encoding }));
    const { width, height } = streamOf(response, "video")!;
    assertEquals([width, height, streamOf(response, "audio")?.channels], [96, 64, 2]);
    const pictures = await decodedBy(path, { stream: "V:1", output: [...output] });
    assertEquals(framesOf(response, "video"), pictures, encoding);
  }
  const image = await ask(server, { command: "get_image", name: "many.mkv" });
  assertEquals(streamOf(image, "video")?.width, 96);
});

Deno.test("get_video sends the second audio of MPEG-TS in step with the pictures", async () => {
  const args = [...pictures(), ...tone(), ...tone({ layout: "mono" }), "-c:v", "mpeg2video"];
  args.push("-map", "0", "-map", "1", "-map", "2", "-c:a", "mp2", "-muxdelay", "0");
  const path = await media.make("two.ts", args);
  await using server = await testServer({ media: media.path });
  const response = await ask(server, video("two.ts", { audioTrack: 2 }));
  assertEquals(streamOf(response, "audio")?.channels, 1);
  const reference = { stream: "a:1", beside: "V:0", output: ["-c:a", "pcm_s16le"] };
  assertEquals(framesOf(response, "audio"), await decodedBy(path, reference));
});
