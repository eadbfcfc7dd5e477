/** Recordings, of media of many kinds, into files of many types. */
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertLess,
  assertMatch,
} from "@std/assert";
import {
  mediaFolder,
  pictures,
  run,
  tone,
  turnClockwise,
} from "../../support/media/media_folder.ts";
import { decodedBytes } from "../../support/media/reference.ts";
import { type TestServer, testServer } from "../../support/peers/test_server.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";

const media = mediaFolder();
const results = mediaFolder();
const BY_X264 = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"];
const LOSSLESS = ["-c:v", "ffv1"];

/** Records media under a name; gives the path. */
async function record(
  server: TestServer,
  what: readonly [kind: "--image" | "--video", name: string],
  output: string,
): Promise<string> {
  const path = results.pathOf(output);
  const args = [...what, "--output", path, "--overwrite", ...at(server)];
  const { status, stdout, stderr } = await runInside(args);
  assertEquals([status, stdout], [0, ""], stderr);
  assertMatch(stderr, /^Received [^\n]+; wrote "[^\n]+"\n$/);
  return path;
}

/** Fields that ffprobe reports of one stream: of each frame, or of the stream itself. */
async function probe(path: string, stream: string, entries: string): Promise<string[]> {
  const args = ["-select_streams", stream, "-show_entries", entries, "-of", "csv=p=0"];
  const text = new TextDecoder().decode(await run("ffprobe", [...args, `file:${path}`]));
  return text.trim().split("\n").map((line) => line.replace(/,*$/, "")).filter(Boolean);
}

/** Seconds at which each frame is shown, from the first on. */
async function moments(path: string): Promise<number[]> {
  const lines = await probe(path, "v:0", "frame=best_effort_timestamp_time");
  const all = lines.map((line) => parseFloat(line));
  return all.map((moment) => moment - all[0]);
}

/** How much the pictures of two files differ, on average, in steps of 255. */
async function difference(
  actual: string,
  expected: string,
  { filter = "null", decoder = [] }: { filter?: string; decoder?: string[] } = {},
) {
  const raw = ["-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgba"];
  const [a, b] = await Promise.all([
    run("ffmpeg", [...decoder, "-i", `file:${actual}`, "-vf", filter, ...raw, "pipe:1"]),
    decodedBytes(expected, ["-vf", filter, ...raw]),
  ]);
  assertEquals(a.byteLength, b.byteLength, "bytes of a picture");
  return a.reduce((sum, byte, index) => sum + Math.abs(byte - b[index]), 0) / a.byteLength;
}

/** Stills: the source, and the types that hold it without loss. */
const IMAGE_CODECS: Record<string, { args: string[]; exact: string[] }> = {
  "rgb.png": { args: pictures(), exact: ["png", "bmp", "tiff", "ppm"] },
  "odd.png": { args: pictures({ size: "33x17" }), exact: ["png", "bmp"] },
  "gray.png": { args: [...pictures(), "-pix_fmt", "gray"], exact: ["png", "bmp"] },
  "alpha.png": {
    args: [...pictures(), "-vf", "format=rgba,geq=r='r(X,Y)':g='g(X,Y)':b='b(X,Y)':a='4*X'"],
    exact: ["png", "tiff"],
  },
  "deep.png": { args: [...pictures(), "-pix_fmt", "rgb48be"], exact: ["png"] },
  "palette.gif": { args: pictures(), exact: ["png", "gif"] },
};

for (const [name, { args, exact }] of Object.entries(IMAGE_CODECS)) {
  Deno.test(`stream-client --image --output keeps every pixel of ${name} in ${exact}`, async () => {
    const source = await media.make(name, [...args, "-frames:v", "1"]);
    await using server = await testServer({ media: media.path });
    await Promise.all(exact.map(async (type) => {
      const path = await record(server, ["--image", name], `${name}.${type}`);
      assertEquals(await difference(path, source), 0, type);
    }));
  });
}

