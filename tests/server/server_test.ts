import { assert, assertEquals, assertMatch, assertRejects, assertStrictEquals } from "@std/assert";
import { RequestError } from "../../lib/base/errors.ts";
import type { Logger } from "../../lib/base/log.ts";
import { scriptRequest } from "../support/peers/script_messages.ts";
import type { ServerOptions } from "../../lib/server/options.ts";
import { startServer } from "../../lib/server/server.ts";
import type { NativeClient } from "../support/peers/native_client.ts";
import {
  conversationMedia,
  SHORT_FRAMES,
  type TestServer,
  testServer,
} from "../support/peers/test_server.ts";
import { hasIPv6, mediaChildren } from "../support/programs/machine.ts";

const media = await conversationMedia();

const SHORT = { command: "get_video", name: "short.mkv" } as const;
const LONG = { command: "get_video", name: "long.mkv", speed: 1 } as const;

/** Starts a server without running it; gives the warnings that it logged. */
async function start(options: Partial<ServerOptions>) {
  const log: string[] = [];
  const logger: Logger = { log: (level, message) => void log.push(`${level} ${message}`) };
  const given = { host: "127.0.0.1", port: 0, media, defaults: {}, maxClients: 1, ...options };
  const server = await startServer(given, logger);
  // Last, since nothing may fail after it.
  assertMatch(log.pop() ?? "", /^info FFmpeg \S+/);
  return { server, warnings: log };
}

/** Why a server does not start. */
async function refusal(options: Partial<ServerOptions>): Promise<Error> {
  return await assertRejects(() => start(options), Error);
}

/** Error code of a request for the short video; `undefined` if it is served. */
async function refusedWith(peer: NativeClient): Promise<string | undefined> {
  await peer.ask(SHORT);
  const { error } = await peer.response();
  return error?.code;
}

/** Whether nothing listens there any more. */
async function isFree({ hostname, port }: Deno.NetAddr): Promise<boolean> {
  try {
    using _socket = await Deno.connect({ hostname, port });
    return false;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return true;
    throw error;
  }
}

Deno.test("startServer() reports the port that the system chose", async () => {
  const { server, warnings } = await start({});
  await using _server = server;
  assertStrictEquals(server.address.hostname, "127.0.0.1");
  assert(server.address.port > 0);
  assertEquals(warnings, []);
});

Deno.test("startServer() warns when strangers can reach it", async () => {
  const { server, warnings } = await start({ host: "0.0.0.0" });
  await using _server = server;
  const isWarning = (line: string) => line.startsWith("warn ");
  assertEquals(warnings.filter(isWarning), [
    "warn Anybody who reaches 0.0.0.0 can watch: there is no token and no TLS; see " +
    "--token-file, --tls-cert and --tls-key",
  ]);
});

Deno.test({
  name: "startServer() does not warn on IPv6's loopback",
  ignore: !hasIPv6(),
  async fn() {
    const { server, warnings } = await start({ host: "::1" });
    await using _server = server;
    assertStrictEquals(server.address.hostname, "::1");
    assertEquals(warnings, []);
  },
});

Deno.test("startServer() refuses a port that is taken", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  assertStrictEquals(
    (await refusal({ port })).message,
    `Cannot listen on 127.0.0.1:${port}: the port is taken, ` +
      "choose another with --port, or --port 0 for a free one",
  );
});

Deno.test("startServer() refuses an address that is not of this machine", async () => {
  // TEST-NET-1 of RFC 5737 belongs to nobody.
  const { message } = await refusal({ host: "192.0.2.1" });
  assert(message.startsWith("Cannot listen on 192.0.2.1:0: "), message);
  assert(message.endsWith(", choose an address of this machine with --host"), message);
});

Deno.test("startServer() refuses a folder that does not exist", async () => {
  assertStrictEquals(
    (await refusal({ media: `${media}/missing` })).message,
    `Cannot serve "${media}/missing": no such folder, name one with --media`,
  );
  assertStrictEquals(
    (await refusal({ media: `${media}/image.png` })).message,
    `Cannot serve "${media}/image.png": it is not a folder, name one with --media`,
  );
});

Deno.test("startServer() refuses defaults that do not exist, and suggests the nearest", async () => {
  const image = await refusal({ defaults: { image: "imgae.png" } });
  assert(image instanceof RequestError);
  assert(image.message.endsWith('did you mean "image.png"?'), image.message);
  const video = await refusal({ defaults: { video: "holiday.webm" } });
  assert(video.message.startsWith('Cannot find "holiday.webm": no such media'), video.message);
});

Deno.test("run() is the same however often it is called, and ends with the server", async () => {
  const { server } = await start({});
  const running = server.run();
  assertStrictEquals(server.run(), running);
  await server[Symbol.asyncDispose]();
  await running;
});

