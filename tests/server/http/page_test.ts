import { assert, assertEquals, assertMatch } from "@std/assert";
import { parseLiveSource } from "../../../lib/sources/live/source_spec.ts";
import { mediaFolder, pictures, run, tone } from "../../support/media/media_folder.ts";
import { FILM_CUES, makeFilm } from "../../support/media/film.ts";
import { playedIn } from "../../support/media/browser_plays.ts";
import { RawHttp, statusIn } from "../../support/peers/raw_http.ts";
import { type TestServer, testServer } from "../../support/peers/test_server.ts";
import { freePort } from "../../support/programs/machine.ts";
import { makeCertificate } from "../../support/programs/certificates.ts";
import { tlsTest } from "../../support/test_if.ts";

// The page of a server, straight from its sources.

const media = mediaFolder();
const played = playedIn(media);

/** Where the page is served: a free port of this machine. */
const HTTP = { hostname: "127.0.0.1", port: 0 };

const CAMERA = parseLiveSource("cam=lavfi:testsrc2=size=64x48:rate=25");

/** Frames of a clip of one second. */
const FRAMES = 25;

async function folder(): Promise<string> {
  const sound = [...tone(), "-c:a", "aac"];
  await media.make("m/b.mp4", [...pictures(), ...sound, "-c:v", "libx264", "-pix_fmt", "yuv420p"]);
  await media.make("m/old.mkv", [...pictures(), ...sound, "-c:v", "mpeg4"]);
  return media.pathOf("m");
}

/** URL of a path of the page. */
function urlOf({ server }: TestServer, path: string): string {
  return new URL(path, server.page).href;
}

/** Codec and number of the frames that a decoder makes of the video. */
async function decoded(path: string): Promise<string> {
  const fields = ["-count_frames", "-show_entries", "stream=codec_name,nb_read_frames"];
  const args = ["-select_streams", "v", ...fields, "-of", "csv=p=0", path];
  return new TextDecoder().decode(await run("ffprobe", args)).trim();
}

/** What a WebSocket of the page gets until it is closed, taking everything at once. */
async function messagesOf(socket: WebSocket) {
  socket.binaryType = "arraybuffer";
  const messages: Record<string, unknown>[] = [];
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  const closed = Promise.withResolvers<number>();
  socket.onmessage = ({ data }) => {
    if (typeof data === "string") return void messages.push(JSON.parse(data));
    chunks.push(new Uint8Array(data));
    bytes += data.byteLength;
    socket.send(String(bytes));
  };
  socket.onclose = ({ code }) => closed.resolve(code);
  return { status: await closed.promise, messages, mp4: await new Blob(chunks).bytes() };
}

Deno.test("--http serves the page and the list of its own sources", async () => {
  const live = { sources: [CAMERA], linger: 0 };
  await using server = await testServer({ media: await folder(), live, http: HTTP });
  const index = await fetch(urlOf(server, "/"));
  assertMatch(await index.text(), /^<!DOCTYPE html>/);
  assertMatch(index.headers.get("Content-Security-Policy") ?? "", /^default-src 'none'; /);
  const list = await (await fetch(urlOf(server, "/api/list"))).json();
  assertEquals(list.server, new URL(server.server.page ?? "").host);
  assertEquals(list.entries.map(({ name }: { name: string }) => name), ["cam", "b.mp4", "old.mkv"]);
  const image = await fetch(urlOf(server, "/api/image?name=b.mp4&start=0.5"));
  assertEquals(image.headers.get("Content-Type"), "image/png");
  await image.bytes();
  await server.logged(/ request ends command=get_image name=b.mp4 result=done .* frames=1 /);
  await server.logged(new RegExp(` info  Watch at ${server.server.page}\n$`));
});

Deno.test("--http plays the packets of a file that the browser can play", async () => {
  await using server = await testServer({ media: await folder(), http: HTTP });
  const response = await fetch(urlOf(server, "/api/play?name=b.mp4&can=h264,aac"));
  const { path } = await played(response, "out/copied.mp4");
  assertEquals(await decoded(path), `h264,${FRAMES}`);
  await server.logged(/ request ends command=get_video name=b.mp4 result=done .* frames=25 /);
});

Deno.test("--http encodes what the browser cannot play, as for any client", async () => {
  await using server = await testServer({ media: await folder(), http: HTTP });
  const response = await fetch(urlOf(server, "/api/play?name=old.mkv&can=h264,aac"));
  const { path } = await played(response, "out/encoded.mp4");
  assertEquals(await decoded(path), `h264,${FRAMES}`);
  await server.logged(/ name=old.mkv result=stopped /);
  await server.logged(/ name=old.mkv result=done .* frames=25 /);
});

