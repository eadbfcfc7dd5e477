import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { Address } from "../../../lib/net/address.ts";
import { startMetricsServer } from "../../../lib/server/metrics/http.ts";
import { conversationMedia, testServer } from "../../support/peers/test_server.ts";

const media = await conversationMedia();

const HERE = { hostname: "127.0.0.1", port: 0 };

/** Sends a request; gives the status and the text of the response. */
async function get({ port }: Address, path: string, init?: RequestInit) {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
  return [response.status, await response.text()] as const;
}

/** The address that the log of a server names. */
function metricsAddress(server: { lines: readonly string[] }): Address {
  const [, port] = server.lines.join("").match(/Metrics are at http:\/\/127\.0\.0\.1:(\d+)\//) ??
    [];
  return { hostname: "127.0.0.1", port: Number(port) };
}

/** A sample of the metrics. */
async function sample(address: Address, name: string): Promise<number> {
  const [, text] = await get(address, "/metrics");
  return Number(text.split("\n").find((line) => line.startsWith(`${name} `))?.split(" ")[1]);
}

Deno.test("startMetricsServer() serves its endpoints, and nothing else", async () => {
  let isReady = true;
  const metrics = () => Promise.resolve({ text: "a 1\n", type: "text/plain; version=0.0.4" });
  await using server = await startMetricsServer(HERE, { metrics, isReady: () => isReady });
  const { address } = server;
  const response = await fetch(`http://127.0.0.1:${address.port}/metrics`);
  assertEquals(response.headers.get("content-type"), "text/plain; version=0.0.4");
  assertEquals(await response.text(), "a 1\n");
  assertEquals(await get(address, "/healthz"), [200, "ok\n"]);
  assertEquals(await get(address, "/readyz"), [200, "ready\n"]);
  isReady = false;
  assertEquals(await get(address, "/readyz"), [503, "not ready: the server is ending\n"]);
  assertEquals((await get(address, "/healthz"))[0], 200);
  assertEquals((await get(address, "/"))[0], 404);
  assertEquals((await get(address, "/metrics", { method: "POST" }))[0], 405);
  assertEquals(await get(address, "/readyz", { method: "HEAD" }), [503, ""]);
});

Deno.test("startMetricsServer() says what to do if the port is taken", async () => {
  using taken = Deno.listen(HERE);
  const address = { hostname: "127.0.0.1", port: taken.addr.port };
  const status = { metrics: () => Promise.reject(new Error()), isReady: () => true };
  await assertRejects(
    () => startMetricsServer(address, status),
    Error,
    `Cannot listen on 127.0.0.1:${address.port} for metrics: the port is taken, choose another`,
  );
});

Deno.test("startMetricsServer() ends although a request is never completed", async () => {
  const status = { metrics: () => Promise.reject(new Error()), isReady: () => true };
  const server = await startMetricsServer(HERE, status);
  using socket = await Deno.connect({ hostname: "127.0.0.1", port: server.address.port });
  await socket.write(new TextEncoder().encode("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /"));
  await socket.read(new Uint8Array(1000));
  await Promise.all([server[Symbol.asyncDispose](), server[Symbol.asyncDispose]()]);
  await server[Symbol.asyncDispose]();
});

Deno.test("startMetricsServer() survives any request, and reveals nothing of a failure", async () => {
  const status = { metrics: () => Promise.reject(new Error("own")), isReady: () => true };
  await using server = await startMetricsServer(HERE, status);
  const say = async (text: string) => {
    using socket = await Deno.connect({ hostname: "127.0.0.1", port: server.address.port });
    await socket.write(new TextEncoder().encode(`${text}\r\n\r\n`));
    const answer = new Uint8Array(1000);
    const count = await socket.read(answer);
    return new TextDecoder().decode(answer.subarray(0, count ?? 0));
  };
  const host = "Host: x";
  assertMatch(await say(`GET http://x/healthz HTTP/1.1\r\n${host}`), /^HTTP\/1\.1 200 .+ok\n/s);
  assertMatch(await say(`GET /healthz?a=b HTTP/1.1\r\n${host}`), /^HTTP\/1\.1 200 /);
  assertMatch(await say(`GET http://x:y:z/ HTTP/1.1\r\n${host}`), /^HTTP\/1\.1 404 /);
  assertMatch(await say("GET //[ HTTP/1.1\r\nHost: []"), /^HTTP\/1\.1 404 /);
  assertMatch(await say("GET /healthz HTTP/1.1\r\nHost: a b c"), /^HTTP\/1\.1 200 /);
  assertMatch(await say("garbage"), /^HTTP\/1\.1 400 /);
  const failed = await say(`GET /metrics HTTP/1.1\r\n${host}`);
  assertMatch(failed, /^HTTP\/1\.1 500 .+Cannot tell now\n/s);
  assert(!failed.includes("own"), failed);
});

Deno.test("startMetricsServer() lets no client hold its connections", async () => {
  const status = { metrics: () => Promise.reject(new Error()), isReady: () => true };
  const timeouts = { headersTimeout: 2000, requestTimeout: 2000, keepAliveTimeout: 2000 };
  const options = { maxConnections: 3, timeouts };
  await using server = await startMetricsServer(HERE, status, options);
  const open = () => Deno.connect({ hostname: "127.0.0.1", port: server.address.port });
  const readToEnd = async (socket: Deno.TcpConn) => {
    try {
      for await (const _ of socket.readable);
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
    }
  };
  const [silent, slow, done] = [await open(), await open(), await open()];
  await slow.write(new TextEncoder().encode("GET /heal"));
  await done.write(new TextEncoder().encode("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"));
  await readToEnd(await open());
  await Promise.all([silent, slow, done].map(readToEnd));
  assertEquals(await get(server.address, "/healthz"), [200, "ok\n"]);
});

Deno.test("a server counts what it sends while it sends it", async () => {
  await using server = await testServer({ media, metrics: HERE });
  const address = metricsAddress(server);
  using peer = await server.connect();
  await peer.ask({ command: "get_video", name: "long.mkv", speed: 1 });
  await peer.until("frame", 3);
  assertEquals(await sample(address, "stream_viewers"), 1);
  const sent = await sample(address, 'stream_frames_sent_total{type="video"}');
  assert(sent >= 3, String(sent));
  assert(await sample(address, "stream_bytes_sent_total") >= 3 * 115_200);
  assert(await sample(address, "stream_frame_memory_bytes") > 0);
  assert(await sample(address, "stream_frame_lateness_seconds_count") >= 3);
  peer.close();
  await server.logged(/ result=cut /);
  assertEquals(await sample(address, 'stream_request_seconds_count{result="cut"}'), 1);
  await server.quiet();
  assertEquals(await sample(address, "stream_viewers"), 0);
});

Deno.test("a server is ready while it accepts connections, and reports when it no longer is", async () => {
  const server = await testServer({ media, metrics: HERE });
  const address = metricsAddress(server);
  assertEquals(await get(address, "/readyz"), [200, "ready\n"]);
  using peer = await server.connect();
  await peer.ask({ command: "get_video", name: "long.mkv", speed: 1 });
  await peer.until("frame");
  const patience = new AbortController();
  const drained = server.server.drain({ grace: 60_000, signal: patience.signal });
  assertEquals((await get(address, "/readyz"))[0], 503);
  patience.abort();
  await drained;
  await server[Symbol.asyncDispose]();
  await assertRejects(() => get(address, "/healthz"), TypeError);
  assertMatch(server.lines.join(""), / result=shutdown /);
});
