import { assertEquals, assertGreater, assertRejects, assertStrictEquals } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import type { FrameSource, TimedFrame } from "../../../lib/media/source.ts";
import { openContinuation } from "../../../lib/server/playback/continuation.ts";
import { type FrameKey, noteKey } from "../../../lib/sources/cache/blocks.ts";
import { Library } from "../../../lib/sources/file/library.ts";
import type { MediaOptions } from "../../../lib/sources/file/plan.ts";
import { allOf } from "../../support/media/fake_source.ts";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";
import { open } from "../../support/media/opened_file.ts";

const media = mediaFolder();

/** A file of half a minute, and all of its frames for some options. */
async function whole(options: MediaOptions) {
  await media.make("long.mkv", [
    ...pictures({ seconds: 30, rate: "10" }),
    ...tone({ seconds: 30, rate: 16_000, layout: "mono" }),
    ...["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "20", "-bf", "2"],
  ]);
  const file = await new Library(media.path).find("long.mkv");
  await using source = await open(media, "long.mkv", options);
  return { file, streams: source.streams, frames: await allOf(source) };
}

function byStream(frames: readonly TimedFrame[]) {
  const streams = Map.groupBy(frames, ({ streamId }) => streamId);
  return [...streams.keys()].sort().map((id) =>
    streams.get(id)!.map(({ timestamp, data }) => [timestamp, data])
  );
}

/** Opens what follows some frames, and notes where it is opened. */
async function continued(
  options: MediaOptions,
  { file, streams, keys }: Awaited<ReturnType<typeof whole>> & { keys: Map<number, FrameKey> },
): Promise<{ source: FrameSource | undefined; starts: number[] }> {
  const starts: number[] = [];
  const source = await openContinuation({
    ...{ file, options, keys, streams },
    open: (part) => {
      starts.push(part.start ?? 0);
      return open(media, file.name, part);
    },
  });
  return { source, starts };
}

for (const options of [{}, { encoding: "mjpeg", start: 1.2 }] as MediaOptions[]) {
  Deno.test(`openContinuation() gives what follows, from nearby: ${JSON.stringify(options)}`, async () => {
    const all = await whole(options);
    const count = Math.floor(all.frames.length * 0.8);
    const keys = new Map<number, FrameKey>();
    for (const frame of all.frames.slice(0, count)) noteKey(keys, frame);
    const { source, starts } = await continued(options, { ...all, keys });
    await using _source = source;
    assertEquals(byStream(await allOf(source!)), byStream(all.frames.slice(count)));
    assertGreater(starts[0], 5);
    assertEquals(source!.streams, all.streams);
  });
}

Deno.test("openContinuation() reads all from the start if the position is not nearby", async () => {
  const all = await whole({ audio: false });
  const { timestamp, data } = all.frames[250];
  const keys = new Map([[0, { timestamp: timestamp + 7, size: data.length }]]);
  const { source, starts } = await continued({ audio: false }, { ...all, keys });
  await using _source = source;
  const error = await assertRejects(() => allOf(source!), RequestError, "is not in it");
  assertEquals([error.code, starts], ["media_error", [13, 0]]);
});

Deno.test("openContinuation() gives nothing if all has to be read, or a time is ambiguous", async () => {
  const all = await whole({ audio: false });
  const { timestamp, data } = all.frames[250];
  const key = { timestamp, size: data.length };
  const repeated = new Map([[0, { ...key, isRepeated: true }]]);
  const early = new Map([[0, { ...key, timestamp: all.frames[20].timestamp }]]);
  for (const keys of [repeated, early]) {
    const { source } = await continued({ audio: false }, { ...all, keys });
    assertStrictEquals(source, undefined);
  }
  const coded = { audio: false, encoding: "h264" } as const;
  const { source } = await continued(coded, { ...all, keys: new Map([[0, key]]) });
  assertStrictEquals(source, undefined);
});
