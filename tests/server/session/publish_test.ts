import { assertEquals } from "@std/assert";
import { conversationMedia, testServer } from "../../support/peers/test_server.ts";
import { rawStream, TestPublisher } from "../../support/peers/test_publisher.ts";

const media = await conversationMedia();

Deno.test("a publisher is asked for its time before it sends frames", async () => {
  const timeouts = { request: 10_000, stall: 30_000, ping: 2 ** 30 };
  await using server = await testServer({ media, timeouts });
  using publisher = await TestPublisher.begin(server.address.port, { name: "cam" });
  await publisher.until("ping");
  assertEquals(publisher.pings.length, 1);
});

/** A frame of random bytes. */
function noise(size: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(size));
}

Deno.test("frames of a publisher reach a viewer byte by byte", async () => {
  await using server = await testServer({ media });
  using publisher = await TestPublisher.begin(server.address.port, { name: "cam", onDemand: true });
  await publisher.describe(rawStream(8, 4));
  using viewer = await server.connect();
  await viewer.ask({ command: "get_video", name: "cam" });
  await publisher.asked("resume");
  const sent = [noise(32), noise(32), noise(32)];
  for (const [at, data] of sent.entries()) await publisher.send({ timestamp: at * 40, data });
  const frames = await viewer.frames(3);
  assertEquals(frames.map(({ data }) => data), sent);
  assertEquals(frames.map(({ timestamp }) => timestamp - frames[0].timestamp), [0, 40, 80]);
  assertEquals(viewer.description.live, true);
  const end = await publisher.finish();
  assertEquals([end.frames, end.bytes], [3, 96]);
  assertEquals((await viewer.until("end")).end.frames, 3);
});
