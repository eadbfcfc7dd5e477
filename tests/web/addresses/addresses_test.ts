import { assert, assertEquals, assertMatch } from "@std/assert";
import { mediaFolder, pictures, run, tone } from "../../support/media/media_folder.ts";
import { addressServer, urlOf } from "../../support/peers/address_server.ts";
import type { TestServer } from "../../support/peers/test_server.ts";
import { testPage } from "../../support/screens/page.ts";

const media = mediaFolder();

const CODED = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"];

/** A live source with sound. */
const CAMERA = "cam=lavfi:testsrc=size=64x48:rate=25[out0];sine[out1]";

/** A server of a folder and a camera. */
async function exampleServer(): Promise<TestServer> {
  const one = { seconds: 1 };
  await media.make("m/trips/süd 1%.mkv", [...pictures(one), ...tone(one), ...CODED]);
  await media.make("m/photo.png", [...pictures(), "-frames:v", "1"]);
  const server = await addressServer(media.pathOf("m"), { sources: [CAMERA] });
  await server.probeAll();
  return server;
}

/** Path of a file with characters that have to be encoded. */
const SEA = `trips/${encodeURIComponent("süd 1%.mkv")}`;

/** Codec and size of an image, by ffprobe. */
async function sizeOf(name: string, bytes: Uint8Array): Promise<string> {
  const path = await media.write(`got/${name}`, bytes);
  const args = ["-show_entries", "stream=codec_name,width,height", "-of", "csv=p=0", path];
  return new TextDecoder().decode(await run("ffprobe", args)).trim();
}

/** Detail and status of a refusal. */
async function refusalOf(url: string, init?: RequestInit): Promise<[number, string, string]> {
  const response = await fetch(url, init);
  assertEquals(response.headers.get("Content-Type"), "application/problem+json");
  const { status, code, detail } = await response.json();
  assertEquals(status, response.status);
  return [status, code, detail];
}

Deno.test("a snapshot is a JPEG of a file at a time, or of a live source now", async () => {
  await using server = await exampleServer();
  const still = await fetch(urlOf(server, `/snapshot/${SEA}.jpg?start=0.5&width=32`));
  assertEquals(still.headers.get("Content-Type"), "image/jpeg");
  assertEquals(await sizeOf("still.jpg", await still.bytes()), "mjpeg,32,24");
  const live = await fetch(urlOf(server, "/snapshot/cam.jpg"));
  assertEquals(await sizeOf("live.jpg", await live.bytes()), "mjpeg,64,48");
  const photo = urlOf(server, "/snapshot/photo.png.jpg?quality=20");
  const first = await fetch(photo);
  const size = (await first.bytes()).byteLength;
  const tag = first.headers.get("ETag") ?? "";
  const second = await fetch(photo, { headers: { "If-None-Match": tag } });
  assertEquals([second.status, await second.text()], [304, ""]);
  const head = await fetch(photo, { method: "HEAD" });
  assertEquals([head.headers.get("Content-Length"), await head.text()], [String(size), ""]);
});

Deno.test("a stream of JPEGs is what ffprobe and ffmpeg read", async () => {
  await using server = await exampleServer();
  const url = urlOf(server, `/stream/${SEA}.mjpg?width=32&fps=10`);
  const args = ["-count_packets", "-show_entries", "stream=codec_name,width,nb_read_packets"];
  const seen = new TextDecoder().decode(await run("ffprobe", [...args, "-of", "csv=p=0", url]));
  assertMatch(seen, /^mjpeg,32,\d+\s$/);
  const live = ["-f", "mpjpeg", "-i", urlOf(server, "/stream/cam.mjpg"), "-frames:v", "3"];
  const frames = new TextDecoder().decode(await run("ffmpeg", [...live, "-f", "framemd5", "-"]));
  assertEquals(frames.split("\n").filter((line) => line.startsWith("0,")).length, 3);
});

Deno.test("refusals are problem details with what the protocol says", async () => {
  await using server = await exampleServer();
  const none = 'Cannot find "trips/none": no such media, see the list of media';
  for (const path of ["/snapshot/trips/none.jpg", "/stream/trips/none.mjpg", "/media/trips/none"]) {
    assertEquals(await refusalOf(urlOf(server, path)), [404, "not_found", none]);
  }
  const hls = await refusalOf(urlOf(server, "/hls/trips/none/index.m3u8"));
  assertEquals(hls, [404, "not_found", none]);
  const [status, code, detail] = await refusalOf(urlOf(server, "/stream/cam.mjpg?fps=1000"));
  assertEquals([status, code], [400, "bad_request"]);
  assertMatch(detail, /^Cannot use fps 1000: expected a number from 0\.01 to 240$/);
  const start = await refusalOf(urlOf(server, "/snapshot/cam.jpg?start=5"));
  assertEquals(start.slice(0, 2), [400, "bad_request"]);
  const live = await refusalOf(urlOf(server, "/media/cam"));
  assertEquals(live.slice(0, 2), [404, "not_found"]);
});

