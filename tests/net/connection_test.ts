import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { DeadlineError } from "../../lib/base/errors.ts";
import { connect } from "../../lib/net/connection.ts";
import type { ConnectionEvent, Observation } from "../../lib/net/observer.ts";
import type { ResponsePart } from "../../lib/protocol/media_response.ts";
import { requestMedia } from "../../lib/protocol/native/client.ts";
import {
  describe,
  frame,
  say,
  ScriptedServer,
  untilGone,
} from "../support/peers/scripted_server.ts";
import { PATIENCE } from "../support/time/patience.ts";

const NEVER = new AbortController().signal;

/** Milliseconds that the tests wait for a timeout. */
const SHORT = { connect: PATIENCE, idle: 50 };

function target({ address: { hostname, port } }: Pick<ScriptedServer, "address">) {
  return { host: hostname, port };
}

async function takeAll(response: AsyncIterable<ResponsePart>): Promise<string[]> {
  const kinds: string[] = [];
  for await (const { kind } of response) kinds.push(kind);
  return kinds;
}

Deno.test("connect() says what to do if nothing listens", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  const error = await assertRejects(() => connect({ host: "127.0.0.1", port }, NEVER), Error);
  assertEquals(
    error.message,
    `Cannot connect to 127.0.0.1:${port}: nothing listens there, start stream-server or name it ` +
      "with --host and --port",
  );
});

Deno.test("connect() says to start the script if that is what should listen", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  const script = { host: "127.0.0.1", port, protocol: "script" } as const;
  const error = await assertRejects(() => connect(script, NEVER), Error);
  assertEquals(
    error.message,
    `Cannot connect to 127.0.0.1:${port}: nothing listens there, start the script or name it ` +
      "with --host and --port",
  );
});

Deno.test("ServerConnection says that a script is silent, and that it has closed", async () => {
  await using server = new ScriptedServer(() => {});
  const words: string[] = [];
  const observer = {
    sent: () => {},
    received: () => {},
    event: (event: string, text: string) => void words.push(`${event} ${text}`),
  };
  const observe = { begin: () => observer, retry: () => {} };
  const script = { ...target(server), protocol: "script", observe } as const;
  using connection = await connect(script, NEVER);
  await connection.writer.write(new Uint8Array(1));
  assertEquals(await connection.reader.peek(1), undefined);
  assertEquals(words.at(-1), "closed by the script");
  await using silent = new ScriptedServer(untilGone);
  using waiting = await connect({ ...target(silent), protocol: "script" }, NEVER, SHORT);
  const error = await assertRejects(() => waiting.reader.peek(1), DeadlineError);
  assertEquals(error.message, "the script was silent for 0.05 s");
});

Deno.test("connect() says what to do if there is no such host", async () => {
  const error = await assertRejects(
    () => connect({ host: "no.host.invalid", port: 7 }, NEVER, SHORT),
    Error,
  );
  assertMatch(error.message, /^Cannot connect to no\.host\.invalid:7: /);
  assertStringIncludes(error.message, "name the server with --host and --port");
});

Deno.test("connect() stops with the signal's reason", async () => {
  const reason = new Error("enough");
  const signal = AbortSignal.abort(reason);
  await using server = new ScriptedServer(untilGone);
  assertEquals(await assertRejects(() => connect(target(server), signal)), reason);
});

Deno.test("connect() stops while it waits for an answer", async () => {
  const controller = new AbortController();
  const reason = new Error("enough");
  await using server = new ScriptedServer(untilGone);
  const connecting = connect(target(server), controller.signal);
  controller.abort(reason);
  assertEquals(await assertRejects(() => connecting), reason);
});

Deno.test("ServerConnection times out when the server is silent", async () => {
  await using server = new ScriptedServer(untilGone);
  using connection = await connect(target(server), NEVER, SHORT);
  const response = requestMedia(connection, { command: "get_video" });
  const error = await assertRejects(() => takeAll(response), DeadlineError);
  assertEquals(error.message, "the server was silent for 0.05 s");
});

Deno.test("ServerConnection times out when the server falls silent inside a frame", async () => {
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, describe(), frame(0), frame(1).subarray(0, 100));
    await untilGone(peer);
  });
  using connection = await connect(target(server), NEVER, { ...SHORT, idle: 2000 });
  const kinds: string[] = [];
  const error = await assertRejects(async () => {
    for await (const { kind } of requestMedia(connection, { command: "get_video" })) {
      kinds.push(kind);
    }
  }, DeadlineError);
  assertEquals(kinds, ["describe", "frame"]);
  assertEquals(error.message, "the server was silent for 2 s");
});

Deno.test("ServerConnection times out when the server reads nothing", async () => {
  const asked = Promise.withResolvers<void>();
  await using server = new ScriptedServer(() => asked.promise);
  using connection = await connect(target(server), NEVER, SHORT);
  const error = await assertRejects(async () => {
    while (true) await connection.writer.write(new Uint8Array(1 << 20));
  }, DeadlineError);
  asked.resolve();
  assertEquals(error.message, "The peer took nothing for 0.05 s");
});

Deno.test("ServerConnection stops reading when its signal aborts", async () => {
  const controller = new AbortController();
  const reason = new Error("enough");
  await using server = new ScriptedServer(async (peer) => {
    controller.abort(reason);
    await untilGone(peer);
  });
  using connection = await connect(target(server), controller.signal);
  const response = requestMedia(connection, { command: "get_video" });
  assertEquals(await assertRejects(() => takeAll(response)), reason);
});

Deno.test("ServerConnection can be disposed twice, and ignores its signal afterwards", async () => {
  const controller = new AbortController();
  await using server = new ScriptedServer(untilGone);
  const connection = await connect(target(server), controller.signal);
  connection[Symbol.dispose]();
  connection[Symbol.dispose]();
  controller.abort();
  assert(controller.signal.aborted);
});

/** An observation that keeps the events of one connection. */
function observing(): { events: string[]; observe: Observation } {
  const events: string[] = [];
  const observer = {
    sent() {},
    received() {},
    event: (event: ConnectionEvent, words: string) => void events.push(`${event}: ${words}`),
  };
  return { events, observe: { begin: () => observer, retry() {} } };
}

Deno.test("connect() shows an observer how a connection begins and ends", async () => {
  const failing = observing();
  await assertRejects(() => connect({ host: "no.host.invalid", port: 7, ...failing }, NEVER));
  assertEquals(failing.events[0], "connect: to no.host.invalid:7");
  assertMatch(failing.events[1], /^failed: Cannot connect to no\.host\.invalid:7: /);
  await using server = new ScriptedServer(untilGone);
  const silent = observing();
  {
    using connection = await connect({ ...target(server), ...silent }, NEVER, SHORT);
    await assertRejects(() => connection.reader.peek(1), DeadlineError);
  }
  const [, connected, ending] = silent.events;
  assertMatch(connected, /^connected: from 127\.0\.0\.1:\d+, without TLS$/);
  assertEquals(ending, "timed out: nothing passed for 0.05 s");
  const stopped = observing();
  const controller = new AbortController();
  {
    using _connection = await connect({ ...target(server), ...stopped }, controller.signal);
    controller.abort();
  }
  assertEquals(stopped.events.slice(2), ["closed: by this client"]);
});
