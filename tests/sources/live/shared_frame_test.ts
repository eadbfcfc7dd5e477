import { assert, assertEquals } from "@std/assert";
import { wallClock } from "../../../lib/base/clock.ts";
import { FRAME_HEADROOM, FRAME_TAILROOM } from "../../../lib/media/frame.ts";
import { encodeFrame } from "../../../lib/protocol/native/framing.ts";
import { SharedFrame } from "../../../lib/sources/live/shared_frame.ts";

function capturedAt(captured: number): SharedFrame {
  const memory = new Uint8Array(FRAME_HEADROOM + 4 + FRAME_TAILROOM);
  const data = memory.subarray(FRAME_HEADROOM, FRAME_HEADROOM + 4);
  const frame = { streamId: 0, timestamp: 0, keyframe: true, data, captured };
  return new SharedFrame(frame, {
    ...{ type: "video", time: 0, prepare: encodeFrame },
    recycle: () => {},
  });
}

Deno.test("SharedFrame.age is never below zero, even if the clock was set back", () => {
  assert(capturedAt(wallClock() - 2_000_000).age >= 2);
  assertEquals(capturedAt(wallClock() + 3_600_000_000).age, 0);
});
