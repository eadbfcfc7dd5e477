import { assert, assertAlmostEquals, assertEquals, assertLess } from "@std/assert";
import { mediaFolder, pictures, tone } from "../support/media.ts";
import { testServer } from "../support/server.ts";
import { watch } from "./seeking_viewer.ts";

const media = mediaFolder();

/** Milliseconds, all of them short. */
const TIMEOUTS = { request: 300, stall: 300, silence: 300, ping: 20 };

async function clip(): Promise<void> {
  await media.make("clip.mp4", [
    ...pictures({ size: "320x240", seconds: 10 }),
    ...tone({ seconds: 10 }),
  ]);
}

Deno.test("a pause may last for longer than all that ends a connection", async () => {
  await clip();
  await using server = await testServer({ media: media.path, timeouts: TIMEOUTS });
  for (const encoding of ["raw", "copy", "h264"] as const) {
    using viewer = await watch(server, { name: "clip.mp4", encoding, late: "drop" });
    const before = await viewer.frame("video");
    await viewer.control({ action: "pause" });
    // Some frames may be under way; then there is silence, for twice the longest of the timeouts.
    await viewer.client.connection.send("ping", new Uint8Array());
    for (const kind of ["pong", "ping"]) {
      while ((await viewer.client.connection.receive())?.kind !== kind);
    }
    await viewer.onlyPings(30);
    await viewer.control({ action: "resume" });
    const after = await viewer.frame("video");
    assertEquals([after.dropped, after.discontinuity], [false, false]);
    assertLess(after.seconds - before.seconds, 0.5);
    await viewer.control({ action: "stop" });
    const { end, notices } = await viewer.rest();
    assertEquals([end.reason, end.dropped, notices], ["stopped", 0, []]);
  }
});

Deno.test("a pause at the end holds the end back", async () => {
  await clip();
  await using server = await testServer({ media: media.path, timeouts: TIMEOUTS });
  using viewer = await watch(server, { name: "clip.mp4", audio: false });
  await viewer.control({ action: "pause" });
  await viewer.seek(9.95, 1);
  assertAlmostEquals((await viewer.frame()).seconds, 9.96, 0.001);
  await viewer.onlyPings(20);
  await viewer.control({ action: "stop" });
  assertEquals((await viewer.rest()).end.reason, "stopped");
});

Deno.test("pings and pongs tell the time of the server's clock", async () => {
  await clip();
  await using server = await testServer({ media: media.path, timeouts: TIMEOUTS });
  const begun = Date.now();
  using viewer = await watch(server, { name: "clip.mp4", audio: false });
  const { connection } = viewer.client;
  await connection.send("ping", Uint8Array.of(1, 2, 3));
  let pong = await connection.receive();
  while (pong?.kind !== "pong") pong = await connection.receive();
  assertEquals(pong.payload, Uint8Array.of(1, 2, 3));
  await viewer.control({ action: "pause" });
  await viewer.seek(1, 1);
  await viewer.frame();
  await viewer.onlyPings(2);
  for (const time of [pong.timestamp, ...viewer.pings]) {
    assert(time >= begun * 1000 && time <= (Date.now() + 1) * 1000, `${time}`);
  }
});
