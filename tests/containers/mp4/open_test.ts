import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { TruncatedError } from "../../../lib/base/errors.ts";
import type { Packet } from "../../../lib/containers/packet_file.ts";
import {
  mediaFolder,
  pictures,
  run,
  tone,
  turnClockwise,
} from "../../support/media/media_folder.ts";
import { concat } from "../../support/media/bytes.ts";
import { checkFile, MemoryBytes, opened, packetsOf, reasonOf } from "./reference.ts";

// Files of FFmpeg's muxer, compared packet by packet with its demuxer.

const folder = mediaFolder();

const VIDEO = pictures({ seconds: 2 });
const AUDIO = tone({ seconds: 2 });
const CD_AUDIO = tone({ seconds: 2, rate: 44_100 });
const H264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "12"];
const AAC = ["-c:a", "aac"];
const X265 = ["-c:v", "libx265", "-pix_fmt", "yuv420p", "-x265-params"];

/** Files by name, with what has to be true of them besides. */
const FILES: [name: string, args: readonly string[]][] = [
  ["b_frames.mp4", [...VIDEO, ...AUDIO, ...H264, "-bf", "2", ...AAC]],
  ["in_order.mp4", [
    ...[...VIDEO, ...CD_AUDIO, ...H264, "-bf", "0", ...AAC],
    ...["-movflags", "faststart"],
  ]],
  ["open_gops.mp4", [...VIDEO, ...H264, "-x264-params", "open-gop=1:bframes=3:b-pyramid=normal"]],
  ["refreshed.mp4", [...VIDEO, ...H264, "-x264-params", "intra-refresh=1"]],
  ["negative.mov", [...VIDEO, ...H264, "-bf", "2", "-movflags", "negative_cts_offsets"]],
  ["clock.mp4", [...VIDEO, ...H264, "-video_track_timescale", "90000"]],
  ["ntsc.mp4", [...pictures({ rate: "30000/1001" }), ...AUDIO, ...H264, ...AAC]],
  ["variable.mp4", [
    ...[...VIDEO, "-vf", "select=not(mod(n\\,3))+not(mod(n\\,7))", "-fps_mode", "vfr"],
    ...H264,
  ]],
  ["late_sound.mp4", [...VIDEO, "-itsoffset", "0.5", ...AUDIO, ...H264, ...AAC]],
  ["late_picture.mp4", ["-itsoffset", "0.5", ...VIDEO, ...AUDIO, ...H264, ...AAC]],
  ["no_edits.mp4", [...VIDEO, ...AUDIO, ...H264, ...AAC, "-use_editlist", "0"]],
  ["wide_pixels.mp4", [...VIDEO, "-vf", "setsar=4/3", ...H264]],
  ["colors.mp4", [
    ...[...VIDEO, ...H264, "-color_range", "pc", "-colorspace", "bt709"],
    ...["-color_primaries", "bt709", "-color_trc", "bt709"],
  ]],
  ["hevc.mp4", [...VIDEO, ...AUDIO, ...X265, "log-level=error:keyint=12", "-c:a", "ac3"]],
  ["hvc1.mp4", [...VIDEO, ...X265, "log-level=error:keyint=12:open-gop=1", "-tag:v", "hvc1"]],
  ["mpeg4.mp4", [...VIDEO, ...AUDIO, "-c:v", "mpeg4", "-bf", "2", "-c:a", "libmp3lame"]],
  ["phone.3gp", [...VIDEO, ...AUDIO, "-c:v", "mpeg4", ...AAC]],
  ["av1.mp4", [
    ...[...VIDEO, ...AUDIO, "-c:v", "libaom-av1", "-cpu-used", "8", "-g", "12"],
    ...["-pix_fmt", "yuv420p", "-c:a", "libopus"],
  ]],
  ["vp9.mp4", [
    ...[...VIDEO, ...CD_AUDIO, "-c:v", "libvpx-vp9", "-g", "12", "-pix_fmt", "yuv420p"],
    ...["-c:a", "flac", "-strict", "experimental"],
  ]],
  ["mjpeg.mov", [...VIDEO, ...AUDIO, "-c:v", "mjpeg", "-c:a", "pcm_s16le"]],
  ["mjpeg.mp4", [...VIDEO, ...CD_AUDIO, "-c:v", "mjpeg", "-c:a", "alac"]],
  ["prores.mov", [...VIDEO, ...AUDIO, "-c:v", "prores", "-c:a", "pcm_s24le"]],
  ["big_endian.mov", [...CD_AUDIO, "-c:a", "pcm_s16be"]],
  ["floats.mov", [...CD_AUDIO, "-c:a", "pcm_f32le"]],
  ["bytes.mov", [...tone({ layout: "mono" }), "-c:a", "pcm_s8"]],
  ["law.mov", [...tone({ layout: "mono" }), "-c:a", "pcm_mulaw"]],
  ["quicktime.mov", [...VIDEO, ...CD_AUDIO, ...H264, ...AAC]],
  ["mp3.mov", [...CD_AUDIO, "-c:a", "libmp3lame"]],
  ["alac.mov", [...CD_AUDIO, "-c:a", "alac"]],
  ["surround.m4a", [...tone({ layout: "5.1" }), ...AAC]],
  ["speech.m4a", [...tone({ layout: "mono", rate: 22_050 }), ...AAC]],
];

