import { assertEquals, assertMatch } from "@std/assert";
import { SeekingSlot, waitForDecoder } from "../../../lib/server/playback/decoder_queue.ts";
import { DecoderSemaphore } from "../../../lib/sources/limits.ts";
import { standIn } from "../../support/programs/stand_in.ts";
import { mediaFolder, pictures } from "../../support/media/media_folder.ts";
import { pureTest } from "../../support/pure_test.ts";
import { watch } from "../../support/peers/native_client.ts";
import { scriptRequest } from "../../support/peers/script_messages.ts";
import { parseLiveSource } from "../../../lib/sources/live/source_spec.ts";
import { HandClock } from "../../support/time/hand_clock.ts";
import {
  conversationMedia,
  SHORT_FRAMES,
  type TestServer,
  testServer,
} from "../../support/peers/test_server.ts";

const media = await conversationMedia();

const LONG = { command: "get_video", name: "long.mkv", speed: 1 } as const;
const SHORT = { command: "get_video", name: "short.mkv" } as const;

/**
 * A server with one decoder. Time stands still: who reads nothing is not taken for idle, and keeps
 * it.
 */
async function serveOne(clock = new HandClock()): Promise<TestServer> {
  const server = await testServer({ media, maxDecoders: 1, clock });
  await server.probeAll();
  return server;
}

Deno.test("a request waits in the queue for a decoder, is notified, and then served", async () => {
  await using server = await serveOne();
  using first = await server.connect();
  await first.ask(LONG);
  await first.until("frame");
  using second = await server.connect();
  await second.ask(SHORT);
  const { before } = await second.until("notice");
  assertEquals(before.filter((kind) => kind !== "ping"), []);
  using classic = await server.connect();
  await classic.write(scriptRequest("get_image"));
  // Stream copy needs none.
  using third = await server.connect();
  await third.ask({ ...SHORT, encoding: "copy" });
  assertEquals((await third.response()).end?.reason, "end");
  await first.control("stop");
  assertEquals((await first.response()).end?.reason, "stopped");
  assertEquals((await second.response()).frames.length, SHORT_FRAMES);
  assertEquals((await classic.readAll()).length > 1000, true);
});

Deno.test("a request may be stopped, or its peer leave, while it is in the queue", async () => {
  await using server = await serveOne();
  using first = await server.connect();
  await first.ask(LONG);
  await first.until("frame");
  using second = await server.connect();
  await second.ask(SHORT);
  await second.until("notice");
  {
    using third = await server.connect();
    await third.ask(SHORT);
    await third.until("notice");
  }
  await server.logged(/ request ends .* name=short\.mkv result=cut /);
  await second.control("stop");
  const { error } = await second.response();
  assertEquals(error?.code, "busy");
  assertMatch(error?.message ?? "", /stopped while it waited in the queue$/);
  await second.ask({ ...SHORT, encoding: "copy" });
  assertEquals((await second.response()).end?.reason, "end");
  second.close();
  first.close();
  await server.quiet();
  await server.assertWell();
});

Deno.test("a live source takes a decoder for all its viewers, and gives it back when another request waits for it", async () => {
  const live = {
    sources: [parseLiveSource("cam=lavfi:testsrc2=size=64x48:rate=30")],
    linger: 600,
  };
  await using server = await testServer({ media, maxDecoders: 1, live });
  using first = await server.connect();
  await first.ask({ command: "get_video", name: "cam" });
  await first.until("frame");
  using second = await server.connect();
  await second.ask({ command: "get_video", name: "cam", duration: 0.2 });
  assertEquals((await second.response()).end?.reason, "end");
  // Another rendition is another decoder.
  await second.ask({ command: "get_video", name: "cam", width: 32, duration: 0.2 });
  await second.until("notice");
  // Without viewers it would go on for ten minutes.
  await first.control("stop");
  await first.response();
  assertEquals((await second.response()).end?.reason, "end");
  // The same if its last viewer has left before the waiting begins.
  await first.ask(SHORT);
  assertEquals((await first.response()).frames.length, SHORT_FRAMES);
});

pureTest("waitForDecoder() waits for the network of a viewer", async () => {
  const { signal } = new AbortController();
  const networkFor = (address?: string) =>
    waitForDecoder(
      { slots: { total: 1 }, controls: { stopped: signal }, response: {}, signal, address },
      ({ network }) => Promise.resolve(network),
    );
  assertEquals(
    [await networkFor("::ffff:10.0.0.1"), await networkFor("2001:db8::1"), await networkFor()],
    ["10.0.0.1", "2001:db8:0:0::/64", undefined],
  );
});

