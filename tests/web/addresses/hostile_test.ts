import { assert, assertEquals, assertMatch } from "@std/assert";
import { onAbort } from "../../../lib/base/async.ts";
import { DEFAULT_TIMEOUTS } from "../../../lib/server/options.ts";
import { Addresses } from "../../../lib/web/addresses/addresses.ts";
import { mediaFolder, pictures } from "../../support/media/media_folder.ts";
import { addressServer, urlOf } from "../../support/peers/address_server.ts";
import { countedFfmpeg } from "../../support/programs/counted_ffmpeg.ts";
import { installedFfmpeg, mediaChildren } from "../../support/programs/machine.ts";

const media = mediaFolder();

const CAMERA = "cam=lavfi:testsrc=size=64x48:rate=25";

/** Milliseconds in which a reader has to take something. */
const STALL = 500;

/** Status, code and header Retry-After of a refusal. */
async function refusalOf(url: string): Promise<[number, string, string | null]> {
  const response = await fetch(url);
  assertEquals(response.headers.get("Content-Type"), "application/problem+json");
  const { code, detail } = await response.json();
  assertMatch(detail, /^Cannot [^\n]+$/);
  return [response.status, code, response.headers.get("Retry-After")];
}

Deno.test("a reader that takes nothing is cut, and others go on", async () => {
  // Noise fills the buffers of the system soon.
  const part = { size: "640x480", rate: "10", seconds: 1 };
  const noise = ["-vf", "noise=alls=100:allf=t", "-c:v", "mjpeg", "-q:v", "2"];
  await media.make("m/large.mkv", [...pictures(part), ...noise]);
  await using server = await addressServer(media.pathOf("m"), {
    timeouts: { ...DEFAULT_TIMEOUTS, stall: STALL },
  });
  const path = "/stream/large.mkv.mjpg?quality=100&loop=1";
  const { hostname, port, host } = new URL(urlOf(server, "/"));
  using stuck = await Deno.connect({ hostname, port: Number(port) });
  await stuck.write(new TextEncoder().encode(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`));
  const { port: from } = stuck.localAddr;
  await server.logged(new RegExp(`:${from} ended: The peer took nothing for too long`));
  const other = await fetch(urlOf(server, path));
  let size = 0;
  for await (const { byteLength } of other.body!) {
    size += byteLength;
    if (size > 100_000) break;
  }
  assert(size > 100_000);
});

/** Addresses of live sources that do not come, and a request for a path. */
function waitingAddresses() {
  const control = new AbortController();
  const addresses = new Addresses({
    open: (_, signal) => new Promise((_, reject) => onAbort(signal, () => reject(signal.reason))),
    ffmpeg: installedFfmpeg(),
    signal: control.signal,
  });
  const service = {
    find: () => Promise.resolve(undefined),
    open: () => Promise.reject(new Error("not live")),
  };
  const get = async (path: string, signal: AbortSignal) => {
    const url = new URL(path, "http://localhost/");
    const response = await addresses.respond(new Request(url), url, { service, signal });
    return response?.status;
  };
  const end = async () => {
    control.abort();
    await addresses[Symbol.asyncDispose]();
  };
  return { get, [Symbol.asyncDispose]: end };
}

Deno.test("streams of JPEGs at once are limited, and their readers", async () => {
  for (
    const [count, query] of [[32, (at: number) => `?width=${at + 1}`], [512, () => ""]] as const
  ) {
    await using addresses = waitingAddresses();
    const left = new AbortController();
    const waiting = Array.from(
      { length: count },
      (_, at) => addresses.get(`/stream/cam.mjpg${query(at)}`, left.signal),
    );
    assertEquals(await addresses.get("/stream/cam.mjpg?quality=1", left.signal), 503);
    left.abort(new Error("left"));
    assertEquals(await Promise.all(waiting), waiting.map(() => 502));
  }
});

Deno.test("renditions of HLS at once are limited", async () => {
  await media.make("m/short.mkv", [...pictures(), "-c:v", "mpeg4"]);
  using ffmpeg = await countedFfmpeg();
  await using server = await addressServer(media.pathOf("m"));
  const get = (at: number) => urlOf(server, `/hls/short.mkv/index.m3u8?width=${16 + 2 * at}`);
  for (let at = 0; at < 8; at++) {
    assertEquals((await (await fetch(get(at))).text()).length > 100, true);
  }
  assertEquals(await refusalOf(get(8)), [503, "busy", "5"]);
  // Those that run still take more, and nothing is made that nobody asked for.
  assertEquals((await (await fetch(get(0))).text()).startsWith("#EXTM3U"), true);
  assertEquals(ffmpeg.starts.length, 0);
});

Deno.test("sizes beyond the protocol's, and segments that never were, are refused", async () => {
  await using server = await addressServer(media.path, { sources: [CAMERA] });
  for (
    const [path, status, code] of [
      ["/stream/cam.mjpg?width=16385", 400, "bad_request"],
      ["/hls/cam/index.m3u8?fps=0", 400, "bad_request"],
      ["/hls/cam/live-1.m4s", 404, "not_found"],
      ["/hls/cam/..%2Findex.m3u8", 404, "not_found"],
      ["/hls/none/0.m4s", 404, "not_found"],
      ["/hls/none/init.mp4", 404, "not_found"],
    ] as const
  ) {
    assertEquals((await refusalOf(urlOf(server, path))).slice(0, 2), [status, code], path);
  }
  assertEquals(await mediaChildren(), []);
});