async function make(name: string): Promise<string> {
  return await folder.make(name, FILES.find(([made]) => made === name)?.[1] ?? []);
}

for (const [name, args] of FILES) {
  Deno.test(`openMp4() gives FFmpeg's packets of ${name}`, async () => {
    await checkFile(await folder.make(name, args));
  });
}

/** Copies that begin within a group of pictures. */
const COPIES: [name: string, source: string][] = [
  ["cut_h264.mp4", "b_frames.mp4"],
  ["cut_hevc.mp4", "hevc.mp4"],
  ["cut_av1.mp4", "av1.mp4"],
  ["cut_mjpeg.mov", "mjpeg.mov"],
];

for (const [name, source] of COPIES) {
  Deno.test(`openMp4() gives FFmpeg's packets of ${name}, which begins later`, async () => {
    const input = await make(source);
    await checkFile(await folder.make(name, ["-ss", "0.9", "-i", input, "-c", "copy"]));
  });
}

Deno.test("openMp4() gives what FFmpeg copies, with what it does not show", async () => {
  const input = await make("b_frames.mp4");
  const path = await folder.make("hidden.mp4", ["-ss", "0.9", "-i", input, "-c", "copy"]);
  const file = await opened(await Deno.readFile(path));
  for (const { index, timeBase, startTime } of file.tracks) {
    assertEquals(startTime, 0);
    const packets = await packetsOf(file, { tracks: [index], from: -Infinity });
    assert(packets[0].timestamp < 0, "nothing is hidden");
    const copied = new TextDecoder().decode(
      await run("ffmpeg", ["-i", path, "-map", `0:${index}`, "-c", "copy", "-f", "framecrc", "-"]),
    );
    const lines = copied.split("\n").filter((line) => /^\d/.test(line)).map((line) =>
      line.split(",").map((field) => field.trim())
    );
    assertStringIncludes(copied, `#tb 0: ${timeBase.join("/")}`);
    assertEquals(
      packets.map(({ timestamp, data }) => [`${timestamp}`, `${data.byteLength}`]),
      lines.map((fields) => [fields[2], fields[4]]),
    );
  }
});

Deno.test("openMp4() gives the rotation of a phone's video", async () => {
  const path = await folder.make("turned.mp4", [...VIDEO, ...H264]);
  await turnClockwise(path, { height: 48 });
  const { tracks: [track] } = await checkFile(path);
  assertEquals(track.rotation, 90);
});

