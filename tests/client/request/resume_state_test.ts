import { assertEquals } from "@std/assert";
import { ResumeState } from "../../../lib/client/request/resume_state.ts";
import type {
  AudioStream,
  DataStream,
  Frame,
  StreamDescription,
} from "../../../lib/media/frame.ts";
import { GREY } from "../../support/peers/scripted_server.ts";
import { pureTest } from "../../support/pure_test.ts";

const PCM: AudioStream = {
  ...{ type: "audio", id: 1, codec: "pcm_s24le", fourcc: "PSD\x18", timeBase: [1, 1000] },
  ...{ extradata: new Uint8Array(), sampleRate: 48_000, channels: 2 },
};

function frame(timestamp: number, more: Partial<Frame> = {}): Frame {
  return { streamId: 0, timestamp, keyframe: true, data: new Uint8Array(6), ...more };
}

/** The state of a response that one connection has described. */
function describedState(streams: StreamDescription[]): ResumeState {
  const state = new ResumeState({ command: "get_video" }, { seekable: false, now: () => 0 });
  state.describe({ name: "grey", live: false, streams, etag: "one" });
  return state;
}

pureTest("ResumeState.points name the last frame of each stream, in the order of arrival", () => {
  const state = describedState([GREY, PCM, { ...PCM, id: 2, codec: "aac" }]);
  assertEquals(state.points, []);
  state.take(frame(-3));
  state.take(frame(8));
  state.take(frame(5));
  assertEquals(state.points, [{ id: 0, after: 5 }]);
  state.take(frame(20, { streamId: 2 }));
  assertEquals(state.points, [{ id: 0, after: 5 }, { id: 2, after: 20 }]);
});

pureTest("ResumeState.points give the end of PCM in ticks of its time base", () => {
  const state = describedState([PCM]);
  // 100 samples of 3 bytes in 2 channels, 2.08 ms.
  state.take(frame(7, { streamId: 1, data: new Uint8Array(600) }));
  assertEquals(state.points, [{ id: 1, after: 7, next: 9 }]);
});

pureTest("ResumeState.points count discontinuities", () => {
  const state = describedState([GREY]);
  state.take(frame(0));
  state.take(frame(0, { discontinuity: true }));
  state.take(frame(0, { discontinuity: true }));
  assertEquals(state.points, [{ id: 0, after: 0, breaks: 2 }]);
});

pureTest("ResumeState.points name the last text, and those of its timestamp are taken once", () => {
  const TEXTS: DataStream = { id: 2, type: "data", codec: "subtitle", timeBase: [1, 1000] };
  const description = { name: "grey", live: false, streams: [GREY], data: [TEXTS], etag: "one" };
  const state = new ResumeState({ command: "get_video" }, { seekable: true, now: () => 0 });
  const taken = (timestamp: number, text: string) =>
    state.take(frame(timestamp, { streamId: 2, data: new TextEncoder().encode(text) })) !==
      undefined;
  state.describe(description);
  assertEquals([taken(100, "a"), taken(200, "b"), taken(200, "c")], [true, true, true]);
  assertEquals(state.points, [{ id: 2, after: 200 }]);
  state.describe(description);
  assertEquals([taken(200, "b"), taken(200, "c"), taken(200, "d")], [false, false, true]);
  assertEquals(state.position, 0);
  state.onSeekReply({ action: "seek", to: 0.2 });
  assertEquals([taken(200, "b"), taken(300, "b")], [true, true]);
});

pureTest("ResumeState.position is that of the latest video frame, or of audio alone", () => {
  const both = describedState([GREY, PCM]);
  both.take(frame(50));
  both.take(frame(25));
  both.take(frame(9000, { streamId: 1 }));
  assertEquals(both.position, 2);
  both.onSeekReply({ action: "seek", to: 0.5 });
  assertEquals(both.position, 0.5);
  const sound = describedState([PCM]);
  sound.take(frame(9000, { streamId: 1 }));
  assertEquals(sound.position, 9);
});

pureTest(
  "ResumeState.take() drops what steps back after a cut, with other data streams too",
  () => {
    const DATA = { id: 2, type: "data", codec: "json", timeBase: [1, 1000] } as const;
    const grey = { ...GREY, timeBase: [1, 1000] } as const;
    for (const data of [[], [DATA]]) {
      let now = 0;
      const state = new ResumeState({ command: "get_video" }, { seekable: false, now: () => now });
      const live = { name: "grey", live: true, streams: [grey, PCM] };
      state.describe(live);
      state.take(frame(0));
      state.take(frame(500, { streamId: 1 }));
      now = 100;
      state.describe({ ...live, data });
      assertEquals(state.take(frame(9000)), frame(600, { discontinuity: true }));
      assertEquals(state.take(frame(8700, { streamId: 1 })), undefined);
      assertEquals(
        state.take(frame(8920, { streamId: 1 })),
        frame(520, { streamId: 1, discontinuity: true }),
      );
    }
  },
);
