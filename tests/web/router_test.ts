import { assert, assertEquals, assertMatch } from "@std/assert";
import { Secret } from "../../lib/net/secret.ts";
import { mediaFolder, pictures, run, tone, turnPhoto } from "../support/media/media_folder.ts";
import { describe, end, frame, say, ScriptedServer } from "../support/peers/scripted_server.ts";
import { testServer } from "../support/peers/test_server.ts";
import { testPage } from "../support/screens/page.ts";

const media = mediaFolder();

/** Codec and size of an image, by ffprobe. */
async function sizeOf(name: string, bytes: Uint8Array): Promise<string> {
  const path = await media.write(`got/${name}`, bytes);
  const args = ["-show_entries", "stream=codec_name,width,height", "-of", "csv=p=0", path];
  return new TextDecoder().decode(await run("ffprobe", args)).trim();
}

async function folder(): Promise<string> {
  const coded = ["-c:v", "libx264", "-pix_fmt", "yuv420p"];
  await media.make("m/b.mp4", [...pictures({ size: "640x480" }), ...coded]);
  await media.make("m/tone.flac", [...tone(), "-c:a", "flac"]);
  const photo = await media.make("m/photo.jpg", [...pictures(), "-frames:v", "1"]);
  await turnPhoto(photo, 6);
  return media.pathOf("m");
}

Deno.test("the page and its files are served, and may load nothing else", async () => {
  await using server = await testServer({ media: await folder() });
  await using page = await testPage(server);
  const index = await page.fetch("/");
  assertEquals(index.headers.get("Content-Type"), "text/html; charset=utf-8");
  const { headers } = index;
  const policy = headers.get("Content-Security-Policy") ?? "";
  assertMatch(policy, /^default-src 'none'; script-src 'self'; style-src 'self'; /);
  assert(!policy.includes("unsafe"));
  assertEquals(headers.get("X-Content-Type-Options"), "nosniff");
  assertEquals(headers.get("Referrer-Policy"), "no-referrer");
  const text = await index.text();
  // Every file that the page names, and that its scripts import, exists.
  const waiting = [...text.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path]) => path);
  const seen = new Set<string>();
  for (let path; (path = waiting.pop()) !== undefined;) {
    if (seen.has(path)) continue;
    seen.add(path);
    const response = await page.fetch(path);
    const content = await response.text();
    assertEquals(response.status, 200, path);
    const imports = path.endsWith(".js") ? content.matchAll(/from "(\.[\w./]+)"/g) : [];
    waiting.push(...[...imports].map(([, found]) => new URL(found, `http://x${path}`).pathname));
  }
  assert(seen.has("/page.js") && seen.has("/page.css") && seen.has("/icon.svg"));
});

Deno.test("the list has the server's media, and the start view of the command line", async () => {
  await using server = await testServer({ media: await folder() });
  await using page = await testPage(server, ["--image", "photo.jpg"]);
  const list = await (await page.fetch("/api/list")).json();
  assertEquals(list.server, `127.0.0.1:${server.address.port}`);
  assertEquals(list.classic, false);
  assertEquals(list.start, { kind: "image", name: "photo.jpg", at: 0, loop: false, speed: 1 });
  assertEquals(list.entries.map(({ name, kind }: Record<string, string>) => [name, kind]), [
    ...[["b.mp4", "video"], ["photo.jpg", "image"], ["tone.flac", "audio"]],
  ]);
  await using plain = await testPage(server);
  assertEquals((await (await plain.fetch("/api/list")).json()).start, null);
});

Deno.test("the page knows the server and the start view before it lists media", async () => {
  await using server = await testServer({ media: await folder() });
  await using page = await testPage(server, ["--video", "b.mp4", "--start", "1.5", "--loop"]);
  const info = await (await page.fetch("/api/info")).json();
  assertEquals(info.server, `127.0.0.1:${server.address.port}`);
  assertEquals(info.start, { kind: "video", name: "b.mp4", at: 1.5, loop: true, speed: 1 });
  // The client has no files of its own to offer.
  assertEquals([info.classic, info.files, typeof info.follows], [false, false, "boolean"]);
});