Deno.test("--http plays a live source over a WebSocket, and ends it with the socket", async () => {
  const live = { sources: [CAMERA], linger: 0 };
  await using server = await testServer({ media: await folder(), live, http: HTTP });
  const socket = new WebSocket(urlOf(server, "/api/play?name=cam&can=h264").replace("http", "ws"));
  const received = messagesOf(socket);
  const begun = Promise.withResolvers<void>();
  socket.addEventListener("message", ({ data }) => data instanceof ArrayBuffer && begun.resolve());
  await begun.promise;
  socket.close();
  const { messages, mp4 } = await received;
  const [begin] = messages;
  assertEquals([begin.kind, begin.live], ["begin", true]);
  assertMatch(String(begin.type), /^video\/mp4; codecs="avc1\./);
  assert(mp4.byteLength > 0);
  await server.logged(/"cam" is stopped/);
});

Deno.test("--http plays a file over a WebSocket to its end", async () => {
  await using server = await testServer({ media: await folder(), http: HTTP });
  const url = urlOf(server, "/api/play?name=b.mp4&can=h264,aac").replace("http", "ws");
  const { status, messages, mp4 } = await messagesOf(new WebSocket(url));
  assertEquals(status, 1000);
  const kinds = messages.map(({ kind }) => kind).filter((kind) => kind !== "stats");
  assertEquals(kinds, ["begin", "end"]);
  assertEquals(messages.at(-1)?.frames, FRAMES);
  assertEquals(await decoded(await media.write("out/socket.mp4", mp4)), `h264,${FRAMES}`);
  const missing = new WebSocket(url.replace("b.mp4", "none"));
  const refused = await messagesOf(missing);
  assertEquals([refused.status, refused.messages[0].code], [1011, "not_found"]);
});

Deno.test("--http plays the sound and the subtitles that are chosen", async () => {
  await makeFilm(media, "films/film.mkv");
  await using server = await testServer({ media: media.pathOf("films"), http: HTTP });
  const { entries: [{ tracks }] } = await (await fetch(urlOf(server, "/api/list"))).json();
  assertEquals(tracks.map(({ type }: { type: string }) => type), [
    ...["video", "audio", "audio", "subtitles", "subtitles"],
  ]);
  const url = urlOf(server, "/api/play?name=film.mkv&can=h264,flac").replace("http", "ws");
  for (const [track, channels] of [[1, 2], [2, 1]]) {
    const { messages, mp4 } = await messagesOf(
      new WebSocket(`${url}&track=${track}&subtitles=${track}`),
    );
    // The other tracks are there to be chosen.
    assertEquals(messages.find(({ kind }) => kind === "begin")?.notes, []);
    const language = track === 1 ? "eng" : "deu";
    const cues = messages.filter(({ kind }) => kind === "subtitle")
      .map(({ start, end, text }) => ({ start, end: Number(Number(end).toFixed(3)), text }));
    assertEquals(cues, [...FILM_CUES[language]]);
    const path = await media.write(`out/track_${track}.mp4`, mp4);
    const fields = ["-show_entries", "stream=channels", "-of", "csv=p=0"];
    const found = await run("ffprobe", ["-select_streams", "a", ...fields, path]);
    assertEquals(Number(new TextDecoder().decode(found)), channels);
  }
});

Deno.test("--http counts visitors and what they are sent among clients", async () => {
  const metrics = { hostname: "127.0.0.1", port: freePort() };
  await using server = await testServer({ media: await folder(), http: HTTP, metrics });
  const response = await fetch(urlOf(server, "/api/play?name=b.mp4&can=h264,aac"));
  await response.bytes();
  await server.logged(/ request ends command=get_video name=b.mp4 result=done /);
  using visitor = await RawHttp.connect(server.server.page ?? "");
  await visitor.ask("/icon.svg");
  await visitor.read(/<\/svg>/);
  const text = await (await fetch(`http://127.0.0.1:${metrics.port}/metrics`)).text();
  assertMatch(text, /^stream_frames_sent_total\{type="video"\} 25$/m);
  assertMatch(text, /^stream_request_seconds_count\{result="done"\} 1$/m);
  assertMatch(text, /^stream_viewers [1-9]/m);
});

tlsTest("--http is HTTPS with the certificate, and a new one after a reload", async () => {
  const made = await media.folder("tls");
  const authority = await makeCertificate(made, "authority");
  const [first, second] = [
    await makeCertificate(made, "first", { issuer: authority, names: "DNS:localhost" }),
    await makeCertificate(made, "second", { issuer: authority, names: "DNS:other.example" }),
  ];
  const certificate = { cert: `${made}/cert`, key: `${made}/key` };
  const use = async ({ cert, key }: { cert: string; key: string }) => {
    await Deno.copyFile(cert, certificate.cert);
    await Deno.copyFile(key, certificate.key);
  };
  await use(first);
  const credentials = { certificate };
  await using server = await testServer({ media: await folder(), http: HTTP, credentials });
  assertMatch(server.server.page ?? "", /^https:/);
  const caCerts = [await Deno.readTextFile(authority.cert)];
  const url = urlOf(server, "/api/list").replace("127.0.0.1", "localhost");
  {
    using client = Deno.createHttpClient({ caCerts });
    const response = await fetch(url, { client });
    assertEquals([response.status, (await response.json()).classic], [200, false]);
  }
  using plain = await RawHttp.connect(server.server.page ?? "");
  await plain.ask("/");
  const refusal = await plain.read();
  assertEquals(statusIn(refusal), 400);
  assertMatch(refusal, /Cannot serve without TLS: expected https:\/\/ in front of the address\n$/);
  await use(second);
  await server.server.reload();
  using client = Deno.createHttpClient({ caCerts });
  const problem = await fetch(url, { client }).catch((error) => error);
  assertMatch(String(problem.cause), /certificate/i);
});