Deno.test("stream-client --image --output writes JPEG and WebP that look the same", async () => {
  const source = await media.make("rgb.png", [...pictures(), "-frames:v", "1"]);
  await using server = await testServer({ media: media.path });
  for (const [type, limit] of [["jpg", 3], ["jpeg", 3], ["webp", 8]] as const) {
    const path = await record(server, ["--image", "rgb.png"], `look.${type}`);
    assertLess(await difference(path, source), limit, type);
  }
});

Deno.test("stream-client --image --output writes a video of one picture too", async () => {
  // Large enough for the colours at edges, which versions of FFmpeg round each in its own way.
  const args = [...pictures({ size: "133x67" }), "-frames:v", "1"];
  const source = await media.make("large_odd.png", args);
  await using server = await testServer({ media: media.path });
  for (const type of ["mp4", "mkv", "webm", "gif"]) {
    const path = await record(server, ["--image", "large_odd.png"], `one.${type}`);
    assertEquals((await moments(path)).length, 1, type);
    const filter = "format=rgba,crop=133:67:0:0,scale=8:6:flags=area";
    assertLess(await difference(path, source, { filter }), 8, type);
  }
});

/** Adds a pause of 7 ticks of a millisecond before every third picture. */
const UNEVEN = ["-vf", "settb=1/1000,setpts=PTS+7*floor(N/3)", "-fps_mode", "passthrough"];

/** Rates of pictures, each a second long. */
const RATES: Record<string, string[]> = {
  "59.94.mp4": [...pictures({ rate: "60000/1001" }), ...BY_X264],
  "23.976.mp4": [...pictures({ rate: "24000/1001" }), ...BY_X264],
  "25.mkv": [...pictures(), ...BY_X264],
  "uneven.mkv": [...pictures({ rate: "30" }), ...BY_X264, ...UNEVEN, "-enc_time_base", "1:1000"],
};

/** Seconds by which timestamps may be off: half a tick of the coarser of both time bases. */
const KEEPS_TIME = { mp4: 1e-4, mkv: 1.1e-3, webm: 1.1e-3, ts: 1e-4, nut: 1e-4, flv: 1.1e-3 };

for (const [name, args] of Object.entries(RATES)) {
  Deno.test(`stream-client --video --output keeps all frames and timestamps of ${name}`, async () => {
    const source = await media.make(name, args);
    const expected = await moments(source);
    await using server = await testServer({ media: media.path });
    await Promise.all(
      Object.entries(KEEPS_TIME).map(async ([type, tolerance]) => {
        const path = await record(server, ["--video", name], `${name}.${type}`);
        const found = await moments(path);
        assertEquals(found.length, expected.length, type);
        found.forEach((moment, index) =>
          assertAlmostEquals(moment, expected[index], tolerance, `${type}, frame ${index}`)
        );
      }),
    );
  });
}

Deno.test("stream-client --video --output keeps all frames in types of one frame rate", async () => {
  await using server = await testServer({ media: media.path });
  for (const name of ["59.94.mp4", "23.976.mp4", "25.mkv"]) {
    const expected = await moments(await media.make(name, RATES[name]));
    for (const type of ["avi", "webp", "apng"]) {
      const path = await record(server, ["--video", name], `${name}.${type}`);
      // FFmpeg 5.1 writes animated WebP and does not read it.
      const count = type === "webp"
        ? countOf(await Deno.readFile(path), "ANMF")
        : (await moments(path)).length;
      // WebP leaves pictures out that look like the one before.
      assertAlmostEquals(count, expected.length, type === "webp" ? 3 : 1, `${name} in ${type}`);
    }
  }
});

/** Counts the boxes of a type in a file. */
function countOf(bytes: Uint8Array, name: string): number {
  return new TextDecoder("latin1").decode(bytes).split(name).length - 1;
}

