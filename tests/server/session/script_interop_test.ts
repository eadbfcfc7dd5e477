/** Real Python scripts, as people have them, against this server: OpenCV is the measure. */
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { findPython } from "../../peers/python.ts";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";
import { type TestServer, testServer } from "../../support/peers/test_server.ts";

const media = mediaFolder();
const CLIENT = new URL("../../peers/script_client.py", import.meta.url).pathname;
const python = await findPython(["numpy", "cv2"]);

/** Prints, for each file, the MD5 and the shape of every picture that OpenCV reads, as JSON. */
const BY_OPENCV = `
import hashlib, json, sys
import cv2
def frames(kind, path):
    if kind == "image":
        yield cv2.imread(path)
        return
    capture = cv2.VideoCapture(path)
    while True:
        found, frame = capture.read()
        if not found:
            return
        yield frame
kind, *paths = sys.argv[1:]
for path in paths:
    print(json.dumps([
        {"shape": frame.shape, "md5": hashlib.md5(frame.tobytes()).hexdigest()}
        for frame in frames(kind, path)
    ]))
`;

/** Prints how far a saved frame is from what OpenCV reads: the most, and on average. */
const DISTANCE = `
import json, sys
import cv2, numpy
distance = numpy.abs(numpy.load(sys.argv[1]).astype(int) - cv2.imread(sys.argv[2]))
print(json.dumps({"most": int(distance.max()), "mean": float(distance.mean())}))
`;
import { testIf } from "../../support/test_if.ts";

const STILL = [...pictures({ size: "320x240", seconds: 0.04 }), "-frames:v", "1"];
const ODD = [...pictures({ size: "321x241", seconds: 0.04 }), "-frames:v", "1"];
const SHORT = pictures({ size: "160x120", seconds: 0.4 });
const NOISY = ["-vf", "noise=alls=100:all_seed=1"];
const BY_X264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p"];

/** Stills that arrive exactly as `cv2.imread` gives them. */
const STILLS: Record<string, readonly string[]> = {
  "rgb.png": [...STILL, "-pix_fmt", "rgb24"],
  "grey.png": [...STILL, "-pix_fmt", "gray"],
  "black and white.png": [...STILL, "-pix_fmt", "monob"],
  "alpha.png": [...STILL, "-vf", "format=rgba,colorchannelmixer=aa=0.3", "-pix_fmt", "rgba"],
  "grey and alpha.png": [
    ...STILL,
    "-vf",
    "format=rgba,colorchannelmixer=aa=0.3",
    "-pix_fmt",
    "ya8",
  ],
  "palette.png": [...STILL, "-pix_fmt", "pal8"],
  "odd size.png": [...ODD, "-pix_fmt", "rgb24"],
  "odd size in grey.png": [...ODD, "-pix_fmt", "gray"],
  "rgb of 16 bits.png": [...STILL, ...NOISY, "-pix_fmt", "rgb48be"],
  "alpha of 16 bits.png": [...ODD, ...NOISY, "-pix_fmt", "rgba64be"],
  "grey of 16 bits.png": [...ODD, ...NOISY, "-pix_fmt", "gray16be"],
  "grey and alpha of 16 bits.png": [...STILL, ...NOISY, "-pix_fmt", "ya16be"],
  "bitmap.bmp": [...ODD, "-pix_fmt", "bgr24"],
  "tiff.tiff": [...ODD, "-pix_fmt", "rgb24"],
};

/** Videos whose every frame arrives as `cv2.VideoCapture` gives it. */
const VIDEOS: Record<string, readonly string[]> = {
  "h264.mp4": [...SHORT, ...BY_X264, "-bf", "2"],
  "29.97.mp4": [...pictures({ rate: "30000/1001", seconds: 0.4 }), ...BY_X264],
  "with sound.mp4": [...SHORT, ...tone({ seconds: 0.4 }), ...BY_X264, "-c:a", "aac"],
  "bt709.mp4": [...SHORT, ...BY_X264, "-colorspace", "bt709", "-color_range", "tv"],
  // OpenCV converts the whole coded picture. Where that is higher than the picture, as with H.264
  // of 160×120, colours of its padding get into the last rows of deep pictures: by 4 at the most.
  "10 bits.mkv": [
    ...pictures({ size: "160x128", seconds: 0.4 }),
    ...["-c:v", "libx264", "-pix_fmt", "yuv420p10le"],
  ],
  "odd size.mkv": [...pictures({ size: "161x121", seconds: 0.4 }), "-c:v", "ffv1"],
  "mjpeg.avi": [...SHORT, "-c:v", "mjpeg", "-pix_fmt", "yuvj420p"],
  "grey.mkv": [...SHORT, "-c:v", "ffv1", "-pix_fmt", "gray"],
  "animated.gif": SHORT,
  "later.ts": [...SHORT, ...BY_X264, "-output_ts_offset", "100"],
};

