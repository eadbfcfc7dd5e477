import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { parseLiveSource } from "../../../lib/sources/live/source_spec.ts";
import { DEFAULT_TIMEOUTS, type ServerOptions } from "../../../lib/server/options.ts";
import { mediaFolder, pictures } from "../../support/media/media_folder.ts";
import { answerTo, RawHttp, statusIn } from "../../support/peers/raw_http.ts";
import { type TestServer, testServer } from "../../support/peers/test_server.ts";
import { linuxTest } from "../../support/test_if.ts";
import { mediaChildren } from "../../support/programs/machine.ts";

// HTTP connections of hostile, slow and numerous peers.

const media = mediaFolder();

const HTTP = { hostname: "127.0.0.1", port: 0 };

const CAMERA = parseLiveSource("cam=lavfi:testsrc2=size=64x48:rate=25");

/** Noise without loss: more bytes than the buffers of a connection hold. */
const LARGE = [
  ...["-f", "rawvideo", "-video_size", "640x480", "-pix_fmt", "yuv420p", "-i", "/dev/urandom"],
  ...["-frames:v", "40", "-c:v", "libx264", "-preset", "ultrafast", "-qp", "0"],
];

async function pageServer(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  await media.make("m/photo.png", [...pictures(), "-frames:v", "1"]);
  await media.write("secret.txt", "not for visitors");
  return await testServer({ media: media.pathOf("m"), http: HTTP, ...options });
}

function pageOf({ server }: TestServer): string {
  return server.page ?? "";
}

/** Checks that the page is still served, and that the log has no stack trace. */
async function assertServed(server: TestServer): Promise<void> {
  assertEquals(statusIn(await answerTo(pageOf(server), "/")), 200);
  assertEquals(server.lines.filter((line) => /\n\s+at /.test(line)), []);
}

/** What one connection gets for some bytes, until it is closed. */
async function got(server: TestServer, text: string): Promise<string> {
  using raw = await RawHttp.connect(pageOf(server));
  await raw.send(text);
  return await raw.read();
}

