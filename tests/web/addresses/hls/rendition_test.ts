import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { RequestError } from "../../../../lib/base/errors.ts";
import { openResponse } from "../../../../lib/client/request/request.ts";
import type { ResponsePart } from "../../../../lib/protocol/media_response.ts";
import { HlsRendition } from "../../../../lib/web/addresses/hls/rendition.ts";
import { parseQuery } from "../../../../lib/web/addresses/queries.ts";
import { mediaFolder, pictures, run } from "../../../support/media/media_folder.ts";
import { liveServer, type TestServer, testServer } from "../../../support/peers/test_server.ts";
import { installedDialect, mediaChildren } from "../../../support/programs/machine.ts";
import { HandClock } from "../../../support/time/hand_clock.ts";

const media = mediaFolder();

const NEVER = new AbortController().signal;

/** HLS of media of a server one after the other, and when their response has been given back. */
function hlsOf(
  { address }: Pick<TestServer, "address">,
  names: readonly string[],
  clock = new HandClock(),
) {
  const { hostname: host, port } = address;
  const closed = Promise.withResolvers<void>();
  async function* parts(signal: AbortSignal): AsyncGenerator<ResponsePart> {
    for (const name of names) {
      const request = parseQuery("hls", name, new URLSearchParams());
      using response = await openResponse(request, { host, port }, { signal });
      yield* response;
    }
  }
  const rendition = new HlsRendition({
    open: (signal) =>
      Promise.resolve({
        [Symbol.asyncIterator]: () => parts(signal),
        [Symbol.dispose]: () => closed.resolve(),
      }),
    ...{ dialect: installedDialect, clock, signal: NEVER },
  });
  return { rendition, closed: closed.promise };
}

/** What a playlist says of its files, without their names. */
function shapeOf(playlist: string): string[] {
  return playlist.trim().split("\n").slice(6).map((line) => line.replace(/:.*|^live.*/, ""));
}

Deno.test("HlsRendition ends when nobody has asked for 12 seconds, and not before", async () => {
  await using server = await liveServer("cam=lavfi:testsrc=size=64x48:rate=25");
  const clock = new HandClock();
  const { rendition } = hlsOf(server, ["cam"], clock);
  const playlist = await rendition.playlist("", NEVER);
  const [segment] = playlist.match(/live-\d+\.m4s/) ?? [];
  await clock.asleep();
  clock.pass(11_999);
  assertEquals(
    (await rendition.file(segment ?? ""))?.subarray(4, 8),
    new TextEncoder().encode("moof"),
  );
  // That counts.
  clock.pass(1);
  assertEquals(await clock.asleep(), [23_999]);
  clock.pass(11_999);
  await rendition.ended;
  await server.logged(/"cam" is stopped/);
  assertEquals(await mediaChildren(), []);
});

Deno.test("HlsRendition goes on with other streams, and marks where they begin", async () => {
  const coded = ["-c:v", "mpeg4"];
  await media.make("m/a.mkv", [...pictures({ seconds: 0.2 }), ...coded]);
  await media.make("m/b.mkv", [...pictures({ seconds: 0.2, size: "128x96" }), ...coded]);
  await using server = await testServer({ media: media.pathOf("m") });
  const { rendition, closed } = hlsOf(server, ["a.mkv", "b.mkv"]);
  await closed;
  // Behind that, the window is ended.
  await new Promise((resolve) => setTimeout(resolve, 0));
  const playlist = await rendition.playlist("", NEVER);
  assertEquals(shapeOf(playlist), [
    ...["#EXT-X-MAP", "#EXTINF", "", "#EXT-X-DISCONTINUITY", "#EXT-X-MAP", "#EXTINF", ""],
    "#EXT-X-ENDLIST",
  ]);
  const files = playlist.match(/live-\d+\.m[p4s]+/g) ?? [];
  const found = await Promise.all(files.map((file) => rendition.file(file)));
  const parts = found.map((bytes) => bytes ?? new Uint8Array(0));
  const sizes = await Promise.all([0, 2].map(async (at) => {
    const path = await media.write(`${at}.mp4`, await new Blob(parts.slice(at, at + 2)).bytes());
    const args = ["-count_packets", "-show_entries", "stream=width,nb_read_packets"];
    return new TextDecoder().decode(await run("ffprobe", [...args, "-of", "csv=p=0", path])).trim();
  }));
  assertEquals(sizes, ["64,5", "128,5"]);
});

Deno.test("HlsRendition refuses as the response does, and has ended then", async () => {
  await using server = await liveServer("other=lavfi:testsrc=size=64x48:rate=25");
  const { rendition } = hlsOf(server, ["cam"]);
  const refused = await assertRejects(() => rendition.playlist("", NEVER), RequestError);
  assertMatch(refused.message, /^Cannot find "cam"/);
  await rendition.ended;
});