Deno.test("stream-client --video --output gives GIF a speed that players keep", async () => {
  await using server = await testServer({ media: media.path });
  for (
    const [name, count] of [["59.94.mp4", 51], ["23.976.mp4", 24], ["uneven.mkv", 30]] as const
  ) {
    await media.make(name, RATES[name]);
    const path = await record(server, ["--video", name], `${name}.gif`);
    const found = await moments(path);
    assertEquals(found.length, count, name);
    const steps = found.slice(1).map((moment, index) => moment - found[index]);
    // Shorter ones become a tenth of a second in most players.
    assertGreater(Math.min(...steps), 0.0199, name);
    assertAlmostEquals(found.at(-1) ?? 0, 1, 0.08, name);
  }
});

/** Darkness and silence, then, from 0.6 s on, light and a tone. */
const SIGNAL = [
  ...[
    "-f",
    "lavfi",
    "-i",
    "color=black:s=64x48:r=50:d=1.2,geq=lum='if(lt(T,0.6),16,235)':cb=128:cr=128",
  ],
  ...["-f", "lavfi", "-i", "aevalsrc='if(lt(t,0.6),0,0.8*sin(440*2*PI*t))':s=48000:d=1.2"],
];

/** Seconds at which light and sound begin in a file. */
async function beginnings(path: string): Promise<{ light: number; sound: number }> {
  const shown = await probe(path, "v:0", "frame=best_effort_timestamp_time");
  const grey = await decodedBytes(path, [
    ...["-map", "0:v:0", "-fps_mode", "passthrough", "-vf", "scale=1:1", "-pix_fmt", "gray"],
    ...["-f", "rawvideo"],
  ]);
  const bytes = await decodedBytes(path, [
    ...["-map", "0:a:0", "-af", "aresample=async=1:first_pts=0", "-ac", "1", "-ar", "48000"],
    ...["-f", "s16le"],
  ]);
  const [start] = await probe(path, "v:0", "format=start_time");
  const samples = new Int16Array(bytes.buffer, 0, bytes.byteLength >> 1);
  const light = parseFloat(shown[grey.findIndex((value) => value > 128)]);
  // FFmpeg moves a decoded file to begin at zero.
  return {
    light: light - parseFloat(start),
    sound: samples.findIndex((value) => Math.abs(value) > 8000) / 48_000,
  };
}

for (const type of ["mp4", "mov", "mkv", "webm", "avi", "nut", "ts", "flv"]) {
  Deno.test(`stream-client --video --output keeps video and audio in sync in ${type}`, async () => {
    await media.make("signal.mkv", [...SIGNAL, ...LOSSLESS, "-c:a", "pcm_s16le"]);
    await using server = await testServer({ media: media.path });
    const path = await record(server, ["--video", "signal.mkv"], `signal.${type}`);
    const { light, sound } = await beginnings(path);
    assertAlmostEquals(sound, light, 0.045, `light at ${light} s, sound at ${sound} s`);
    assertAlmostEquals(light, 0.6, 0.07);
  });
}

for (const type of ["wav", "flac", "mp3", "m4a", "ogg", "opus"]) {
  Deno.test(`stream-client --video --output writes the audio of a video as ${type}`, async () => {
    await media.make("song.mp4", [...pictures(), ...tone(), ...BY_X264, "-c:a", "aac"]);
    await media.make("song.wav", [...tone(), "-c:a", "pcm_s16le"]);
    await using server = await testServer({ media: media.path });
    for (const name of type === "ogg" ? ["song.wav"] : ["song.mp4", "song.wav"]) {
      const path = await record(server, ["--video", name], `${name}.${type}`);
      assertEquals(await probe(path, "v", "stream=codec_type"), []);
      const [seconds] = await probe(path, "a:0", "format=duration");
      assertAlmostEquals(parseFloat(seconds), 1, 0.12, name);
    }
  });
}

