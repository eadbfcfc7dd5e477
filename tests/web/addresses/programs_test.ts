import { assert, assertEquals, assertMatch } from "@std/assert";
import { PLAYLIST_TYPE } from "../../../lib/web/addresses/hls/playlist.ts";
import { findPython } from "../../peers/python.ts";
import { mediaFolder, pictures, run, tone } from "../../support/media/media_folder.ts";
import { addressServer, urlOf } from "../../support/peers/address_server.ts";
import { Chromium } from "../../support/screens/chromium.ts";
import { testIf, testWith } from "../../support/test_if.ts";

const media = mediaFolder();

const CAMERA = "cam=lavfi:testsrc=size=64x48:rate=25[out0];sine[out1]";

const python = await findPython(["cv2"]);

testIf(python !== undefined, "no OpenCV for Python")(
  "OpenCV captures a stream of JPEGs, and HLS",
  async () => {
    await using server = await addressServer(media.path, { sources: [CAMERA] });
    const script = `import cv2, sys
for url in sys.argv[1:]:
    capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG)
    print([capture.read()[1].shape for _ in range(3)])
    capture.release()`;
    const urls = ["/stream/cam.mjpg?width=32", "/hls/cam/index.m3u8"].map((path) =>
      urlOf(server, path)
    );
    const { stdout, stderr } = await new Deno.Command(python ?? "", {
      args: ["-c", script, ...urls],
    }).output();
    const shapes = ["(24, 32, 3)", "(48, 64, 3)"].map((one) => `[${[one, one, one].join(", ")}]\n`);
    assertEquals(
      new TextDecoder().decode(stdout),
      shapes.join(""),
      new TextDecoder().decode(stderr),
    );
  },
);

/** A page of another port that shows a picture. */
function otherPage(picture: string): Deno.HttpServer<Deno.NetAddr> {
  const page = `<!DOCTYPE html><title>Printer</title><link rel="icon" href="data:,">
    <img id="stream" src="${picture}">`;
  const headers = { "Content-Type": "text/html" };
  return Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response(page, { headers }),
  );
}

testWith("chromium")("a browser shows a stream of JPEGs as an image, and goes on", async () => {
  await using server = await addressServer(media.path, { sources: [CAMERA] });
  await using browser = await Chromium.start();
  const page = await browser.open(urlOf(server, "/"));
  const stream = urlOf(server, "/stream/cam.mjpg");
  await page.evaluate(`document.body.append(Object.assign(new Image(), {
    id: "stream", src: ${JSON.stringify(stream)} }))`);
  await page.until(`document.querySelector("#stream").naturalWidth === 64`);
  // The moving part, and the number of the frame, change.
  const pixels = `(() => {
    const context = new OffscreenCanvas(64, 48).getContext("2d");
    context.drawImage(document.querySelector("#stream"), 0, 0);
    return context.getImageData(0, 0, 64, 48).data.join();
  })()`;
  const first = await page.evaluate<string>(pixels);
  await page.until(`${pixels} !== ${JSON.stringify(first)}`);
  assertEquals(page.complaints, []);
  await using other = otherPage(stream);
  const beside = await browser.open(`http://127.0.0.1:${other.addr.port}/`);
  await beside.until(`document.querySelector("#stream").naturalWidth === 64`);
  assertEquals(beside.complaints, []);
});

testWith("chromium")("a browser plays HLS by itself, live and of a file", async () => {
  const nine = { seconds: 9 };
  await media.make("m/nine.mkv", [...pictures(nine), ...tone(nine), "-c:v", "mpeg4"]);
  await using server = await addressServer(media.pathOf("m"), { sources: [CAMERA] });
  await using browser = await Chromium.start("--autoplay-policy=no-user-gesture-required");
  const page = await browser.open(urlOf(server, "/"));
  const canPlay = `document.createElement("video").canPlayType("${PLAYLIST_TYPE}") !== ""`;
  // Chromium plays it since version 142.
  if (!await page.evaluate<boolean>(canPlay)) return;
  const play = async (name: string, id: string) => {
    await page.evaluate(`document.body.append(Object.assign(document.createElement("video"), {
      id: "${id}", muted: true, autoplay: true, src: "/hls/${name}/index.m3u8" }))`);
    await page.until(`document.querySelector("#${id}").currentTime > 0.5`);
  };
  await play("cam", "live");
  await play("nine.mkv", "file");
  const file = `document.querySelector("#file")`;
  assertEquals(Math.round(await page.evaluate<number>(`${file}.duration`)), 9);
  // A seek to a segment that has not been made.
  await page.evaluate(`${file}.currentTime = 8.2`);
  await page.until(`!${file}.seeking && ${file}.currentTime >= 8.2`);
});

Deno.test("ffmpeg records HLS of a file, and loses nothing", async () => {
  const five = { seconds: 5 };
  const coded = ["-c:v", "mpeg4", "-c:a", "pcm_s16le"];
  await media.make("m/trips/five.mkv", [...pictures(five), ...tone(five), ...coded]);
  await using server = await addressServer(media.pathOf("m"));
  const out = media.pathOf("out.mp4");
  const url = urlOf(server, "/hls/trips/five.mkv/index.m3u8");
  await run("ffmpeg", ["-y", "-i", url, "-c", "copy", `file:${out}`]);
  const args = ["-count_packets", "-show_entries", "stream=codec_name,nb_read_packets,duration"];
  const seen = new TextDecoder().decode(await run("ffprobe", [...args, "-of", "csv=p=0", out]));
  const [video, audio] = seen.trim().split("\n");
  assertMatch(video, /^h264,5\.0\d+,125$/);
  assertMatch(audio, /^aac,5\.0\d+,23\d$/);
  assert(server.lines.some((line) => line.includes("five.mkv")));
});
