/** Recordings of encoded streams: packets that stay as they are, and those that cannot. */
import { assertAlmostEquals, assertEquals, assertMatch } from "@std/assert";
import { mediaFolder, pictures, run, tone } from "../../support/media/media_folder.ts";
import { decodedBytes } from "../../support/media/reference.ts";
import { type PacketOptions, packetServer } from "../../support/peers/packet_server.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";

const media = mediaFolder();
const results = mediaFolder();

/** Pictures that refer to later ones, a keyframe every two seconds. */
const X264 = ["-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "50"];
const VP9 = ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"];

/** Files of one second, by what is in them. */
const SOURCES: Record<string, string[]> = {
  "h264+aac.mp4": [...X264, "-pix_fmt", "yuv420p", "-c:a", "aac"],
  "hevc+ac3.mp4": ["-c:v", "libx265", "-x265-params", "log-level=none", "-c:a", "ac3"],
  "mpeg4+mp3.mp4": ["-c:v", "mpeg4", "-bf", "2", "-c:a", "libmp3lame"],
  "h264+mp2.ts": [...X264, "-pix_fmt", "yuv420p", "-c:a", "mp2"],
  "mpeg2+mp2.ts": ["-c:v", "mpeg2video", "-bf", "2", "-c:a", "mp2"],
  "vp9+opus.webm": [...VP9, "-c:a", "libopus"],
  "vp8+vorbis.webm": ["-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libvorbis"],
  "mjpeg+pcm.avi": ["-c:v", "mjpeg", "-c:a", "pcm_s16le"],
  "ffv1+flac.mkv": ["-c:v", "ffv1", "-c:a", "flac"],
  "prores+pcm.mov": ["-c:v", "prores_ks", "-c:a", "pcm_s24le"],
  "theora+vorbis.ogv": ["-c:v", "libtheora", "-c:a", "libvorbis"],
  "aac.m4a": ["-vn", "-c:a", "aac"],
  "mp3.mp3": ["-vn", "-c:a", "libmp3lame"],
  "flac.flac": ["-vn", "-c:a", "flac"],
  "opus.opus": ["-vn", "-c:a", "libopus"],
  "pcm.wav": ["-vn", "-c:a", "pcm_s24le"],
};

function source(name: string): Promise<string> {
  return media.make(name, [...pictures(), ...tone(), ...SOURCES[name]]);
}

async function record(path: string, output: string, options?: PacketOptions) {
  await using server = await packetServer(path, options);
  const target = results.pathOf(output);
  const args = ["--encoding", "copy", "--output", target, "--overwrite", ...at(server)];
  const { status, stderr } = await runInside(["--video", ...args]);
  assertEquals(status, 0, stderr);
  return { target, stderr };
}

/** The first letters of the checksums of a stream's packets, in the order of decoding. */
async function packets(path: string, stream: "v" | "a"): Promise<string> {
  const args = ["-i", `file:${path}`, "-map", `0:${stream}:0`, "-c", "copy"];
  // The packets of PCM are cut as the container likes it.
  const form = stream === "a" && /^pcm/.test(await codecs(path, "a")) ? "md5" : "framemd5";
  const text = new TextDecoder().decode(await run("ffmpeg", [...args, "-f", form, "pipe:1"]));
  if (form === "md5") return text;
  return text.split("\n").filter((line) => /^\d/.test(line))
    .map((line) => line.split(",")[5].trim().slice(0, 3)).join(" ");
}

/** FFmpeg's names of the codecs in a file. */
async function codecs(path: string, kind?: "v" | "a"): Promise<string> {
  const args = ["-show_entries", "stream=codec_name", "-of", "json", `file:${path}`];
  const chosen = kind === undefined ? [] : ["-select_streams", kind];
  const found = JSON.parse(new TextDecoder().decode(await run("ffprobe", [...chosen, ...args])));
  return found.streams.map((stream: { codec_name: string }) => stream.codec_name).join("+");
}

/** Media that are copied, and into which types. */
const KEPT: Record<string, string[]> = {
  "h264+aac.mp4": ["mp4", "m4v", "mov", "mkv", "flv", "nut", "m4a"],
  "hevc+ac3.mp4": ["mp4", "mov", "mkv", "nut"],
  "mpeg4+mp3.mp4": ["mp4", "mkv", "nut"],
  "h264+mp2.ts": ["ts", "m2ts"],
  "mpeg2+mp2.ts": ["ts", "mkv", "nut"],
  "vp9+opus.webm": ["webm", "mkv", "nut"],
  "vp8+vorbis.webm": ["webm", "mkv", "nut"],
  "mjpeg+pcm.avi": ["avi", "mkv", "mov", "nut"],
  "ffv1+flac.mkv": ["mkv", "nut"],
  "prores+pcm.mov": ["mov", "mkv", "nut"],
  "theora+vorbis.ogv": ["ogv", "mkv"],
  "aac.m4a": ["m4a", "mp4", "mka"],
  "mp3.mp3": ["mp3", "mkv", "avi"],
  "flac.flac": ["flac", "mka", "oga", "mp4"],
  "opus.opus": ["opus", "ogg", "webm"],
  "pcm.wav": ["wav", "mov", "nut"],
};

for (const [name, types] of Object.entries(KEPT)) {
  Deno.test(`FileSink copies the packets of ${name} into ${types}`, async () => {
    const path = await source(name);
    const kinds = (["v", "a"] as const).slice(SOURCES[name][0] === "-vn" ? 1 : 0);
    for (const type of types) {
      const { target } = await record(path, `${name}.${type}`);
      for (const kind of type === "m4a" ? ["a" as const] : kinds) {
        assertEquals(await packets(target, kind), await packets(path, kind), `${type}, ${kind}`);
      }
    }
  });
}

/** Darkness and silence, then light and a tone. */
const SIGNAL = [
  ...["-f", "lavfi", "-i", "nullsrc=s=64x48:r=50:d=4,geq=lum='if(lt(T,2),16,235)':cb=128:cr=128"],
  ...["-f", "lavfi", "-i", "aevalsrc='if(lt(t,2),0,0.8*sin(440*2*PI*t))':s=48000:d=4"],
];

/** Two keyframes a file, at 0 and at 3 seconds. */
const SPARSE = [...SIGNAL, ...X264, "-g", "150", "-sc_threshold", "0", "-c:a", "aac"];

/** Samples just as they are decoded, 96000 bytes a second. */
const PLAIN_SOUND = ["-ac", "1", "-ar", "48000", "-f", "s16le"];

/** Seconds from the beginning, as a player shows it, to light and sound, and to the end. */
async function signalIn(path: string) {
  const grey = await decodedBytes(path, [
    ...["-map", "0:v:0", "-vf", "fps=100:start_time=0,scale=1:1", "-pix_fmt", "gray"],
    ...["-f", "rawvideo"],
  ]);
  const bytes = await decodedBytes(path, [
    ...["-map", "0:a:0", "-af", "aresample=async=1:first_pts=0", "-ac", "1", "-ar", "48000"],
    ...["-f", "s16le"],
  ]);
  const samples = new Int16Array(bytes.buffer, 0, bytes.byteLength >> 1);
  return {
    light: grey.findIndex((value) => value > 128) / 100,
    sound: samples.findIndex((value) => Math.abs(value) > 8000) / 48_000,
    seconds: grey.byteLength / 100,
  };
}

for (
  const [type, hidden] of [["mp4", true], ["mov", true], ["mkv", false], ["ts", false]] as const
) {
  Deno.test(`FileSink ${hidden ? "hides" : "reports"} frames before the beginning in ${type}`, async () => {
    const path = await media.make("sparse.mp4", SPARSE);
    const { target, stderr } = await record(path, `sparse.${type}`, { begin: 1.5 });
    const { light, sound, seconds } = await signalIn(target);
    assertAlmostEquals(sound, light, 0.03, `light at ${light} s, sound at ${sound} s`);
    const early = hidden ? 0 : 1.5;
    assertAlmostEquals(light, 0.5 + early, 0.03);
    assertAlmostEquals(seconds, 2.5 + early, 0.1);
    const note = hidden ? "" : ", which begins 1.5 s earlier, at a keyframe";
    assertMatch(stderr, new RegExp(`; wrote "[^"]+"${note}\n$`));
    assertEquals((await codecs(target)).includes("h264"), true);
  });
}

Deno.test("FileSink begins with a whole picture if it hides earlier ones", async () => {
  const slow = SPARSE.map((argument) => argument.replace("r=50", "r=10"));
  const path = await media.make("slow.mp4", slow);
  for (const type of ["mp4", "mov"]) {
    const options = { begin: 1.53, picture: { frameRate: [10, 1] } } as const;
    const { target } = await record(path, `slow.${type}`, options);
    const { light, sound } = await signalIn(target);
    assertAlmostEquals(sound, light, 0.03, `light at ${light} s, sound at ${sound} s`);
    assertAlmostEquals(light, 0.5, 0.05);
  }
});

for (const type of ["webm", "avi", "gif"]) {
  Deno.test(`FileSink drops frames before the beginning when it encodes ${type}`, async () => {
    const path = await media.make("sparse.mp4", SPARSE);
    const { target, stderr } = await record(path, `sparse.${type}`, { begin: 1.5 });
    assertMatch(
      stderr,
      new RegExp(`"; pictures are re-encoded: h264 is not stored in .${type};`),
    );
    if (type === "gif") return;
    const plain = await decodedBytes(target, ["-map", "0:a:0", ...PLAIN_SOUND]);
    assertAlmostEquals(plain.byteLength / 96_000, 2.5, 0.1);
    const { light, sound, seconds } = await signalIn(target);
    // AVI counts frames, and has no other time.
    assertAlmostEquals(light, 0.5, 0.045);
    assertAlmostEquals(sound, light, 0.045, `light at ${light} s, sound at ${sound} s`);
    assertAlmostEquals(seconds, 2.5, 0.1);
  });
}

for (const codec of ["aac", "pcm_s16le"]) {
  Deno.test(`FileSink writes silence into AVI until ${codec} begins`, async () => {
    const late = [...SIGNAL.slice(0, 4), "-itsoffset", "1.5", ...SIGNAL.slice(4)];
    const path = await media.make(`late ${codec}.mkv`, [...late, ...X264, "-c:a", codec]);
    const { target } = await record(path, `late ${codec}.avi`);
    const { light, sound } = await signalIn(target);
    assertAlmostEquals(light, 2, 0.06);
    assertAlmostEquals(sound, 3.5, 0.06);
  });
}

for (const type of ["wav", "mp3", "flac", "m4a"]) {
  Deno.test(`FileSink writes the audio of an encoded video from the beginning on as ${type}`, async () => {
    const path = await media.make("sparse.mp4", SPARSE);
    const { target } = await record(path, `sparse.${type}`, { begin: 1.5 });
    const bytes = await decodedBytes(target, PLAIN_SOUND);
    const samples = new Int16Array(bytes.buffer, 0, bytes.byteLength >> 1);
    const sound = samples.findIndex((value) => Math.abs(value) > 8000) / 48_000;
    assertAlmostEquals(sound, 0.5, 0.06);
    assertAlmostEquals(samples.length / 48_000, 2.5, 0.1);
  });
}

/** A white stripe on top of the picture as it is stored. */
const STRIPE = ["-f", "lavfi", "-i", "color=black:s=64x48:r=25:d=1,drawbox=h=12:c=white:t=fill"];

/** Where the stripe is shown, by the angle. */
const SIDES = { 90: "right", 180: "bottom", 270: "left" };

async function brightSide(path: string): Promise<{ side: string; size: string }> {
  const args = ["-frames:v", "1", "-vf", "format=gray", "-f", "image2pipe"];
  const image = await decodedBytes(path, [...args, "-c:v", "pgm"]);
  const text = new TextDecoder("latin1").decode(image);
  const [header, width, height] = text.match(/P5\s(\d+)\s(\d+)\s255\s/) ?? ["", "0", "0"];
  const pixels = image.subarray(text.indexOf(header) + header.length);
  const [wide, high] = [Number(width), Number(height)];
  const at = (x: number, y: number) => Math.floor(high * y) * wide + Math.floor(wide * x);
  const [near, middle, far] = [1 / 12, 1 / 2, 11 / 12];
  const places = {
    top: at(middle, near),
    bottom: at(middle, far),
    left: at(near, middle),
    right: at(far, middle),
  };
  const [side = "none"] = Object.entries(places).filter(([, place]) => pixels[place] > 128)
    .map(([name]) => name);
  return { side, size: `${width}x${height}` };
}

for (const rotation of [90, 180, 270] as const) {
  Deno.test(`FileSink records pictures rotated by ${rotation} upright`, async () => {
    const path = await media.make("stripe.mp4", [...STRIPE, ...X264, "-pix_fmt", "yuv420p"]);
    for (const [type, kept] of [["mp4", true], ["mov", true], ["mkv", false], ["avi", false]]) {
      const { target, stderr } = await record(path, `turned ${rotation}.${type}`, {
        picture: { rotation },
      });
      assertEquals(stderr.includes("; pictures are re-encoded: "), !kept, stderr);
      const size = rotation === 180 ? "64x48" : "48x64";
      assertEquals(await brightSide(target), { side: SIDES[rotation], size }, String(type));
      if (kept) assertEquals(await packets(target, "v"), await packets(path, "v"), String(type));
    }
  });
}

Deno.test("FileSink writes an image sent as a copy byte for byte", async () => {
  for (const [name, output] of [["a.jpg", "b.jpeg"], ["a.png", "b.png"]]) {
    const path = await media.make(name, [...pictures(), "-frames:v", "1"]);
    await using server = await packetServer(path);
    const target = results.pathOf(output);
    const args = ["--image", "--encoding", "copy", "--output", target, ...at(server)];
    assertEquals((await runInside(args)).status, 0);
    assertEquals(await Deno.readFile(target), await Deno.readFile(path), name);
  }
});

Deno.test("FileSink converts an image sent as a copy to another type", async () => {
  const path = await media.make("turned.jpg", [...STRIPE, "-frames:v", "1"]);
  await using server = await packetServer(path, { picture: { rotation: 90 } });
  const target = results.pathOf("turned.png");
  const args = ["--image", "--encoding", "copy", "--output", target, ...at(server)];
  assertEquals((await runInside(args)).status, 0);
  assertEquals(await brightSide(target), { side: "right", size: "48x64" });
});

Deno.test("FileSink begins with the first frame of a live source", async () => {
  const path = await source("h264+aac.mp4");
  for (const type of ["mp4", "mkv", "webm"]) {
    const options = { begin: -7, description: { live: true } };
    const { target } = await record(path, `joined.${type}`, options);
    const args = ["-show_entries", "format=duration", "-of", "csv=p=0", `file:${target}`];
    const seconds = parseFloat(new TextDecoder().decode(await run("ffprobe", args)));
    assertAlmostEquals(seconds, 1, 0.15, type);
  }
});