Deno.test("the list has a tag, and is for HEAD, too", async () => {
  await using server = await exampleServer();
  const url = urlOf(server, "/api/list");
  const list = await fetch(url);
  const { entries } = await list.json();
  assertEquals(entries.map(({ name }: { name: string }) => name), [
    ...["cam", "photo.png", "trips/süd 1%.mkv"],
  ]);
  const tag = list.headers.get("ETag") ?? "";
  const again = await fetch(url, { headers: { "If-None-Match": tag } });
  assertEquals([again.status, await again.text()], [304, ""]);
  const head = await fetch(url, { method: "HEAD" });
  assertEquals([head.status, head.headers.get("ETag")], [200, tag]);
});

Deno.test("a file is given whole or in ranges, to curl", async () => {
  await using server = await exampleServer();
  const bytes = await Deno.readFile(media.pathOf("m/trips/süd 1%.mkv"));
  const url = urlOf(server, `/media/${SEA}`);
  const whole = await fetch(url);
  assertEquals(await whole.bytes(), bytes);
  await server.logged(
    new RegExp(` request ends command=get_file .* result=done .* bytes=${bytes.byteLength} `),
  );
  const curl = async (...args: string[]) => {
    const { code, stdout } = await new Deno.Command("curl", { args: ["-sS", ...args, url] })
      .output();
    assertEquals(code, 0);
    return stdout;
  };
  assertEquals(await curl(), bytes);
  assertEquals(await curl("--range", "100-199"), bytes.slice(100, 200));
  assertEquals(await curl("--range", "-10"), bytes.slice(-10));
  // A download that goes on.
  const part = await media.write("part.mkv", bytes.subarray(0, 1000));
  await curl("--continue-at", "-", "--output", part);
  assertEquals(await Deno.readFile(part), bytes);
  const status = await curl(
    "--range",
    `${bytes.byteLength}-`,
    "-o",
    "/dev/null",
    "-w",
    "%{http_code}",
  );
  assertEquals(new TextDecoder().decode(status), "416");
  const head = new TextDecoder().decode(await curl("--head"));
  assertMatch(head, /^HTTP\/1\.1 200 OK\r\n/);
  assertMatch(head, new RegExp(`content-length: ${bytes.byteLength}\r\n`, "i"));
  assertMatch(
    head,
    /content-disposition: inline; filename="s_d 1_.mkv"; filename\*=UTF-8''s%C3%BC/i,
  );
  const frames = [
    "-count_packets",
    "-select_streams",
    "v",
    "-show_entries",
    "stream=nb_read_packets",
  ];
  const seen = await run("ffprobe", [...frames, "-of", "csv=p=0", url]);
  assertEquals(new TextDecoder().decode(seen).trim(), "25");
});

Deno.test("paths lead to nothing outside of the folder", async () => {
  await using server = await exampleServer();
  await media.write("secret.mkv", "secret");
  await Deno.symlink(media.pathOf("secret.mkv"), media.pathOf("m/link.mkv"));
  const outside = [
    "..%2Fsecret.mkv",
    "trips%2F..%2F..%2Fsecret.mkv",
    "link.mkv",
    "%2Fetc%2Fpasswd",
  ];
  for (const name of [...outside, ".%2Fphoto.png", "trips%5C..%5Cphoto.png", "photo.png%2F"]) {
    const [status] = await refusalOf(urlOf(server, `/media/${name}`));
    assertEquals(status, 404, name);
  }
  const [nul] = await refusalOf(urlOf(server, "/media/photo.png%00.mkv"));
  assert(nul === 404 || nul === 400);
  assertEquals((await refusalOf(urlOf(server, "/media/%ff")))[0], 400);
  assertEquals((await refusalOf(urlOf(server, `/media/${"x".repeat(5000)}`)))[0], 404);
  await Deno.remove(media.pathOf("m/link.mkv"));
});

Deno.test("the page of a client has the same addresses, but no files", async () => {
  await using server = await exampleServer();
  await using page = await testPage(server);
  const still = await page.fetch(`/snapshot/${SEA}.jpg`);
  assertEquals(await sizeOf("client.jpg", await still.bytes()), "mjpeg,64,48");
  const playlist = await page.fetch(`/hls/${SEA}/index.m3u8`);
  assertMatch(await playlist.text(), /\n0\.m4s\n#EXT-X-ENDLIST\n$/);
  const segment = await page.fetch(`/hls/${SEA}/0.m4s`);
  assertEquals([segment.status, (await segment.bytes()).byteLength > 1000], [200, true]);
  const stream = await page.fetch("/stream/cam.mjpg");
  assertEquals(stream.status, 200);
  await stream.body?.cancel();
  const [status, code, detail] = await refusalOf(`http://${page.host}/media/${SEA}`);
  assertEquals([status, code], [404, "not_found"]);
  assertMatch(detail, /files are not given here$/);
});
