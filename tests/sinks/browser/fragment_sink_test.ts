import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { Frame, StreamDescription } from "../../../lib/media/frame.ts";
import {
  type FragmentHeader,
  FragmentSink,
  type FragmentTarget,
} from "../../../lib/sinks/browser/fragment_sink.ts";
import { findBox, readBoxes } from "../../../lib/sinks/browser/mp4_codecs.ts";
import type { Presentation } from "../../../lib/sinks/sink.ts";
import { GREY } from "../../support/peers/scripted_server.ts";
import { installedDialect } from "../../support/programs/machine.ts";

const never = new AbortController().signal;

/** What is shown, of some streams. */
function present(streams: StreamDescription[], more: Partial<Presentation> = {}): Presentation {
  const about = { name: "grey", live: false, streams, still: false, speed: 0 };
  return { ...about, encoding: "raw", lead: 0, firstPicture: 0, ...more };
}

function grey(timestamp: number): Frame {
  const data = new Uint8Array(256).fill(timestamp);
  return { streamId: 0, timestamp, keyframe: true, data };
}

/** Keeps all that comes. */
class Kept implements FragmentTarget {
  readonly startCache: FragmentHeader[] = [];
  readonly chunks: Uint8Array<ArrayBuffer>[] = [];

  begin(head: FragmentHeader): void {
    assertEquals(this.chunks, []);
    this.startCache.push(head);
  }

  write(bytes: Uint8Array): Promise<void> {
    this.chunks.push(new Uint8Array(bytes));
    return Promise.resolve();
  }

  bytes(): Promise<Uint8Array> {
    return new Blob(this.chunks).bytes();
  }
}

Deno.test("FragmentSink gives the type before the first byte, then the MP4", async () => {
  const target = new Kept();
  await using sink = new FragmentSink(target, {
    can: new Set(["h264"]),
    dialect: installedDialect,
    signal: never,
  });
  await sink.begin(present([GREY]));
  for (let timestamp = 5; timestamp < 30; timestamp++) {
    assertEquals(await sink.show(grey(timestamp)), true);
  }
  await sink.finish();
  assertEquals(target.startCache.length, 1);
  const [{ type, zero, first, notes }] = target.startCache;
  assertEquals([type, zero, first, notes], ['video/mp4; codecs="avc1.64002a"', -1, 0.2, []]);
  const boxes = readBoxes(await target.bytes());
  const names = boxes.map((box) => box.type);
  assertEquals(names.slice(0, 4), ["ftyp", "moov", "moof", "mdat"]);
  // A second is five fragments.
  assert(names.filter((name) => name === "moof").length >= 5);
  assertEquals(findBox(await target.bytes(), "moov/trak/edts"), undefined);
});

Deno.test("FragmentSink writes a fragment for every live picture", async () => {
  const target = new Kept();
  const options = { can: new Set<string>(), live: true, dialect: installedDialect, signal: never };
  await using sink = new FragmentSink(target, options);
  await sink.begin(present([GREY]));
  for (let timestamp = 0; timestamp < 10; timestamp++) await sink.show(grey(timestamp));
  await sink.finish();
  const boxes = readBoxes(await target.bytes());
  assertEquals(boxes.filter(({ type }) => type === "moof").length, 10);
});

Deno.test("FragmentSink reports FFmpeg's reason", async () => {
  const target = new Kept();
  await using sink = new FragmentSink(target, {
    can: new Set(),
    dialect: installedDialect,
    signal: never,
  });
  const broken = { ...GREY, codec: "h264", fourcc: "H264", pixelFormat: "yuv420p" };
  await sink.begin(present([broken], { encoding: "copy", lead: 1 }));
  const error = await assertRejects(async () => {
    for (let timestamp = 0; timestamp < 50; timestamp++) await sink.show(grey(timestamp));
    await sink.finish();
  }, Error);
  assertMatch(error.message, /^Cannot make it playable for the browser: [^\n]+$/);
  assertEquals(target.startCache, []);
});

Deno.test("FragmentSink ends FFmpeg if nobody takes its output", async () => {
  const target = {
    begin() {},
    write: () => Promise.reject(new Error("the page has left")),
  };
  await using sink = new FragmentSink(target, {
    can: new Set(),
    live: true,
    dialect: installedDialect,
    signal: never,
  });
  await sink.begin(present([GREY]));
  await assertRejects(
    async () => {
      for (let timestamp = 0; timestamp < 100_000; timestamp++) await sink.show(grey(timestamp));
    },
    Error,
    "the page has left",
  );
});

Deno.test("FragmentSink is disposed of at any time, twice", async () => {
  const untouched = new FragmentSink(new Kept(), {
    can: new Set(),
    dialect: installedDialect,
    signal: never,
  });
  await untouched[Symbol.asyncDispose]();
  const begun = new FragmentSink(new Kept(), {
    can: new Set(),
    dialect: installedDialect,
    signal: never,
  });
  await begun.begin(present([GREY]));
  await begun.show(grey(0));
  await begun[Symbol.asyncDispose]();
  await begun[Symbol.asyncDispose]();
});
