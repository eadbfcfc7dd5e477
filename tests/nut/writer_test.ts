import { assertEquals, assertRejects } from "@std/assert";
import type { Frame, StreamDescription } from "../../lib/media/frame.ts";
import { NutReader } from "../../lib/nut/reader.ts";
import { NutWriter, type NutWriterOptions } from "../../lib/nut/writer.ts";
import { GREY } from "../support/peers/scripted_server.ts";
import { pureTest } from "../support/pure_test.ts";

const STREAMS: StreamDescription[] = [
  { ...GREY, timeBase: [1001, 30000], decodeDelay: 2 },
  {
    ...{ id: 1, type: "audio", codec: "aac", fourcc: "mp4a", timeBase: [1, 44100] },
    ...{ extradata: new Uint8Array(), sampleRate: 44100, channels: 2 },
  },
];

function frame(streamId: number, timestamp: number): Frame {
  return { streamId, timestamp, keyframe: true, data: new Uint8Array([1]) };
}

/** What is read of frames that were written: exact seconds, as fractions. */
async function written(frames: readonly Frame[], options?: NutWriterOptions) {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  const sink = new WritableStream<Uint8Array>({
    write: (chunk) => void chunks.push(chunk.slice()),
  });
  const writer = new NutWriter(sink, STREAMS, options);
  for (const each of frames) await writer.write(each);
  await writer.close();
  let rest = await new Blob(chunks).bytes();
  const reader = new NutReader({
    read(target, min) {
      const count = Math.min(rest.byteLength, Math.max(min, 1));
      target.set(rest.subarray(0, count));
      rest = rest.subarray(count);
      return Promise.resolve(target.subarray(0, count));
    },
    cancel: () => Promise.resolve(),
  }, { pooledBuffers: 0, maxFrameSize: 100 });
  const streams = await reader.readStreams();
  const times: string[] = [];
  for (let read; (read = await reader.readFrame()) !== undefined;) {
    const { timeBase: [numerator, denominator] } = streams[read.streamId];
    times.push(`${read.timestamp * numerator}/${denominator}`);
  }
  return { times, streams };
}

pureTest(
  "NutWriter keeps timestamps and time bases by default",
  async () => {
    const { times, streams } = await written([frame(0, 0), frame(1, 5), frame(0, 2)]);
    assertEquals(times, ["0/30000", "5/44100", "2002/30000"]);
    assertEquals(streams.map(({ timeBase }) => timeBase), [[1001, 30000], [1, 44100]]);
    assertEquals(streams[0].decodeDelay, 2);
  },
);

pureTest("NutWriter shifts all streams by the same whole seconds, to the tick", async () => {
  const frames = [frame(0, -30), frame(1, -1024), frame(0, 0), frame(0, 1)];
  const { times } = await written(frames, { lead: 3 });
  assertEquals(times, [
    ...[`${90000 - 30030}/30000`, `${3 * 44100 - 1024}/44100`],
    ...["90000/30000", "91001/30000"],
  ]);
});

pureTest(
  "NutWriter drops frames below 0, and refuses unknown streams",
  async () => {
    const { times } = await written([frame(0, -31), frame(0, 0)], { lead: 1 });
    assertEquals(times, ["30000/30000"]);
    await assertRejects(() => written([frame(7, 0)]), RangeError);
  },
);

pureTest("NutWriter drops empty frames, with which encoders end", async () => {
  const empty = { ...frame(1, 5), data: new Uint8Array() };
  assertEquals((await written([frame(0, 0), empty])).times, ["0/30000"]);
});

pureTest("NutWriter drops frames before the first one that are not displayed", async () => {
  const { times } = await written([frame(0, -3), frame(0, -5), frame(0, -4), frame(0, 0)], {
    lead: 1,
  });
  assertEquals(times, [`${30000 - 3003}/30000`, "30000/30000"]);
  const shown = await written([frame(0, 3), frame(0, 1), frame(0, 2)]);
  assertEquals(shown.times, ["3003/30000", "1001/30000", "2002/30000"]);
});

pureTest(
  "NutWriter writes frames at the timestamps of a timeline, in microseconds, or drops them",
  async () => {
    const frames = [frame(0, 0), frame(1, 44100), frame(0, -1), frame(0, 30)];
    const place = ({ streamId, timestamp }: Frame) =>
      timestamp < 0 ? undefined : 1000 * timestamp + streamId;
    const { times, streams } = await written(frames, { timeline: { timestampOf: place } });
    assertEquals(times, ["0/1000000", "44100001/1000000", "30000/1000000"]);
    assertEquals(streams.map(({ timeBase }) => timeBase), [[1, 1_000_000], [1, 1_000_000]]);
  },
);

pureTest("NutWriter.abort() makes later writes fail with a broken pipe", async () => {
  const writer = new NutWriter(new WritableStream(), STREAMS);
  await writer.write(frame(0, 0));
  await writer.abort();
  await assertRejects(() => writer.write(frame(0, 1)), Deno.errors.BrokenPipe);
  await writer.abort();
});

Deno.test("NutWriter.abort() ignores a broken pipe, and throws other failures", async () => {
  const aborted = (failure: Error) =>
    new NutWriter(new WritableStream({ abort: () => Promise.reject(failure) }), STREAMS).abort();
  await aborted(new Deno.errors.BrokenPipe("Broken pipe"));
  await aborted(new Deno.errors.ConnectionReset("Connection reset"));
  await assertRejects(() => aborted(new Error("the disk is full")), Error, "the disk is full");
});