Deno.test("a server that never ran can be disposed, and twice", async () => {
  const { server } = await start({});
  const { address } = server;
  await server[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  assert(await isFree(address));
});

Deno.test("a disposed server has ended its sessions and their FFmpeg, and closed the port", async () => {
  const server = await testServer({ media });
  const { address } = server.server;
  using watching = await server.connect();
  using idle = await server.connect();
  using classic = await server.connect();
  await watching.ask(LONG);
  await classic.write(scriptRequest("get_video"));
  await watching.until("frame");
  // While the first is still ending them, the second waits for the same.
  await Promise.all([server[Symbol.asyncDispose](), server[Symbol.asyncDispose]()]);
  assertEquals(await mediaChildren(), []);
  assertStrictEquals(server.lines.filter((line) => line.endsWith(" disconnected\n")).length, 3);
  assert(await isFree(address));
  await idle.readAll();
});

/** Connects a peer that watches for a while. */
async function watching(server: TestServer): Promise<NativeClient> {
  const peer = await server.connect();
  await peer.ask(LONG);
  await peer.until("frame");
  return peer;
}

Deno.test("a full server says so, and serves when a slot is free", async () => {
  await using server = await testServer({ media, maxClients: 2 });
  using _first = await watching(server);
  using second = await watching(server);
  using third = await server.connect();
  assertStrictEquals(await refusedWith(third), "busy");
  // The refused one may linger; the place that becomes free is not its.
  second.close();
  third.close();
  await server.logged(/ disconnected\n$/, 2);
  using fourth = await server.connect();
  assertStrictEquals(await refusedWith(fourth), undefined);
});

Deno.test("a full server serves a newcomer instead of who has been idle for longest", async () => {
  await using server = await testServer({ media, maxClients: 3 });
  using idle = await server.connect();
  assertStrictEquals(await refusedWith(idle), undefined);
  using silent = await server.connect();
  using viewer = await watching(server);
  using third = await server.connect();
  assertStrictEquals(await refusedWith(third), undefined);
  const error = await idle.farewell();
  assertStrictEquals(error?.code, "busy");
  assertMatch(error.message, /^Cannot wait any longer: all connection slots are taken, /);
  using fourth = await server.connect();
  assertStrictEquals(await refusedWith(fourth), undefined);
  // Its request may be on the way.
  assertStrictEquals((await silent.farewell())?.code, "busy");
  await viewer.until("frame");
  await server.logged(/ Cannot wait any longer: all connection slots are taken, /, 2);
});

Deno.test("a full server serves a request behind any number of idle connections", async () => {
  await using server = await testServer({ media, maxClients: 8 });
  using viewer = await watching(server);
  using crowd = new DisposableStack();
  for (let turn = 0; turn < 5; turn++) {
    for (let count = 0; count < 10; count++) crowd.use(await server.connect());
    using peer = await server.connect();
    assertStrictEquals(await refusedWith(peer), undefined);
  }
  await viewer.until("frame");
});

Deno.test("a full server closes the connections of scripts", async () => {
  await using server = await testServer({ media, maxClients: 1 });
  using _first = await watching(server);
  using classic = await server.connect();
  await classic.write(scriptRequest("get_image"));
  assertEquals(await classic.readAll(), new Uint8Array(0));
  await server.logged(/refused: the server is full; see --max-clients\n$/);
});

Deno.test("a full server tells all whom it refuses, however many, and none takes a slot", async () => {
  await using server = await testServer({ media, maxClients: 1 });
  using first = await watching(server);
  using crowd = new DisposableStack();
  // They send nothing, so that the server has nothing to reply to.
  const silent: NativeClient[] = [];
  for (let count = 0; count < 260; count++) silent.push(crowd.use(await server.connect()));
  using spoken = await server.connect();
  assertStrictEquals(await refusedWith(spoken), "busy");
  for (const peer of silent.slice(0, 4)) {
    assertStrictEquals((await peer.farewell())?.code, "busy");
  }
  first.close();
  await server.logged(/ request ends .* result=cut /);
  using next = await server.connect();
  assertStrictEquals(await refusedWith(next), undefined);
});

Deno.test("a full server does not wait long for silent peers", async () => {
  const timeouts = { request: 60_000, refusal: 50, stall: 10_000, ping: 5000 };
  await using server = await testServer({ media, maxClients: 1, timeouts });
  using _first = await watching(server);
  using silent = await server.connect();
  assertStrictEquals((await silent.farewell())?.code, "busy");
  await server.logged(/ refused: the server is full; see --max-clients\n$/);
});

Deno.test("a server serves several peers at once", async () => {
  await using server = await testServer({ media });
  const peers = await Promise.all(Array.from({ length: 6 }, () => server.connect()));
  using stack = new DisposableStack();
  for (const peer of peers) stack.use(peer);
  await Promise.all(peers.map((peer) => peer.ask({ ...SHORT, speed: 1 })));
  const responses = await Promise.all(peers.map((peer) => peer.response()));
  assertEquals(responses.map(({ frames }) => frames.length), Array(6).fill(SHORT_FRAMES));
  stack.dispose();
  await server.quiet();
});
