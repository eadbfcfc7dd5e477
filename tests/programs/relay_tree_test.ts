/** What `deploy/haproxy_hub.cfg` is for: one hub that is published to, and edges that relay it. */
import { assertEquals, assertRejects } from "@std/assert";
import { isConnectionLost, RequestError } from "../../lib/base/errors.ts";
import { mediaFolder } from "../support/media/media_folder.ts";
import { Camera, FRAME_INTERVAL } from "../support/peers/camera.ts";
import { NativeClient } from "../support/peers/native_client.ts";
import { noise, rawStream, TestPublisher } from "../support/peers/test_publisher.ts";
import { Balancer, type Behind } from "../support/programs/haproxy.ts";
import { freePort } from "../support/programs/machine.ts";
import { type RunningProgram, startServerProgram } from "../support/programs/running_program.ts";
import { testWith } from "../support/test_if.ts";

const test = testWith("haproxy");

const folder = mediaFolder();

/** Tokens for watching and for publishing, and the files that hold them. */
const [WATCH, PUBLISH] = ["watch-token", "publish-token"];
const watchFile = await folder.write("watch", `${WATCH}\n`);
const publishFile = await folder.write("publish", `${PUBLISH}\n`);

interface Station extends Behind {
  program: RunningProgram;
}

async function startStation(...args: string[]): Promise<Station> {
  const media = folder.pathOf("media");
  await Deno.mkdir(media, { recursive: true });
  const { program, port } = await startServerProgram([
    ...["--media", media, "--metrics", "0", "--token-file", watchFile, ...args],
  ]);
  const [, metrics] = await program.stderr.until(/Metrics are at http:\/\/127\.0\.0\.1:(\d+)\//);
  return { program, port, metrics };
}

/** Asks for the source over a connection through the balancer. */
async function watch(balancer: Balancer): Promise<NativeClient> {
  const client = new NativeClient(await balancer.connect());
  await client.ask({ command: "get_video", name: "cam", encoding: "copy", token: WATCH });
  return client;
}

/** Whether a server answers a ping over a connection. */
async function isConnected(viewer: NativeClient): Promise<boolean> {
  try {
    await viewer.connection.send("ping", new Uint8Array());
    let received = await viewer.receive();
    while (received !== undefined && received.kind !== "pong") received = await viewer.receive();
    return received !== undefined;
  } catch (error) {
    if (!isConnectionLost(error)) throw error;
    return false;
  }
}

/** Shows servers that peers are there, which they doubt after a silence. */
async function showLife(peers: readonly NativeClient[]): Promise<void> {
  for (const peer of peers) await peer.connection.send("pong", new Uint8Array());
}

/** A frame by which an edge finds out what it shows. */
const BLACK = { data: new Uint8Array(32) };

/**
 * Sends random frames and checks that all viewers get just these, behind black ones.
 *
 * @param from number of the first frame
 */
async function assertShown(
  publisher: TestPublisher,
  viewers: readonly NativeClient[],
  from: number,
): Promise<void> {
  const sent: Uint8Array[] = [];
  for (let at = from; at < from + 5; at++) {
    const data = noise(32);
    sent.push(data);
    await publisher.send({ timestamp: at * FRAME_INTERVAL, data });
  }
  for (const viewer of viewers) {
    const shown: Uint8Array[] = [];
    while (shown.length < sent.length) {
      const [{ data }] = await viewer.frames(1);
      if (shown.length > 0 || data.some((value) => value !== 0)) shown.push(data);
    }
    assertEquals(shown, sent);
  }
}

test("what is published to the hub is watched at edges, and one edge is enough", async () => {
  const hub = await startStation("--publish", "token", "--publish-token-file", publishFile);
  await using _hub = hub.program;
  const source = `cam=stream://127.0.0.1:${hub.port}/cam`;
  const edge = () => startStation("--live", source, "--live-token-file", watchFile);
  const edges = [await edge(), await edge()] as const;
  await using _one = edges[0].program;
  await using _two = edges[1].program;
  const publishPort = freePort();
  await using balancer = await Balancer.start(edges, {
    STREAM_HUB: `127.0.0.1:${hub.port}`,
    STREAM_PUBLISH_BIND: `127.0.0.1:${publishPort}`,
    STREAM_CHECK_EVERY: "200ms",
  }, "haproxy_hub.cfg");

  // The hub sees the balancer, which is on its own machine, and wants the token all the same.
  using stranger = await TestPublisher.connect(publishPort);
  await stranger.askToPublish({ name: "cam", token: WATCH });
  const refused = await assertRejects(() => stranger.until("accept"), RequestError);
  assertEquals(refused.code, "unauthorized");

  const request = { name: "cam", token: PUBLISH, onDemand: true };
  using publisher = await TestPublisher.begin(publishPort, request);
  await publisher.describe(rawStream(8, 4));
  using stack = new DisposableStack();
  const viewers: NativeClient[] = [];
  for (let count = 0; count < 4; count++) viewers.push(stack.use(await watch(balancer)));
  while ((await publisher.notice("viewers")).viewers !== 2);
  await using camera = new Camera(publisher, () => BLACK);
  // From then on they get what is sent.
  for (const viewer of viewers) await viewer.until("describe");
  const first = await camera.stop() / FRAME_INTERVAL;
  await showLife([publisher, ...viewers]);
  await assertShown(publisher, viewers, first);

  await showLife([publisher, ...viewers]);
  edges[0].program.kill("SIGKILL");
  const kept: NativeClient[] = [];
  for (const viewer of viewers) if (await isConnected(viewer)) kept.push(viewer);
  assertEquals(kept.length, 2);
  for (let count = 0; count < 2; count++) {
    const viewer = stack.use(await watch(balancer));
    // From then on it gets what is sent.
    await viewer.until("describe");
    kept.push(viewer);
    await showLife([publisher, ...kept]);
  }
  await assertShown(publisher, kept, first + 5);
  const end = await publisher.finish();
  assertEquals(end.frames, first + 10);
});