Deno.test("a page that follows the library does not delay the end of the program", async () => {
  await using server = await testServer({ media: await folder() });
  await using page = await testPage(server);
  const response = await page.fetch("/api/events");
  assertEquals(response.headers.get("Content-Type"), "text/event-stream");
  const reader = response.body!.getReader();
  assertEquals(new TextDecoder().decode((await reader.read()).value), "retry: 3000\n\n");
  assertEquals((await page.end()).status, 130);
  // The connection is closed at once, which may count as cut.
  await reader.read().catch(() => {});
});

Deno.test("an image is a PNG in full size, upright", async () => {
  await using server = await testServer({ media: await folder() });
  await using page = await testPage(server);
  const photo = await page.fetch("/api/image?name=photo.jpg");
  assertEquals(photo.headers.get("Content-Type"), "image/png");
  assertEquals(await sizeOf("photo.png", await photo.bytes()), "png,48,64");
  const still = await page.fetch("/api/image?name=b.mp4&start=0.5");
  assertEquals(await sizeOf("still.png", await still.bytes()), "png,640,480");
});

Deno.test("a thumbnail is a small JPEG, and is fetched once", async () => {
  await using server = await testServer({ media: await folder() });
  await server.probeAll();
  await using page = await testPage(server);
  const get = async () => {
    const response = await page.fetch("/api/thumbnail?name=b.mp4");
    assertEquals(response.headers.get("Content-Type"), "image/jpeg");
    assertEquals(response.headers.get("Cache-Control"), "private, max-age=60");
    return await response.bytes();
  };
  const first = await get();
  assertEquals(await sizeOf("small.jpg", first), "mjpeg,320,240");
  assertEquals(await Promise.all([get(), get()]), [first, first]);
  assertEquals(server.lines.filter((line) => /request begins .*get_image/.test(line)).length, 1);
});

Deno.test("audio and missing media have no thumbnail", async () => {
  await using server = await testServer({ media: await folder() });
  await using page = await testPage(server);
  for (const [name, reason] of [["tone.flac", "it is sound"], ["none", "there is none"]]) {
    const response = await page.fetch(`/api/thumbnail?name=${name}`);
    assertEquals(response.status, 404);
    const detail = `Cannot get a picture of "${name}": ${reason}`;
    const { title, code, ...problem } = await response.json();
    assertEquals([title, code, problem], ["Not Found", "not_found", { status: 404, detail }]);
  }
});

Deno.test("errors are problem details, of one line", async () => {
  await using server = await testServer({ media: await folder() });
  await using page = await testPage(server);
  const errorOf = async (path: string) => {
    const response = await page.fetch(path);
    assertEquals(response.headers.get("Content-Type"), "application/problem+json");
    const { code, detail } = await response.json();
    assertMatch(detail, /^Cannot [^\n]+$/);
    return [response.status, code];
  };
  assertEquals(await errorOf("/api/play?name=none"), [404, "not_found"]);
  assertEquals(await errorOf("/api/image?name=none"), [404, "not_found"]);
  assertEquals(await errorOf("/api/play?start=x"), [400, "bad_request"]);
  assertEquals(await errorOf("/api/other"), [404, "not_found"]);
  assertEquals(await errorOf("/api/play?name=b.mp4&start=100"), [400, "bad_request"]);
});

Deno.test("a server that is gone is an error, and the page stays available", async () => {
  const server = await testServer({ media: await folder() });
  await using page = await testPage(server);
  await server[Symbol.asyncDispose]();
  const response = await page.fetch("/api/list");
  const { code, detail } = await response.json();
  assertEquals([response.status, code], [502, "failed"]);
  assertMatch(detail, /^Cannot connect to 127\.0\.0\.1:\d+: nothing listens there/);
  const index = await page.fetch("/");
  assertEquals(index.status, 200);
  await index.bytes();
});

Deno.test("other sites, host names and methods are refused", async () => {
  await using server = await testServer({ media: await folder() });
  await using page = await testPage(server);
  const statusOf = async (init: RequestInit) => {
    const response = await page.fetch("/api/list", init);
    await response.bytes();
    return response.status;
  };
  assertEquals(await statusOf({ headers: { "Sec-Fetch-Site": "cross-site" } }), 403);
  assertEquals(await statusOf({ headers: { Origin: "https://evil.example" } }), 403);
  assertEquals(await statusOf({ method: "POST", body: "x" }), 405);
  assertEquals(await statusByHost(page.host, "evil.example"), 403);
  assertEquals(await statusByHost(page.host, "["), 400);
  assertEquals(await statusByHost(page.host, page.host), 200);
});