Deno.test("stream-client --video --output keeps the samples of lossless audio", async () => {
  const source = await media.make("song.wav", [...tone(), "-c:a", "pcm_s16le"]);
  await using server = await testServer({ media: media.path });
  for (const type of ["wav", "flac"]) {
    const path = await record(server, ["--video", "song.wav"], `exact.${type}`);
    assertEquals(
      await decodedBytes(path, ["-f", "md5"]),
      await decodedBytes(source, ["-f", "md5"]),
    );
  }
});

Deno.test("stream-client --video --output reports how much audio came", async () => {
  await media.make("song.wav", [...tone(), "-c:a", "pcm_s16le"]);
  await using server = await testServer({ media: media.path });
  const args = ["--video", "song.wav", "--output", results.pathOf("said.wav"), ...at(server)];
  assertMatch(
    (await runInside(args)).stderr,
    /^Received 00:01\.0 of sound in [\d:.]+, 19\d kB; wrote/,
  );
});

/** Sources whose colours are easily lost, and how their pictures are made comparable. */
const COLOURS: Record<string, string[]> = {
  "full range.avi": [...pictures(), "-c:v", "mjpeg", "-q:v", "1", "-pix_fmt", "yuvj420p"],
  "full range 444.avi": [...pictures(), "-c:v", "mjpeg", "-q:v", "1", "-pix_fmt", "yuvj444p"],
  "limited.mkv": [...pictures(), ...LOSSLESS, "-pix_fmt", "yuv420p"],
  "bt709.mp4": [
    ...[...pictures(), "-vf", "scale=out_color_matrix=bt709:out_range=tv", ...BY_X264],
    ...["-colorspace", "bt709", "-color_range", "tv", "-qp", "4"],
  ],
  "rgb.mkv": [...pictures(), ...LOSSLESS, "-pix_fmt", "bgr0"],
  "ten bits.mkv": [...pictures(), ...LOSSLESS, "-pix_fmt", "yuv420p10le"],
  "422.mkv": [...pictures(), ...LOSSLESS, "-pix_fmt", "yuv422p"],
  "grey.mkv": [...pictures(), ...LOSSLESS, "-pix_fmt", "gray"],
  "grey ten.mkv": [...pictures(), ...LOSSLESS, "-pix_fmt", "gray10le"],
};

for (const [name, args] of Object.entries(COLOURS)) {
  Deno.test(`stream-client --video --output keeps the colours of ${name}`, async () => {
    const source = await media.make(name, [...args, "-t", "0.2"]);
    await using server = await testServer({ media: media.path });
    const filter = "format=rgba,scale=8:6:flags=area";
    await Promise.all(["mp4", "mkv", "webm", "avi"].map(async (type) => {
      const path = await record(server, ["--video", name], `${name}.${type}`);
      // AVI does not store the matrix.
      assertLess(await difference(path, source, { filter }), type === "avi" ? 5 : 3, type);
    }));
    const path = await record(server, ["--image", name], `${name}.png`);
    assertLess(await difference(path, source), 1.1, "png");
  });
}

for (const format of ["yuv420p", "yuv420p10le", "gbrp"]) {
  Deno.test(`stream-client --video --output keeps the last row and column of ${format}`, async () => {
    const name = `odd ${format}.mkv`;
    const size = pictures({ size: "65x47" });
    const source = await media.make(name, [...size, ...LOSSLESS, "-pix_fmt", format, "-t", "0.2"]);
    await using server = await testServer({ media: media.path });
    await Promise.all(["mp4", "mkv", "webm", "ts"].map(async (type) => {
      const path = await record(server, ["--video", name], `${name}.${type}`);
      const grown = ["mp4", "ts"].includes(type);
      const [size] = await probe(path, "v:0", "stream=width,height");
      assertEquals(size, grown ? "66,48" : "65,47", type);
      const filter = "format=gray,crop=65:47:0:0,crop=4:4:61:43,format=rgba";
      assertLess(await difference(path, source, { filter }), 12, type);
    }));
  });
}