Deno.test("openMp4() counts cover art, chapters, subtitles and time codes", async () => {
  const input = await make("b_frames.mp4");
  const text = await folder.write("text.srt", "1\n00:00:00,200 --> 00:00:01,000\nHello\n");
  const chapters = await folder.write(
    "chapters.txt",
    ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=First\n",
  );
  const picture = [...pictures({ seconds: 0.04 }), "-disposition:v:1", "attached_pic"];
  const inputs = ["-i", input, "-i", text, "-i", chapters];
  const path = await folder.make("all.mp4", [
    ...[...inputs, ...picture, "-map", "0", "-map", "1", "-map", "3", "-map_metadata", "2"],
    ...["-c:v:0", "copy", "-c:v:1", "mjpeg", "-c:a", "copy", "-c:s", "mov_text"],
  ]);
  const { further } = await checkFile(path);
  assertEquals(further, { cover: 1, subtitle: 1, data: 1 });
  const timed = await folder.make("timed.mov", [
    ...["-i", input, "-c", "copy", "-timecode", "01:00:00:00"],
  ]);
  assertEquals((await checkFile(timed)).further, { data: 1 });
});

Deno.test("openMp4() leaves fragments and encrypted files to FFmpeg", async () => {
  const input = await make("b_frames.mp4");
  const fragmented = await folder.make("fragments.mp4", [
    ...["-i", input, "-c", "copy", "-movflags", "frag_keyframe+empty_moov"],
  ]);
  assertStringIncludes(await reasonOf(await Deno.readFile(fragmented)), '"m');
  const encrypted = await folder.make("encrypted.mp4", [
    ...["-i", input, "-c", "copy", "-encryption_scheme", "cenc-aes-ctr"],
    ...["-encryption_key", "00112233445566778899aabbccddeeff"],
    ...["-encryption_kid", "00112233445566778899aabbccddeeff"],
  ]);
  assertStringIncludes(await reasonOf(await Deno.readFile(encrypted)), '"');
});

Deno.test("openMp4() gives the packets of a truncated file up to its end", async () => {
  const bytes = await Deno.readFile(await make("in_order.mp4"));
  const whole = await packetsOf(await opened(bytes), { tracks: [0, 1], from: 0 });
  const cut = await opened(bytes.subarray(0, Math.floor(bytes.byteLength * 0.7)));
  const packets: Packet[] = [];
  await assertRejects(async () => {
    for await (const batch of cut.packets({ tracks: [0, 1], from: 0 })) packets.push(...batch);
  }, TruncatedError);
  assert(packets.length > 20 && packets.length < whole.length, `${packets.length} packets`);
  assertEquals(packets, whole.slice(0, packets.length));
});

Deno.test("openMp4() opens a file whose data has a size of 64 bits", async () => {
  const bytes = await Deno.readFile(await make("b_frames.mp4"));
  const view = new DataView(bytes.buffer);
  const at = bytes.findIndex((_, at) =>
    at > 8 && new TextDecoder().decode(bytes.subarray(at, at + 8)) === "\0\0\0\bfree"
  );
  assert(at > 0, "no room for a long size");
  const size = view.getUint32(at + 8);
  const head = new DataView(new ArrayBuffer(16));
  head.setUint32(0, 1);
  head.setBigUint64(8, BigInt(size + 8));
  const header = new Uint8Array(head.buffer);
  header.set(new TextEncoder().encode("mdat"), 4);
  const long = concat(bytes.subarray(0, at), header, bytes.subarray(at + 16));
  const path = await folder.write("long.mp4", long);
  await checkFile(path);
});

Deno.test("openMp4() reads no more than the index of a file", async () => {
  const bytes = new MemoryBytes(await Deno.readFile(await make("b_frames.mp4")));
  await opened(bytes);
  assert(bytes.reads <= 6, `${bytes.reads} reads`);
  assert(bytes.total < bytes.size / 2, `${bytes.total} of ${bytes.size} bytes`);
});