/** The status of a request with a header Host, which fetch() does not let one set. */
async function statusByHost(host: string, name: string): Promise<number> {
  const [hostname, port] = host.split(":");
  using socket = await Deno.connect({ hostname, port: Number(port) });
  const request = `GET /api/list HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`;
  await socket.write(new TextEncoder().encode(request));
  const bytes = new Uint8Array(65536);
  const count = await socket.read(bytes) ?? 0;
  const text = new TextDecoder().decode(bytes.subarray(0, count));
  return Number(text.match(/^HTTP\/1\.1 (\d+)/)?.[1]);
}

Deno.test("beyond loopback the token is required, and kept in a cookie", async () => {
  await using server = await testServer({ media: await folder() });
  await using page = await testPage(server, ["--http", "0.0.0.0:0"]);
  const { searchParams, port } = new URL(page.address);
  const token = searchParams.get("token") ?? "";
  assertMatch(token, /^[\w-]{22}$/);
  const shut = await page.fetch("/", { headers: { Accept: "text/html" } });
  assertEquals([shut.status, await shut.text()], [
    401,
    "Cannot show the page: expected the address with the token, as printed\n",
  ]);
  const wrong = await page.fetch(`/?token=${"x".repeat(22)}`, { redirect: "manual" });
  assertEquals([wrong.status, wrong.headers.get("Set-Cookie")], [401, null]);
  await wrong.bytes();
  const right = await page.fetch(`/?token=${token}`, { redirect: "manual" });
  await right.bytes();
  assertEquals([right.status, right.headers.get("Location")], [303, "/"]);
  const cookie = right.headers.get("Set-Cookie") ?? "";
  assertEquals(cookie, `stream_${port}=${token}; Path=/; HttpOnly; SameSite=Strict`);
  const list = await page.fetch("/api/list", { headers: { Cookie: cookie.split(";")[0] } });
  assertEquals(list.status, 200);
  await list.bytes();
});

Deno.test("a script has an image and a video", async () => {
  await using server = await testServer({
    media: await folder(),
    defaults: { image: "photo.jpg", video: "b.mp4" },
  });
  await using page = await testPage(server, ["--classic"]);
  const list = await (await page.fetch("/api/list")).json();
  assertEquals(list.entries.map(({ name }: { name: string }) => name), ["image", "video"]);
  const image = await page.fetch("/api/image?name=image");
  assertEquals(await sizeOf("classic.png", await image.bytes()), "png,48,64");
  const none = await page.fetch("/api/thumbnail?name=video");
  assertEquals(none.status, 404);
  await none.bytes();
  const play = await page.fetch("/api/play?name=video&can=h264");
  assertEquals([play.status, play.headers.get("X-Live")], [200, "1"]);
  assert((await play.bytes()).byteLength > 1000);
});

Deno.test("too many plays at once are refused", async () => {
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, describe(), ...Array.from({ length: 50 }, (_, at) => frame(at)));
    const bytes = new Uint8Array(1024);
    while (await peer.read(bytes) !== null);
    await say(peer, end());
  });
  await using page = await testPage(server);
  const leave = Array.from({ length: 16 }, () => new AbortController());
  const plays = await Promise.all(
    leave.map(({ signal }) => page.fetch("/api/play?name=grey", { signal })),
  );
  assertEquals(plays.map(({ status }) => status), Array(16).fill(200));
  const refused = await page.fetch("/api/play?name=grey");
  assertEquals(refused.status, 503);
  assertEquals((await refused.json()).code, "busy");
  for (const controller of leave) controller.abort();
});

Deno.test("the page uses the token of the command line", async () => {
  const token = new Secret("open sesame");
  await using server = await testServer({ media: await folder(), credentials: { token } });
  await using page = await testPage(server, [], { token });
  assertEquals((await (await page.fetch("/api/list")).json()).entries.length, 3);
  for (const what of ["image?name=photo.jpg", "thumbnail?name=b.mp4", "play?name=tone.flac"]) {
    const response = await page.fetch(`/api/${what}`);
    assertEquals([what, response.status], [what, 200]);
    assert((await response.bytes()).byteLength > 0);
  }
  await using stranger = await testPage(server);
  const refused = await stranger.fetch("/api/list");
  assertEquals(refused.status, 401);
  assertMatch((await refused.json()).detail, /; name a file with it in --token-file, or set /);
});