pureTest("SeekingSlot keeps the slot that a seek frees, until it is used or released", async () => {
  const slots = new DecoderSemaphore(1);
  const { signal } = new AbortController();
  const controls = { isSeeking: false };
  const own = new SeekingSlot(controls, (options) => slots.take({ signal, ...options }));
  const first = await own.take({});
  controls.isSeeking = true;
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  controls.isSeeking = false;
  assertEquals(slots.taken, 1);
  const second = await own.take({});
  second[Symbol.dispose]();
  assertEquals(slots.taken, 0);
  const third = await own.take({});
  controls.isSeeking = true;
  third[Symbol.dispose]();
  own.release();
  assertEquals(slots.taken, 0);
  // Another viewer may end the decoder after the response.
  const last = await own.take({});
  own[Symbol.dispose]();
  last[Symbol.dispose]();
  assertEquals(slots.taken, 0);
});

pureTest("SeekingSlot keeps no slot that is given up for another network", async () => {
  const slots = new DecoderSemaphore(2, { clock: new HandClock() });
  const { signal } = new AbortController();
  const own = new SeekingSlot(
    { isSeeking: true },
    (options) => slots.take({ signal, network: "a", ...options }),
  );
  using _first = await own.take({});
  const second = await own.take({});
  second.holder = { idleIn: Infinity, isMovable: true, giveUp: () => second[Symbol.dispose]() };
  const other = await slots.take({ signal, network: "b" });
  assertEquals([slots.taken, slots.waiting], [2, 0]);
  other[Symbol.dispose]();
});

Deno.test("a viewer who seeks goes on with the slot that it has, though others wait", async () => {
  const clock = new HandClock();
  await using server = await serveOne(clock);
  using seeking = await watch(server, LONG);
  await seeking.frames(1);
  using second = await server.connect();
  await second.ask(SHORT);
  await second.until("notice");
  for (const [at, to] of [5, 12, 18].entries()) {
    // Seeks that follow each other faster are put together.
    clock.pass(1000);
    await seeking.seek(to, at + 1);
    await seeking.frames(1);
  }
  // Nobody has got the slot in between.
  assertEquals(server.lines.filter((line) => /request ends .*short/.test(line)), []);
  seeking.close();
  assertEquals((await second.response()).frames.length, SHORT_FRAMES);
});

Deno.test("a viewer who seeks again while a seek is opened goes on with its slot", async () => {
  const clock = new HandClock();
  await using server = await serveOne(clock);
  using seeking = await watch(server, LONG);
  await seeking.frames(1);
  using second = await server.connect();
  await second.ask(SHORT);
  await second.until("notice");
  {
    // The first seek never comes to anything.
    const path = await Deno.makeTempFile();
    using _file = { [Symbol.dispose]: () => Deno.removeSync(path) };
    using _ffmpeg = await standIn("ffmpeg", `echo >>${path}; exec sleep 60`);
    await seeking.control({ action: "seek", to: 5, id: 1 });
    await seeking.answered(1);
    while ((await Deno.stat(path)).size === 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  clock.pass(1000);
  await seeking.seek(12, 2);
  await seeking.frames(1);
  assertEquals(server.lines.filter((line) => /request ends .*short/.test(line)), []);
  seeking.close();
  assertEquals((await second.response()).frames.length, SHORT_FRAMES);
});

Deno.test("a viewer who is paused at the end leaves its slot to others", async () => {
  await using server = await testServer({ media, maxDecoders: 1 });
  using paused = await watch(server, LONG);
  await paused.frames(3);
  await paused.control("pause");
  await paused.seek(1e6, 1);
  using second = await server.connect();
  await second.ask(SHORT);
  assertEquals((await second.response()).frames.length, SHORT_FRAMES);
});

Deno.test("pictures that are encoded since their packets cannot be copied take a slot", async () => {
  const clips = mediaFolder();
  const pixels = ["-pix_fmt", "yuv420p"];
  await clips.make("untimed.h264", [...pictures({ seconds: 1 }), "-c:v", "libx264", ...pixels]);
  await clips.make("long.mkv", [...pictures({ seconds: 20 }), "-c:v", "mpeg4"]);
  await using server = await testServer({ media: clips.path, maxDecoders: 1 });
  using first = await watch(server, { ...LONG, speed: 0.1 });
  await first.frames(1);
  using second = await server.connect();
  await second.ask({ command: "get_video", name: "untimed.h264", encoding: "copy" });
  await second.until("notice");
  await first.control("stop");
  await second.until("frame");
});
