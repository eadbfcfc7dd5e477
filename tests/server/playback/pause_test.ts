import { assert, assertAlmostEquals, assertEquals, assertLess } from "@std/assert";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";
import { type NativeClient, watch } from "../../support/peers/native_client.ts";
import type { WholeFrame } from "../../support/peers/received.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { LeapingTime } from "../../support/time/leaping_time.ts";

const media = mediaFolder();

/** Milliseconds; a busy machine reaches none of them, and a test by a leap. */
const TIMEOUTS = { request: 40_000, stall: 41_000, silence: 42_000, life: 43_000, ping: 20_000 };

/** Milliseconds: twice the longest of the timeouts, and more. */
const LONG = 100_000;

/** Lets a pause last, in which nothing comes but pings, which the viewer answers. */
async function pauseLasts(viewer: NativeClient, time: LeapingTime): Promise<void> {
  const { connection } = viewer;
  // The frames that are read ahead have come.
  await time.idle(TIMEOUTS.silence);
  for (let passed = 0; passed < LONG; passed += TIMEOUTS.ping) {
    await time.leap(TIMEOUTS.ping);
    await viewer.onlyPings(1);
    await connection.send("pong", new Uint8Array());
    // Once this is answered, the server has read that.
    await connection.send("ping", new Uint8Array());
    assertEquals((await viewer.next()).kind, "pong");
  }
}

async function clip(): Promise<void> {
  await media.make("clip.mp4", [
    ...pictures({ size: "320x240", seconds: 10 }),
    ...tone({ seconds: 10 }),
  ]);
}

/** The next frame of the video, whatever comes before it. */
async function nextVideo(viewer: NativeClient): Promise<WholeFrame> {
  while (true) {
    const { frame } = await viewer.until("frame");
    if (frame.type === "video") return frame;
  }
}

for (const encoding of ["raw", "copy", "h264"] as const) {
  Deno.test(`a pause may last longer than all timeouts of a connection: ${encoding}`, async () => {
    await clip();
    using time = new LeapingTime();
    await using server = await testServer({ media: media.path, timeouts: TIMEOUTS });
    using viewer = await watch(server, { name: "clip.mp4", encoding, late: "drop" });
    let before = await viewer.frame("video");
    await viewer.control({ action: "pause" });
    // Some frames may be under way; behind this there is silence.
    await viewer.connection.send("ping", new Uint8Array());
    for (let received = await viewer.next(); received.kind !== "pong";) {
      if (received.kind === "frame" && received.frame.type === "video") before = received.frame;
      received = await viewer.next();
    }
    await pauseLasts(viewer, time);
    await viewer.control({ action: "resume" });
    const after = await nextVideo(viewer);
    assertEquals([after.dropped, after.discontinuity], [false, false]);
    assertLess(after.seconds - before.seconds, 0.5);
    await viewer.control({ action: "stop" });
    const { end, notices } = await viewer.rest();
    // A busy machine may encode too slowly, but not as if it had done nothing in the pause.
    const others = notices.filter(({ code, message }) =>
      code !== "slow_source" || / at \d % of /.test(message)
    );
    assertEquals([end.reason, end.dropped, others], ["stopped", 0, []]);
  });
}

Deno.test("a pause at the end delays the end", async () => {
  await clip();
  using time = new LeapingTime();
  await using server = await testServer({ media: media.path, timeouts: TIMEOUTS });
  using viewer = await watch(server, { name: "clip.mp4", audio: false });
  await viewer.control({ action: "pause" });
  await viewer.seek(9.95, 1);
  assertAlmostEquals((await viewer.frame()).seconds, 9.96, 0.001);
  await pauseLasts(viewer, time);
  await viewer.control({ action: "stop" });
  assertEquals((await viewer.rest()).end.reason, "stopped");
});

Deno.test("pings and pongs tell the time of the server's clock", async () => {
  await clip();
  using time = new LeapingTime();
  await using server = await testServer({ media: media.path, timeouts: TIMEOUTS });
  const begun = Date.now();
  using viewer = await watch(server, { name: "clip.mp4", audio: false });
  const { connection } = viewer;
  await connection.send("ping", Uint8Array.of(1, 2, 3));
  let pong = await connection.receive();
  while (pong?.kind !== "pong") pong = await connection.receive();
  assertEquals(pong.payload, Uint8Array.of(1, 2, 3));
  await viewer.control({ action: "pause" });
  await viewer.seek(1, 1);
  await viewer.frame();
  await time.leap(TIMEOUTS.ping);
  await viewer.onlyPings(1);
  await time.leap(TIMEOUTS.ping);
  await viewer.onlyPings(1);
  for (const told of [pong.timestamp, ...viewer.pings]) {
    assert(told >= begun * 1000 && told <= (Date.now() + 1) * 1000, `${told}`);
  }
});
