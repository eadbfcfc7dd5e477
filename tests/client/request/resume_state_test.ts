import { assertEquals } from "@std/assert";
import { ResumeState } from "../../../lib/client/request/resume_state.ts";
import type { AudioStream, Frame } from "../../../lib/media/frame.ts";
import { GREY } from "../../support/peers/scripted_server.ts";
import { pureTest } from "../../support/pure_test.ts";

const PCM: AudioStream = {
  ...{ type: "audio", id: 1, codec: "pcm_s24le", fourcc: "PSD\x18", timeBase: [1, 1000] },
  ...{ extradata: new Uint8Array(), sampleRate: 48_000, channels: 2 },
};

function frame(timestamp: number, more: Partial<Frame> = {}): Frame {
  return { streamId: 0, timestamp, keyframe: true, data: new Uint8Array(6), ...more };
}

pureTest(
  "Reception.points name the last frame that came of each stream, in the order of arrival",
  () => {
    const resumeState = new ResumeState([GREY, PCM, { ...PCM, id: 2, codec: "aac" }]);
    assertEquals(resumeState.points, []);
    resumeState.take(frame(-3));
    resumeState.take(frame(8));
    resumeState.take(frame(5));
    assertEquals(resumeState.points, [{ id: 0, after: 5 }]);
    resumeState.take(frame(20, { streamId: 2 }));
    assertEquals(resumeState.points, [{ id: 0, after: 5 }, { id: 2, after: 20 }]);
  },
);

pureTest("Reception.points tell where PCM goes on, in ticks of its time base", () => {
  const resumeState = new ResumeState([PCM]);
  // 100 samples of 3 bytes in 2 channels, 2.08 ms.
  resumeState.take(frame(7, { streamId: 1, data: new Uint8Array(600) }));
  assertEquals(resumeState.points, [{ id: 1, after: 7, next: 9 }]);
});

pureTest("Reception.points count breaks", () => {
  const resumeState = new ResumeState([GREY]);
  resumeState.take(frame(0));
  resumeState.take(frame(0, { discontinuity: true }));
  resumeState.take(frame(0, { discontinuity: true }));
  assertEquals(resumeState.points, [{ id: 0, after: 0, breaks: 2 }]);
});

pureTest("Reception.position is that of the newest picture, or of sound alone", () => {
  const both = new ResumeState([GREY, PCM]);
  both.take(frame(50));
  both.take(frame(25));
  both.take(frame(9000, { streamId: 1 }));
  assertEquals(both.position, 2);
  both.jump(0.5);
  assertEquals(both.position, 0.5);
  const sound = new ResumeState([PCM]);
  sound.take(frame(9000, { streamId: 1 }));
  assertEquals(sound.position, 9);
});

pureTest("Reception.totals add up what came, but for unknown streams", () => {
  const resumeState = new ResumeState([GREY, PCM]);
  for (const streamId of [0, 1, 1, 7]) resumeState.take(frame(0, { streamId }));
  assertEquals(resumeState.totals, { frames: 1, audioFrames: 2, bytes: 18 });
});