Deno.test("stream-client --video --output writes 4:2:0 if players support nothing else", async () => {
  await media.make("444.mkv", [...pictures({ size: "65x47" }), ...LOSSLESS, "-pix_fmt", "yuv444p"]);
  await using server = await testServer({ media: media.path });
  for (const type of ["mp4", "mov", "webm", "ts", "flv"]) {
    const path = await record(server, ["--video", "444.mkv"], `444.${type}`);
    const [format] = await probe(path, "v:0", "stream=pix_fmt");
    assertEquals(format, "yuv420p", type);
  }
});

Deno.test("stream-client --video --output keeps transparency if the type has it", async () => {
  const alpha = "format=yuva444p,geq=lum='lum(X,Y)':cb=128:cr=128:a='4*X'";
  const source = await media.make("alpha.mkv", [
    ...pictures(),
    "-vf",
    alpha,
    ...LOSSLESS,
    "-t",
    "0.2",
  ]);
  await using server = await testServer({ media: media.path });
  const webm = await record(server, ["--video", "alpha.mkv"], "alpha.webm");
  assertLess(await difference(webm, source, { decoder: ["-c:v", "libvpx-vp9"] }), 8);
  const png = await record(server, ["--image", "alpha.mkv"], "alpha.png");
  assertLess(await difference(png, source), 1);
});

Deno.test("stream-client --output writes what a phone filmed upright", async () => {
  const source = await media.make("phone.mp4", [...pictures({ seconds: 0.4 }), ...BY_X264]);
  await turnClockwise(source, { height: 48 });
  await using server = await testServer({ media: media.path });
  for (const type of ["mp4", "mkv"]) {
    const path = await record(server, ["--video", "phone.mp4"], `phone.${type}`);
    assertEquals(await probe(path, "v:0", "stream=width,height"), ["48,64"]);
    assertLess(await difference(path, source), 8);
  }
  const path = await record(server, ["--image", "phone.mp4"], "phone.png");
  assertLess(await difference(path, source), 1);
});

Deno.test("stream-client --image and --video get the server's default without a name", async () => {
  const image = await media.make("rgb.png", [...pictures(), "-frames:v", "1"]);
  await media.make("25.mkv", RATES["25.mkv"]);
  const defaults = { image: "rgb.png", video: "25.mkv" };
  await using server = await testServer({ media: media.path, defaults });
  const [png, mkv] = [results.pathOf("choice.png"), results.pathOf("choice.mkv")];
  assertEquals((await runInside(["--image", "--output", png, ...at(server)])).status, 0);
  assertEquals(await difference(png, image), 0);
  assertEquals((await runInside(["--video", "--output", mkv, ...at(server)])).status, 0);
  assertEquals((await moments(mkv)).length, 25);
});

Deno.test("stream-client --size, --pixel-format, --start, --duration and --no-audio take effect", async () => {
  await media.make("song.mp4", [...pictures(), ...tone(), ...BY_X264, "-c:a", "aac"]);
  await using server = await testServer({ media: media.path });
  const path = results.pathOf("part.mkv");
  const how = ["--size", "32x", "--pixel-format", "gray", "--start", "0.2", "--duration", "0.4"];
  const args = [
    "--video",
    "song.mp4",
    "--output",
    path,
    ...how,
    "--no-audio",
    "--json",
    ...at(server),
  ];
  const { status, stdout } = await runInside(args);
  const { frames, audioFrames, bytes } = JSON.parse(stdout);
  assertEquals([status, frames, audioFrames, bytes], [0, 10, 0, 10 * 32 * 24]);
  assertEquals(await probe(path, "v:0", "stream=width,height"), ["32,24"]);
  assertEquals(await probe(path, "a", "stream=codec_type"), []);
  assert((await moments(path)).length === 10);
});