/** A line of the Python client. */
interface Line {
  shape?: number[];
  dtype?: string;
  md5?: string;
  /** Seconds after the first frame. */
  at?: number;
  end?: boolean;
}

const interop = testIf(python !== undefined, "no python3 with numpy and cv2");

async function runPython<T>(args: readonly string[]): Promise<T[]> {
  const { code, stdout, stderr } = await new Deno.Command(python ?? "python3", {
    args: [...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  const lines = new TextDecoder().decode(stdout).trim().split("\n");
  return lines.map((line): T => JSON.parse(line));
}

/** Runs the Python client: its frames, and whether the server said `end`. */
async function receive(server: TestServer, command: string, extra: readonly string[] = []) {
  const address = ["127.0.0.1", String(server.address.port)];
  const lines = await runPython<Line>([CLIENT, ...address, command, ...extra]);
  return { frames: lines.slice(0, -1), end: lines.at(-1)?.end };
}

/** Makes samples; gives, by name, what OpenCV itself reads from each. */
async function readByOpenCv(kind: "image" | "video", samples: Record<string, readonly string[]>) {
  const made = Object.entries(samples).map(([name, args]) => media.make(name, args));
  const paths = await Promise.all(made);
  const pictures = await runPython<Line[]>(["-c", BY_OPENCV, kind, ...paths]);
  return Object.keys(samples).map((name, index) => ({ name, expected: pictures[index] }));
}

function pictureOf({ shape, md5 }: Line): Line {
  return { shape, md5 };
}

interop("get_image gives Python the pixels of cv2.imread", async () => {
  const samples = await readByOpenCv("image", STILLS);
  await Promise.all(samples.map(async ({ name, expected }) => {
    await using server = await testServer({ media: media.path, defaults: { image: name } });
    const { frames, end } = await receive(server, "get_image");
    assertEquals(frames.map(pictureOf), expected, name);
    assertEquals([frames.length, frames[0].dtype, end], [1, "uint8", true], name);
  }));
});

interop("get_image gives Python a JPEG about as cv2.imread does", async () => {
  const path = await media.make("photo.jpg", [...STILL, "-pix_fmt", "yuvj420p"]);
  await using server = await testServer({ media: media.path, defaults: { image: "photo.jpg" } });
  const { frames } = await receive(server, "get_image", ["--save", media.path]);
  assertEquals(frames[0].shape, [240, 320, 3]);
  const [{ mean, most }] = await runPython<{ mean: number; most: number }>(
    ["-c", DISTANCE, `${media.path}/000000.npy`, path],
  );
  // Decoders interpolate colours between pixels in ways of their own, most at sharp edges.
  assertLess(mean, 1);
  assertLess(most, 80);
});

interop("get_video gives Python the frames of cv2.VideoCapture", async () => {
  const samples = await readByOpenCv("video", VIDEOS);
  await Promise.all(samples.map(async ({ name, expected }) => {
    await using server = await testServer({ media: media.path, defaults: { video: name } });
    const { frames, end } = await receive(server, "get_video");
    assertGreater(frames.length, 9, name);
    assertEquals(frames.map(pictureOf), expected, name);
    assertEquals(end, true, name);
  }));
});

interop("get_video lasts as long as the video, for several Python clients at once", async () => {
  await media.make("two seconds.mp4", [...pictures({ seconds: 2 }), ...BY_X264]);
  await media.make("a.png", STILL);
  const defaults = { video: "two seconds.mp4", image: "a.png" };
  await using server = await testServer({ media: media.path, defaults });
  const [first, second, third, image] = await Promise.all([
    receive(server, "get_video"),
    receive(server, "get_video"),
    receive(server, "get_video"),
    receive(server, "get_image"),
  ]);
  assertEquals(first.frames.map(pictureOf), second.frames.map(pictureOf));
  for (const { frames, end } of [first, second, third]) {
    assertEquals([frames.length, end], [50, true]);
    // The last of 50 frames is due 1.96 s after the first, which may have been seen late.
    const seconds = frames.at(-1)?.at ?? 0;
    assert(seconds > 1.96 / 2, `${seconds} s`);
  }
  assertEquals([image.frames.length, image.end], [1, true]);
});

interop("get_image and get_video give Python the first of their kind", async () => {
  const folder = "first of their kind";
  await media.make(`${folder}/b.avi`, [...SHORT, "-c:v", "mjpeg"]);
  await media.make(`${folder}/a.png`, STILL);
  await media.make(`${folder}/sound.wav`, tone({ seconds: 0.1 }));
  await using server = await testServer({ media: media.pathOf(folder) });
  assertEquals((await receive(server, "get_image")).frames[0].shape, [240, 320, 3]);
  assertEquals((await receive(server, "get_video")).frames[0].shape, [120, 160, 3]);
});

interop("get_video closes without a farewell where there is nothing to send", async () => {
  await Deno.mkdir(media.pathOf("empty"));
  await using server = await testServer({ media: media.pathOf("empty") });
  assertEquals(await receive(server, "get_video"), { frames: [], end: false });
});
