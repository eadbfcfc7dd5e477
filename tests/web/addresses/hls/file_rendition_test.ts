import { assert, assertEquals, assertRejects } from "@std/assert";
import { RequestError } from "../../../../lib/base/errors.ts";
import { openResponse } from "../../../../lib/client/request/request.ts";
import type { VideoStream } from "../../../../lib/media/frame.ts";
import { divide, FileRendition } from "../../../../lib/web/addresses/hls/file_rendition.ts";
import { parseQuery } from "../../../../lib/web/addresses/queries.ts";
import { mediaFolder, pictures, run, tone } from "../../../support/media/media_folder.ts";
import { type TestServer, testServer } from "../../../support/peers/test_server.ts";
import { installedDialect, mediaChildren } from "../../../support/programs/machine.ts";
import { HandClock } from "../../../support/time/hand_clock.ts";
import { pureTest } from "../../../support/pure_test.ts";

const media = mediaFolder();

const NEVER = new AbortController().signal;

const VIDEO: VideoStream = {
  ...{ id: 0, type: "video", codec: "h264", fourcc: "H264", timeBase: [1, 1000] },
  ...{ width: 64, height: 48, extradata: new Uint8Array(0) },
};

/** A server with a video of 11 segments, ten frames a second. */
async function longServer(): Promise<TestServer> {
  const part = { rate: "10", seconds: 21 };
  await media.make("long.mkv", [...pictures(part), ...tone({ seconds: 21 }), "-c:v", "mpeg4"]);
  return await testServer({ media: media.path });
}

/** HLS of the video, and how many encoders were started for it, and at which seconds. */
function hlsOf({ address }: TestServer, { query = "", clock = new HandClock() } = {}) {
  const { hostname: host, port } = address;
  const request = parseQuery("hls", "long.mkv", new URLSearchParams(query));
  const times = divide(
    { duration: 21, streams: [{ ...VIDEO, frameRate: [10, 1] }] },
    request,
  );
  if (times === undefined) throw new Error("Cannot test: the file cannot be divided");
  const starts: number[] = [];
  const control = new AbortController();
  let running = 0;
  let most = 0;
  const hls = new FileRendition({
    open: async (part, signal) => {
      starts.push(part.start ?? 0);
      most = Math.max(most, ++running);
      const response = await openResponse(part, { host, port }, { signal });
      return {
        [Symbol.asyncIterator]: () => response[Symbol.asyncIterator](),
        [Symbol.dispose]: () => {
          running--;
          response[Symbol.dispose]();
        },
      };
    },
    ...{ request, times, dialect: installedDialect, clock, signal: control.signal },
  });
  const end = async () => {
    control.abort();
    await hls.ended;
  };
  return { hls, starts, most: () => most, [Symbol.asyncDispose]: end };
}

/** Times of the video's packets in segments, in tenths of a second from the first. */
async function timesOf(hls: FileRendition, segments: readonly number[]): Promise<number[]> {
  const names = ["init.mp4", ...segments.map((at) => `${at}.m4s`)];
  const files: Uint8Array<ArrayBuffer>[] = [];
  for (const name of names) files.push(await hls.file(name, NEVER) ?? new Uint8Array(0));
  const path = await media.write("got/some.mp4", await new Blob(files).bytes());
  const args = ["-select_streams", "v", "-show_entries", "packet=pts_time", "-of", "csv=p=0"];
  const lines = new TextDecoder().decode(await run("ffprobe", [...args, path])).trim().split("\n");
  return lines.map((line) => Math.round(parseFloat(line) * 10) - 20);
}

/** Numbers from one to another. */
function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, at) => from + at);
}

pureTest("divide() gives whole frames to each segment, and a short rest to the last one", () => {
  const of = (
    frameRate: [number, number] | undefined,
    duration: number | undefined,
    request = {},
  ) => divide({ duration, streams: [{ ...VIDEO, frameRate }] }, request);
  assertEquals(of([25, 1], 10), { fps: 25, length: 2, count: 5, duration: 10 });
  assertEquals(of([25, 1], 10.2), { fps: 25, length: 2, count: 5, duration: 10.2 });
  assertEquals(of([25, 1], 10.3)?.count, 6);
  assertEquals(of([30000, 1001], 60), { fps: 29.97, length: 60 / 29.97, count: 30, duration: 60 });
  assertEquals(of([73, 10], 10)?.length, 15 / 7.3);
  assertEquals(of([25, 1], 0.1)?.count, 1);
  assertEquals(of([25, 1], 10, { start: 4, duration: 3 })?.duration, 3);
  assertEquals(of(undefined, 10, { fps: 5 })?.fps, 5);
});

pureTest("divide() leaves media alone that it cannot divide for certain", () => {
  const streams = [{ ...VIDEO, frameRate: [25, 1] as const }];
  assertEquals(divide({ duration: undefined, streams }, {}), undefined);
  assertEquals(divide({ duration: 10, streams: [VIDEO] }, {}), undefined);
  assertEquals(divide({ duration: 10, streams: [] }, {}), undefined);
  assertEquals(divide({ duration: 10, streams }, { start: 10 }), undefined);
  const fast = [{ ...VIDEO, frameRate: [1000, 1] as const }];
  assertEquals(divide({ duration: 10, streams: fast }, {}), undefined);
});

Deno.test("FileRendition gives all frames once, wherever players begin", async () => {
  await using server = await longServer();
  await using tried = hlsOf(server);
  const { hls, starts } = tried;
  const playlist = await hls.playlist("");
  assertEquals(playlist.match(/#EXTINF:[\d.]+/g)?.length, 11);
  assert(playlist.endsWith("#EXTINF:1.000000,\n10.m4s\n#EXT-X-ENDLIST\n"));
  // A seek to the last one, and back to the start.
  assertEquals(await timesOf(hls, [10]), numbers(200, 210));
  assertEquals(await timesOf(hls, [0, 1]), numbers(0, 40));
  assertEquals(await timesOf(hls, numbers(0, 11)), numbers(0, 210));
  // The first one was needed for the head of the MP4.
  assertEquals(starts.length <= 3, true, starts.join());
  assertEquals(await hls.file("11.m4s", NEVER), undefined);
  assertEquals(await hls.file("other", NEVER), undefined);
});

Deno.test("FileRendition takes two encoders at most, however many places are watched", async () => {
  await using server = await longServer();
  await using tried = hlsOf(server, { query: "audio=0" });
  const { hls, most } = tried;
  const places = [0, 9, 4, 0, 9, 4];
  const found = await Promise.all(places.map((at) => hls.file(`${at}.m4s`, NEVER)));
  assertEquals(found.map((bytes) => bytes === undefined), places.map(() => false));
  assertEquals(found.slice(0, 3), found.slice(3));
  assert(most() <= 2, `${most()}`);
});

Deno.test("FileRendition ends its encoders when nobody asks", async () => {
  await using server = await longServer();
  const clock = new HandClock();
  await using tried = hlsOf(server, { clock });
  const { hls } = tried;
  await hls.file("3.m4s", NEVER);
  await clock.asleep();
  clock.pass(12_000);
  await hls.ended;
  await server.logged(/ disconnected\n$/);
  assertEquals(await mediaChildren(), []);
});

Deno.test("FileRendition refuses as the response does", async () => {
  await using server = await testServer({ media: await media.folder("empty") });
  await using tried = hlsOf(server);
  const { hls } = tried;
  const refused = await assertRejects(() => hls.file("0.m4s", NEVER), RequestError);
  assertEquals(refused.code, "not_found");
});
