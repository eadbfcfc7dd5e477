import { assert, assertEquals, assertLess } from "@std/assert";
import type { Notice } from "../../lib/wire/answer.ts";
import { mediaFolder, pictures } from "../support/media.ts";
import { ask } from "../support/native_client.ts";
import { testServer } from "../support/server.ts";
import { type SeenFrame, watch } from "./seeking_viewer.ts";

// Viewers that take less than they should. Their frames are large: whatever lies between the two
// holds only a part of a second of them.

const media = mediaFolder();

async function large(): Promise<void> {
  const size = { size: "1280x720", rate: "25", seconds: 5 };
  await media.make("large.mkv", [...pictures(size), "-c:v", "mpeg4", "-g", "25"]);
  await media.make("clock.mkv", [...pictures({ seconds: 4 }), "-c:v", "ffv1"]);
}

const LARGE = { name: "large.mkv", pixelFormat: "bgr24" } as const;

Deno.test("late: drop leaves out what a viewer had no time for, and says how much", async () => {
  await large();
  await using server = await testServer({ media: media.path });
  using viewer = await watch(server, { ...LARGE, late: "drop" });
  await viewer.frame();
  // Three seconds go by, in which this viewer takes nothing.
  await ask(server, { command: "get_video", name: "clock.mkv", duration: 3, speed: 1 });
  const { frames, notices, end } = await viewer.rest();
  assertLess(20, end.dropped);
  assertEquals(1 + frames.length + end.dropped, 125);
  assertEquals(end.frames, 1 + frames.length);
  let next = 1;
  for (const { seconds, dropped } of frames) {
    const number = Math.round(seconds * 25);
    assertEquals(dropped, number !== next);
    next = number + 1;
  }
  assertEquals(next, 125);
  const codes = notices.map(({ code }) => code);
  assertEquals(codes.filter((code) => code === "slow_link").length, 1);
  assert(codes.includes("dropped"));
});

Deno.test("late: wait sends every frame, and says once that the link is slow", async () => {
  await large();
  await using server = await testServer({ media: media.path });
  using viewer = await watch(server, { ...LARGE, duration: 5 });
  const frames: SeenFrame[] = [await viewer.frame()];
  await ask(server, { command: "get_video", name: "clock.mkv", duration: 4, speed: 1 });
  const notices: Notice[] = [];
  for (let seen = await viewer.next(); seen.kind !== "end"; seen = await viewer.next()) {
    if (seen.kind === "frame") frames.push(seen.frame);
    if (seen.kind === "notice") notices.push(seen.notice);
  }
  assertEquals(frames.length, 125);
  assert(frames.every(({ dropped }) => !dropped));
  assertEquals(notices.map(({ code }) => code), ["slow_link"]);
  assertLess(notices[0].achieved!, notices[0].needed!);
  assertLess(Math.abs(notices[0].needed! / (1280 * 720 * 3 * 25) - 1), 0.2);
});

Deno.test("late: drop leaves nothing out where there is no hurry", async () => {
  await large();
  await using server = await testServer({ media: media.path });
  using viewer = await watch(server, { ...LARGE, duration: 1, late: "drop", speed: 0 });
  await ask(server, { command: "get_video", name: "clock.mkv", duration: 1, speed: 1 });
  const { frames, notices, end } = await viewer.rest();
  assertEquals([frames.length, notices, end.dropped], [25, [], 0]);
});
