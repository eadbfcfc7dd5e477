import { assert, assertEquals, assertLess } from "@std/assert";
import type { MediaRequest } from "../../../lib/protocol/native/request.ts";
import { mediaFolder, pictures } from "../../support/media/media_folder.ts";
import { type NativeClient, watch } from "../../support/peers/native_client.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { HandClock } from "../../support/time/hand_clock.ts";
import { LeapingTime } from "../../support/time/leaping_time.ts";

// Viewers that are too slow. Frames are due on a clock on which waiting takes no
// time, and neither does decoding: only the viewer is ever late, however busy the machine is.

const media = mediaFolder();

/** Milliseconds; the timer of a write is known by the first, and nothing else is written. */
const TIMEOUTS = {
  ...{ request: 120_000, stall: 121_000, silence: 122_000, ping: 600_000 },
  life: 600_000,
};

async function large(): Promise<void> {
  const size = { size: "640x360", rate: "25", seconds: 5 };
  await media.make("large.mkv", [...pictures(size), "-c:v", "mpeg4", "-g", "25"]);
}

/** A viewer of 125 frames that has taken the first, and lets the server wait for the next. */
async function stalled(
  request: Pick<MediaRequest, "late" | "speed" | "duration">,
  seconds: number,
): Promise<{ viewer: NativeClient } & AsyncDisposable> {
  await large();
  await using open = new AsyncDisposableStack();
  const time = open.use(new LeapingTime());
  const clock = new HandClock({ skips: true });
  const server = open.use(await testServer({ media: media.path, timeouts: TIMEOUTS, clock }));
  const viewer = open.use(await watch(server, { ...LARGE, ...request }));
  await viewer.frame();
  await time.running(TIMEOUTS.stall);
  clock.pass(seconds * 1000);
  const kept = open.move();
  return { viewer, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

const LARGE = { name: "large.mkv", pixelFormat: "bgr24" } as const;

Deno.test("late: drop drops frames that a viewer has no time for, and says how many", async () => {
  await using scene = await stalled({ late: "drop" }, 3);
  const { frames, notices, end } = await scene.viewer.rest();
  // What was due within three seconds, but for the frame that was being written and the one that
  // is next when they are over.
  assertEquals(end.dropped, 73);
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

Deno.test("late: wait sends every frame, and notifies once that the connection is slow", async () => {
  await using scene = await stalled({ late: "wait" }, 4);
  const { frames, notices } = await scene.viewer.rest();
  assertEquals(1 + frames.length, 125);
  assert(frames.every(({ dropped }) => !dropped));
  assertEquals(notices.map(({ code }) => code), ["slow_link"]);
  assertLess(notices[0].achieved!, notices[0].needed!);
  assertLess(Math.abs(notices[0].needed! / (640 * 360 * 3 * 25) - 1), 0.2);
});

Deno.test("late: drop drops nothing if frames are in time", async () => {
  await using scene = await stalled({ duration: 1, late: "drop", speed: 0 }, 4);
  const { frames, notices, end } = await scene.viewer.rest();
  assertEquals([1 + frames.length, notices, end.dropped], [25, [], 0]);
});