Deno.test("paths lead to the page, to the names of media, and nowhere else", async () => {
  await using server = await pageServer();
  const statusOf = async (path: string) => statusIn(await answerTo(pageOf(server), path));
  for (
    const path of [
      ...["/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "//evil.example/"],
      ...["/page.css/", "/PAGE.CSS", "/%00", "/page.css%00", "/lib/server/server.ts", "/%ff%fe"],
    ]
  ) {
    assertEquals(await statusOf(path), 404, path);
  }
  for (
    const name of [
      ...["..%2fsecret.txt", "%2e%2e/secret.txt", "photo.png/..", "/etc/passwd", "photo.png/"],
      ...["%ff", ".", "a".repeat(255)],
    ]
  ) {
    assertEquals(await statusOf(`/api/image?name=${name}`), 404, name);
  }
  for (const name of ["%00", "photo.png%00", "a".repeat(1025)]) {
    assertEquals(await statusOf(`/api/image?name=${name}`), 400, name);
  }
  assertEquals(await statusOf("/api/play?name=photo.png&start=1e9"), 400);
  // Proxies send whole addresses.
  assertEquals(await statusOf(`${pageOf(server)}api/list`), 200);
  await assertServed(server);
});

/** The body of a response in chunks, of which there is one. */
function bodyIn(text: string): string {
  return text.match(/\r\n\r\n[\da-f]+\r\n([^]*?)\r\n0\r\n\r\n$/)?.[1] ?? "";
}

Deno.test("errors of the page are one line of JSON, or of text if a browser shows it", async () => {
  await using server = await pageServer();
  for (const path of ["/api/image?name=none", "/api/none", "/none"]) {
    const text = await answerTo(pageOf(server), path);
    assertEquals(statusIn(text), 404);
    assertMatch(text, /\r\ncontent-type: application\/problem\+json\r\n/i);
    assertMatch(bodyIn(text), /^\{"title":"Not Found","status":404,"detail":"Cannot .*\}$/);
  }
  const shown = await answerTo(pageOf(server), "/none", { Accept: "text/html,*/*" });
  assertMatch(bodyIn(shown), /^Cannot find that: [^\n]*\n$/);
  await assertServed(server);
});

Deno.test("methods other than GET and HEAD are refused", async () => {
  await using server = await pageServer();
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"]) {
    const text = await answerTo(pageOf(server), "/", { "Content-Length": "0" }, method);
    assertEquals(statusIn(text), 405, method);
    assertMatch(text, /\r\nallow: GET, HEAD\r\n/i);
    assertMatch(bodyIn(text), /^\{"title":"Method Not Allowed","status":405,/);
  }
  assertEquals(statusIn(await answerTo(pageOf(server), "/", {}, "TRACE")), 400);
  const head = await answerTo(pageOf(server), "/", {}, "HEAD");
  assertMatch(head, /^HTTP\/1\.1 200 [^]*\r\n\r\n$/);
  assert(!head.includes("<html"));
  await assertServed(server);
});

Deno.test("what is no HTTP is refused, and the connection is closed", async () => {
  await using server = await pageServer();
  const { host } = new URL(pageOf(server));
  const start = `GET / HTTP/1.1\r\nHost: ${host}\r\n`;
  const status = async (text: string) => statusIn(await got(server, text));
  assertEquals(await status("GARBAGE\r\n\r\n"), 400);
  assertEquals(await status("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"), 400);
  assertEquals(
    await status(`${start}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n`),
    400,
  );
  assertEquals(await status(`${start}X: ${"a".repeat(20_000)}\r\n\r\n`), 431);
  assertEquals(await status(`GET /${"a".repeat(20_000)} HTTP/1.1\r\nHost: ${host}\r\n\r\n`), 431);
  assertEquals(await status("GET / HTTP/1.1\r\nConnection: close\r\n\r\n"), 400);
  assertEquals(await status(`${start}Host: evil.example\r\nConnection: close\r\n\r\n`), 403);
  assertEquals(await status(`GET / HTTP/1.1\r\nHost: [\r\nConnection: close\r\n\r\n`), 400);
  await assertServed(server);
});

Deno.test("a body of the form is read up to a limit", async () => {
  await using server = await pageServer();
  const { host } = new URL(pageOf(server));
  const body = `POST /login HTTP/1.1\r\nHost: ${host}\r\nOrigin: http://${host}\r\n`;
  const text = await got(server, `${body}Content-Length: 70000\r\n\r\n${"a".repeat(70_000)}`);
  assertEquals(statusIn(text), 400);
  assertMatch(text, /Cannot take a body of more than 65536 bytes/);
  await assertServed(server);
});

Deno.test("many requests at once on one connection end it", async () => {
  await using server = await pageServer();
  const { host } = new URL(pageOf(server));
  const text = await got(server, `GET /icon.svg HTTP/1.1\r\nHost: ${host}\r\n\r\n`.repeat(2000));
  assert(text.split("HTTP/1.1 200").length < 100);
  await server.logged(/ended: The peer sent more than 16 requests at once/);
  await assertServed(server);
});

Deno.test("requests on one connection are served one after the other", async () => {
  await using server = await pageServer();
  const { host } = new URL(pageOf(server));
  const ask = (path: string, more = "") => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`;
  const text = await got(
    server,
    ask("/api/image?name=photo.png") + ask("/none") + ask("/icon.svg", "Connection: close\r\n"),
  );
  const types = [...text.matchAll(/content-type: (\S+?)(?:;|\r)/g)].map(([, type]) => type);
  assertEquals(types, ["image/png", "application/problem+json", "image/svg+xml"]);
});

Deno.test("a peer that sends no whole request is cut after the request timeout", async () => {
  const timeouts = { ...DEFAULT_TIMEOUTS, request: 2000 };
  await using server = await pageServer({ timeouts });
  const { host } = new URL(pageOf(server));
  // A head that never ends, a form that never ends, and nothing at all.
  assertEquals(await got(server, `GET / HTTP/1.1\r\nHost: ${host}\r\nX: a`), "");
  const form = `POST /login HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 10\r\n\r\ntoken`;
  assertEquals(await got(server, form), "");
  await server.logged(/ended: no request within 2 s/, 2);
  assertEquals(await got(server, ""), "");
  // A connection that waits for a further request is closed without a complaint.
  const whole = `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
  assertEquals(statusIn(await got(server, whole)), 200);
  assertEquals(server.lines.filter((line) => / warn .*no request/.test(line)).length, 2);
  // A form that never ends and has waited for its turn.
  assertMatch(await got(server, whole + form), /^HTTP\/1\.1 200 .*<\/html>\s*(0\r\n\r\n)?$/s);
  await server.logged(/ended: no request within 2 s/, 3);
});

linuxTest("a reader that takes nothing is cut after the stall timeout", async () => {
  await media.make("m/large.mp4", LARGE);
  const timeouts = { ...DEFAULT_TIMEOUTS, stall: 500 };
  await using server = await pageServer({ timeouts });
  using raw = await RawHttp.connect(pageOf(server));
  await raw.ask("/api/play?name=large.mp4&can=h264");
  await server.logged(/ warn .*ended: The peer took nothing for too long/);
  await server.logged(/ name=large.mp4 result=cut /);
  await assertServed(server);
});

Deno.test("a visitor who leaves ends what was sent", async () => {
  const live = { sources: [CAMERA], linger: 0 };
  await using server = await pageServer({ live });
  {
    using raw = await RawHttp.connect(pageOf(server));
    await raw.ask("/api/play?name=cam&can=h264");
    await raw.read(/video\/mp4/);
  }
  await server.logged(/"cam" is stopped/);
  await server.logged(/ name=cam result=cut /);
});

/** Headers that ask for a WebSocket, as in the example of RFC 6455, section 1.3. */
const UPGRADE = {
  ...{ Upgrade: "websocket", Connection: "Upgrade", "Sec-WebSocket-Version": "13" },
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
};

Deno.test("a WebSocket that is silent is cut", async () => {
  const live = { sources: [CAMERA], linger: 0 };
  const timeouts = { ...DEFAULT_TIMEOUTS, ping: 200, life: 2000 };
  await using server = await pageServer({ live, timeouts });
  using silent = await RawHttp.connect(pageOf(server));
  await silent.ask("/api/play?name=cam&can=h264", UPGRADE);
  assertMatch(
    await silent.read(),
    /^HTTP\/1\.1 101 [^]*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/,
  );
  await server.logged(/ended: The peer gave no sign of life for 2 s/);
  await assertServed(server);
});

Deno.test("a WebSocket that breaks the protocol is cut", async () => {
  await using server = await pageServer({ live: { sources: [CAMERA], linger: 0 } });
  using broken = await RawHttp.connect(pageOf(server));
  await broken.ask("/api/play?name=cam&can=h264", UPGRADE);
  await broken.read(/"begin"/);
  await broken.send("\x81\x02ab");
  await broken.read();
  const other = { ...UPGRADE, "Sec-WebSocket-Version": "8" };
  assertEquals(statusIn(await answerTo(pageOf(server), "/api/play?name=cam", other)), 400);
  await server.logged(/"cam" is stopped/, 2);
  await assertServed(server);
  // The program of a visitor has ended when its session has.
  await server.logged(/ disconnected\n$/, 3);
  assertEquals(await mediaChildren(), []);
});

Deno.test("visitors count as clients, and get an error beyond the limit of their address", async () => {
  const live = { sources: [CAMERA], linger: 0 };
  await using server = await pageServer({ live, maxClients: 2, maxPerAddress: 1 });
  using first = await RawHttp.connect(pageOf(server));
  await first.ask("/api/play?name=cam&can=h264");
  await first.read(/video\/mp4/);
  const text = await answerTo(pageOf(server), "/api/list");
  assertEquals(statusIn(text), 503);
  assertMatch(text, /"detail":"Cannot serve now: your address has all /);
  await server.logged(/ warn .*refused: too many connections of this address/);
});

Deno.test("connections that ask for nothing give way to those that do", async () => {
  await using server = await pageServer({ maxClients: 4 });
  const idle = await Promise.all(
    Array.from({ length: 12 }, () => RawHttp.connect(pageOf(server))),
  );
  using _idle = new DisposableStack();
  for (const raw of idle) _idle.use(raw);
  await assertServed(server);
});

Deno.test("connections that wait for the rest of a form give way, too", async () => {
  await using server = await pageServer({ maxClients: 4 });
  using unfinished = new DisposableStack();
  for (let count = 0; count < 6; count++) {
    const raw = unfinished.use(await RawHttp.connect(pageOf(server)));
    const form = `POST /login HTTP/1.1\r\nHost: ${raw.host}\r\nContent-Length: 10\r\n\r\ntoken`;
    await raw.send(`GET /icon.svg HTTP/1.1\r\nHost: ${raw.host}\r\n\r\n${form}`);
    assertEquals(statusIn(await raw.read(/<\/svg>/)), 200);
  }
  await assertServed(server);
  assertEquals(server.lines.filter((line) => / (warn|error) /.test(line)), []);
});

Deno.test("a shutdown does not wait for pages that follow the library", async () => {
  await using server = await pageServer();
  using following = await RawHttp.connect(pageOf(server));
  await following.ask("/api/events");
  await following.read(/retry: /);
  const { signal } = new AbortController();
  const draining = server.server.drain({ grace: 60_000, signal });
  assertMatch(await following.read(), /(^|\n)0\r\n\r\n$/);
  await draining;
});

Deno.test("a shutdown ends plays and idle connections, and leaves no port", async () => {
  const live = { sources: [CAMERA], linger: 0 };
  await using server = await pageServer({ live });
  const url = pageOf(server);
  using idle = await RawHttp.connect(url);
  await idle.ask("/icon.svg");
  await idle.read(/<\/svg>/);
  using playing = await RawHttp.connect(url);
  await playing.ask("/api/play?name=cam&can=h264");
  await playing.read(/video\/mp4/);
  const { signal } = new AbortController();
  const draining = server.server.drain({ grace: 200, signal });
  assertEquals(server.server.isReady, false);
  assertEquals(await idle.read(), "");
  // A body that is cut has no end.
  assert(!(await playing.read()).endsWith("\r\n0\r\n\r\n"));
  await draining;
  await assertRejects(() => RawHttp.connect(url), Deno.errors.ConnectionRefused);
  await server.logged(/ name=cam result=shutdown /);
  await server.server[Symbol.asyncDispose]();
  assertEquals(await mediaChildren(), []);
});
