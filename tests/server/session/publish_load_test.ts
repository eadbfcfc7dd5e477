import { assert, assertEquals } from "@std/assert";
import { mediaFolder } from "../../support/media/media_folder.ts";
import { rawStream, TestPublisher } from "../../support/peers/test_publisher.ts";
import { testServer } from "../../support/peers/test_server.ts";

/** Sizes of the test; a server for each viewer and publisher has two sockets here. */
const PUBLISHERS = 50;
const VIEWERS_EACH = 4;

/** Frames of each publisher, and the time between two. */
const FRAMES = 30;
const INTERVAL = 1000 / 15;

/** Bytes by which the process may grow: both ends of 260 connections, and a queue of 64 MiB. */
const MAX_MEMORY = 500e6;

const GREY = rawStream(32, 24);
const SIZE = 32 * 24;

Deno.test("200 viewers of 50 publishers get every frame, whatever others do", async () => {
  await using server = await testServer({
    media: mediaFolder().path,
    maxClients: 400,
    live: { sources: [], linger: 0 },
  });
  const { port } = server.address;
  const memory = Deno.memoryUsage().rss;
  const begin = async (name: string) => {
    const publisher = await TestPublisher.begin(port, { name, onDemand: true });
    await publisher.describe(GREY);
    return publisher;
  };
  const watch = async (name: string) => {
    const viewer = await server.connect();
    await viewer.ask({ command: "get_video", name });
    return viewer;
  };
  // One that sends nothing, one that sends as fast as it can, to a viewer that reads nothing, and one
  // that lies again and again.
  using stuck = await begin("stuck");
  using waiting = await watch("stuck");
  using flood = await TestPublisher.begin(port, { name: "flood" });
  await flood.describe(rawStream(160, 120));
  using drowned = await watch("flood");
  let isOver = false;
  const flooding = (async () => {
    const data = new Uint8Array(160 * 120);
    while (!isOver) await flood.send({ data });
  })().catch(() => {});
  const lying = (async () => {
    for (let turn = 0; !isOver; turn++) {
      using liar = await begin("liar");
      await liar.send({ data: new Uint8Array(SIZE + 1 + turn % 100) });
      assertEquals((await liar.farewell())?.code, "bad_request");
    }
  })();
  const cameras = await Promise.all(
    Array.from({ length: PUBLISHERS }, (_, at) => begin(`cam${at}`)),
  );
  const viewers = await Promise.all(
    cameras.flatMap((_, at) => Array.from({ length: VIEWERS_EACH }, () => watch(`cam${at}`))),
  );
  const watched = await Promise.all(viewers.map((viewer, at) => {
    const camera = cameras[Math.floor(at / VIEWERS_EACH)];
    // All four have joined before the first frame.
    return at % VIEWERS_EACH === 0
      ? (async () => {
        while (((await camera.notice("viewers")).viewers ?? 0) < VIEWERS_EACH);
        await camera.send({ data: new Uint8Array(SIZE), timestamp: 0 });
        return viewer.frames(1);
      })()
      : viewer.frames(1);
  }));
  assertEquals(watched.length, PUBLISHERS * VIEWERS_EACH);
  const received = viewers.map((viewer) => viewer.frames(FRAMES));
  const sent = cameras.map(async (camera, at) => {
    for (let frame = 1; frame <= FRAMES; frame++) {
      await new Promise((resolve) => setTimeout(resolve, INTERVAL));
      const data = new Uint8Array(SIZE).fill(at);
      await camera.send({ data, timestamp: Math.round(frame * INTERVAL) });
    }
  });
  await Promise.all(sent);
  for (const [at, frames] of (await Promise.all(received)).entries()) {
    assertEquals(frames.length, FRAMES);
    assert(
      frames.every(({ dropped, discontinuity }) => !dropped && !discontinuity),
      `viewer ${at}`,
    );
    const [{ timestamp: first }] = frames;
    const times = frames.map(({ timestamp }) => timestamp - first);
    const due = Array.from(times, (_, frame) => Math.round((frame + 1) * INTERVAL));
    assertEquals(times, due.map((time) => time - due[0]));
    assertEquals(frames[0].data[0], Math.floor(at / VIEWERS_EACH));
  }
  isOver = true;
  flood.close();
  await Promise.all([flooding, lying]);
  for (const peer of [...cameras, ...viewers, stuck, waiting, drowned]) peer.close();
  await server.quiet();
  // What the flood has sent would be more: the queue of its viewer is bounded.
  assert(Deno.memoryUsage().rss - memory < MAX_MEMORY);
});
