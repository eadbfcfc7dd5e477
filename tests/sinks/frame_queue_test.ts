import { assertEquals } from "@std/assert";
import type { AudioStream, Frame } from "../../lib/media/frame.ts";
import { FrameQueue } from "../../lib/sinks/lossy_sink.ts";
import { GREY } from "../support/peers/scripted_server.ts";
import { pureTest } from "../support/pure_test.ts";

const SOUND: AudioStream = {
  type: "audio",
  id: 1,
  codec: "pcm_s16le",
  fourcc: "PSD\x10",
  timeBase: [1, 48_000],
  extradata: new Uint8Array(),
  sampleRate: 48_000,
  channels: 1,
};

function frame(timestamp: number, { streamId = 0, keyframe = true, size = 1 } = {}): Frame {
  return { streamId, timestamp, keyframe, data: new Uint8Array(size).fill(timestamp) };
}

/** Ends a queue; gives stream and timestamp of its frames. */
async function rest(queue: FrameQueue): Promise<string[]> {
  queue.end();
  return (await Array.fromAsync(queue)).map(({ streamId, timestamp }) =>
    `${streamId}:${timestamp}`
  );
}

/** `0:0` to `0:3`, for example. */
function range(streamId: number, from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => `${streamId}:${from + index}`);
}

pureTest("FrameQueue gives copies of frames in their order", async () => {
  const queue = new FrameQueue([GREY, SOUND]);
  const taken = frame(7, { size: 3 });
  queue.push(taken);
  queue.push(frame(8, { streamId: 1 }));
  taken.data.fill(0);
  assertEquals(queue.length, 2);
  queue.end();
  queue.push(frame(9));
  const found = await Array.fromAsync(queue);
  assertEquals(found.map(({ data }) => [...data]), [[7, 7, 7], [8]]);
  assertEquals(queue.dropped, 0);
});

pureTest("FrameQueue keeps the newest raw frame of a live source", async () => {
  const queue = new FrameQueue([GREY, SOUND], { raw: true, live: true });
  for (let time = 0; time < 5; time++) {
    queue.push(frame(time));
    queue.push(frame(time, { streamId: 1 }));
  }
  assertEquals(queue.dropped, 4);
  assertEquals(await rest(queue), [...range(1, 0, 3), "0:4", "1:4"]);
});

pureTest("FrameQueue gives frames to a waiting consumer", async () => {
  const queue = new FrameQueue([GREY]);
  const all = rest.bind(undefined, queue);
  const found: number[] = [];
  const reading = (async () => {
    for await (const { timestamp } of queue) {
      found.push(timestamp);
      if (timestamp < 3) queue.push(frame(timestamp + 1));
      else await all();
    }
  })();
  queue.push(frame(1));
  await reading;
  assertEquals(found, [1, 2, 3]);
});

pureTest("FrameQueue drops the oldest raw frames, of video and of audio separately", async () => {
  const queue = new FrameQueue([GREY, SOUND], { raw: true });
  queue.push(frame(0, { streamId: 1 }));
  for (let time = 0; time < 40; time++) queue.push(frame(time));
  assertEquals([queue.length, queue.dropped], [33, 8]);
  assertEquals(await rest(queue), ["1:0", ...range(0, 8, 39)]);
});

pureTest("FrameQueue bounds its bytes, except for a single frame", async () => {
  const queue = new FrameQueue([GREY], { raw: true });
  const size = 24 << 20;
  for (let time = 0; time < 5; time++) queue.push(frame(time, { size }));
  assertEquals(await rest(queue), ["0:3", "0:4"]);
  const large = new FrameQueue([GREY], { raw: true });
  for (let time = 0; time < 2; time++) large.push(frame(time, { size: 65 << 20 }));
  assertEquals(await rest(large), ["0:1"]);
});

pureTest("FrameQueue drops encoded video up to the next keyframe with room", async () => {
  const queue = new FrameQueue([GREY, SOUND], { raw: false });
  for (let time = 0; time < 40; time++) {
    queue.push(frame(time, { keyframe: time % 10 === 0 }));
    queue.push(frame(time, { streamId: 1 }));
  }
  // 32 to 39 have found no room.
  assertEquals(queue.dropped, 8);
  const reader = queue[Symbol.asyncIterator]();
  for (let count = 0; count < 8; count++) await reader.next();
  // There is room, but what refers to 39 is of no use.
  queue.push(frame(40, { keyframe: false }));
  queue.push(frame(50));
  queue.push(frame(51, { keyframe: false }));
  const pictures = (await rest(queue)).filter((name) => name.startsWith("0:"));
  assertEquals(pictures, [...range(0, 4, 31), "0:50", "0:51"]);
  assertEquals(queue.dropped, 9);
});
