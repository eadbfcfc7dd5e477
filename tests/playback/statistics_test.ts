import { assertAlmostEquals, assertEquals } from "@std/assert";
import { Statistics } from "../../lib/playback/statistics.ts";
import type { Frame, StreamDescription } from "../../lib/media/frame.ts";
import { pureTest } from "../support/pure_test.ts";

const STREAMS: StreamDescription[] = [
  {
    type: "video",
    id: 0,
    codec: "rawvideo",
    fourcc: "I420",
    timeBase: [1, 25],
    extradata: new Uint8Array(),
    width: 4,
    height: 2,
  },
  {
    type: "audio",
    id: 1,
    codec: "pcm_s16le",
    fourcc: "PSD\x10",
    timeBase: [1, 48_000],
    extradata: new Uint8Array(),
    sampleRate: 48_000,
    channels: 2,
  },
];

function frame(streamId: number, timestamp: number, size: number): Frame {
  return { streamId, timestamp, keyframe: true, data: new Uint8Array(size) };
}

pureTest("Statistics counts frames, bytes and time until the end", () => {
  let now = 5000;
  const statistics = new Statistics("get_video", () => now);
  statistics.describe("clip.mp4", STREAMS);
  now += 12.34;
  statistics.count(frame(0, 0, 12));
  statistics.count(frame(1, 0, 100));
  now += 487.66;
  statistics.count(frame(0, 9, 12));
  statistics.count(frame(1, 24_000, 100));
  statistics.dropped = 3;
  assertEquals(statistics.position, 0.5);
  assertEquals(statistics.framesPerSecond, 4);
  statistics.end();
  now += 1000;
  statistics.end();
  assertEquals(JSON.parse(JSON.stringify(statistics)), {
    command: "get_video",
    name: "clip.mp4",
    frames: 2,
    audioFrames: 2,
    bytes: 224,
    seconds: 0.5,
    fps: 4,
    dropped: 3,
    reconnects: 0,
    firstFrameMs: 12.3,
    latencyMs: null,
    messages: 0,
  });
});

pureTest("Statistics.connected() starts the time anew until something has come", () => {
  let now = 5000;
  const statistics = new Statistics("get_video", () => now);
  statistics.describe("video", STREAMS);
  now += 8000;
  statistics.connected();
  now += 100;
  statistics.count(frame(0, 0, 12));
  now += 100;
  statistics.connected();
  now += 200;
  assertEquals([statistics.seconds, statistics.firstFrameMs], [0.4, 100]);
});

pureTest("Statistics without frames has no first frame and no frame rate", () => {
  const statistics = new Statistics("get_image", () => 7);
  statistics.end();
  assertEquals(JSON.parse(JSON.stringify(statistics)), {
    command: "get_image",
    name: "",
    frames: 0,
    audioFrames: 0,
    bytes: 0,
    seconds: 0,
    fps: 0,
    dropped: 0,
    reconnects: 0,
    firstFrameMs: null,
    latencyMs: null,
    messages: 0,
  });
  assertEquals(statistics.hasPicture, false);
});

pureTest("Statistics counts audio without video, and frames that arrive in no time", () => {
  const statistics = new Statistics("get_video", () => 0);
  statistics.describe("s.wav", [STREAMS[1]]);
  // A tenth of a second of stereo, as FFmpeg 7.1 cuts WAV.
  statistics.count(frame(1, 43_200, 4_800 * 4));
  assertEquals([statistics.hasPicture, statistics.position], [false, 1]);
  const coded = new Statistics("get_video", () => 0);
  coded.describe("s.mp3", [{ ...STREAMS[1], codec: "mp3" }]);
  coded.count(frame(1, 43_200, 417));
  assertEquals(coded.position, 0.9);
  const still = new Statistics("get_image", () => 0);
  still.describe("p.png", [STREAMS[0]]);
  still.count(frame(0, 0, 4));
  assertEquals(Number.isFinite(still.framesPerSecond), true);
});

pureTest("Statistics has the latency of live frames", () => {
  const statistics = new Statistics("get_video", () => 0);
  statistics.describe("cam", STREAMS);
  for (let each = 1; each <= 100; each++) statistics.count(frame(0, each, 4), each);
  const { latencyMs } = JSON.parse(JSON.stringify(statistics));
  assertAlmostEquals(latencyMs.p50, 50, 1);
  assertAlmostEquals(latencyMs.p95, 95, 1.5);
});

pureTest("Statistics counts messages apart from frames, and streams that follow others", () => {
  const statistics = new Statistics("get_video", () => 0);
  const data = { id: 2, type: "data", codec: "json", timeBase: [1, 1000] } as const;
  statistics.describe("cam", [...STREAMS, data]);
  statistics.count(frame(0, 9, 12));
  statistics.count(frame(2, 70_000, 5), 1000);
  assertEquals([statistics.frames, statistics.messages, statistics.bytes], [1, 1, 17]);
  assertEquals([statistics.latency, statistics.position < 1], [undefined, true]);
  statistics.describe("cam", [data]);
  statistics.count(frame(2, 80_000, 5));
  assertEquals([statistics.frames, statistics.messages, statistics.bytes], [1, 2, 22]);
  const alone = new Statistics("get_video", () => 0);
  alone.describe("cam/objects", [data]);
  alone.count(frame(2, 7000, 5), 3);
  assertEquals([alone.position, alone.latency !== undefined], [7, true]);
});
