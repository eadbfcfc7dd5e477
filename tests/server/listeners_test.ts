import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { Logger } from "../../lib/base/log.ts";
import { type Conversation, Listeners, type PortRow } from "../../lib/server/listeners.ts";
import type { Refusal } from "../../lib/server/metrics/records.ts";

const logger: Logger = { log: () => {} };
const HERE = { hostname: "127.0.0.1", port: 0 };

/** A protocol in which the server speaks first, and waits until the peer closes. */
function greeting(word: string): Conversation {
  return async (socket, { refusal, serve }) => {
    using _serving = serve();
    await socket.write(new TextEncoder().encode(refusal ?? word));
    if (refusal === undefined) await socket.read(new Uint8Array(1));
    socket.close();
  };
}

/** Opens ports that speak {@linkcode greeting}. */
async function open(words: readonly string[], { total }: { total: number }) {
  const refusals: Refusal[] = [];
  const limits = { total, perAddress: 0 };
  const onRefusal = (reason: Refusal) => void refusals.push(reason);
  const listeners = new Listeners({ limits, logger, onRefusal });
  const ports: number[] = [];
  await listeners.open(words.map((word): PortRow => ({
    address: HERE,
    flags: { host: "--host", port: "--port" },
    converse: greeting(word),
    onListening: ({ port }) => void ports.push(port),
  })));
  return { listeners, ports, refusals };
}

async function wordOf(socket: Deno.TcpConn): Promise<string> {
  const bytes = new Uint8Array(16);
  return new TextDecoder().decode(bytes.subarray(0, await socket.read(bytes) ?? 0));
}

Deno.test("Listeners speaks the protocol of each row", async () => {
  const { listeners, ports: [one, two] } = await open(["one", "two"], { total: 2 });
  const running = listeners.run();
  {
    using first = await Deno.connect({ port: one });
    using second = await Deno.connect({ port: two });
    assertEquals([await wordOf(first), await wordOf(second)], ["one", "two"]);
  }
  await listeners[Symbol.asyncDispose]();
  await running;
});

Deno.test("Listeners limits the connections of all rows together", async () => {
  const { listeners, ports: [one, two], refusals } = await open(["one", "two"], { total: 1 });
  const running = listeners.run();
  {
    using first = await Deno.connect({ port: one });
    assertEquals(await wordOf(first), "one");
    using second = await Deno.connect({ port: two });
    assertEquals(await wordOf(second), "full");
    assertEquals([refusals, listeners.connections], [["full"], 1]);
  }
  await listeners[Symbol.asyncDispose]();
  await running;
  assertEquals(listeners.connections, 0);
});

Deno.test("Listeners ends its services after the conversations, the last one first", async () => {
  const ended: string[] = [];
  const { listeners } = await open(["one"], { total: 1 });
  const service = (name: string) => ({
    start: () =>
      Promise.resolve({
        [Symbol.asyncDispose]() {
          ended.push(name);
          return Promise.resolve();
        },
      }),
  });
  await listeners.open([service("first"), service("second")]);
  listeners.close();
  assertEquals(ended, []);
  await listeners[Symbol.asyncDispose]();
  assertEquals(ended, ["second", "first"]);
});

Deno.test("run() goes on without file descriptors, and logs what to raise", async () => {
  const listener = Deno.listen(HERE);
  const failures = [new Error("Too many open files (os error 24)")];
  const broken = Object.create(listener, {
    accept: {
      value: () => {
        const failure = failures.pop();
        return failure === undefined ? listener.accept() : Promise.reject(failure);
      },
    },
    close: { value: () => listener.close() },
    addr: { value: listener.addr },
  });
  const lines: string[] = [];
  const served = Promise.withResolvers<void>();
  await using listeners = new Listeners({
    limits: { total: 1, perAddress: 0 },
    logger: { log: (_level, message) => void lines.push(message) },
    onRefusal: () => {},
  });
  listeners.add(broken, (socket) => {
    socket.close();
    served.resolve();
    return Promise.resolve();
  });
  const running = listeners.run();
  using _peer = await Deno.connect({ ...HERE, port: listener.addr.port });
  await served.promise;
  listeners.close();
  await running;
  assertEquals(lines.length, 1);
  assertMatch(lines[0], /^Cannot accept .*\(os error 24\), raise the hard limit of open files/);
});

Deno.test("run() throws what keeps a server from serving, which can be disposed then", async () => {
  const listener = Deno.listen(HERE);
  const broken = Object.create(listener, {
    accept: { value: () => Promise.resolve(Object.create(null)) },
    close: { value: () => listener.close() },
  });
  const limits = { total: 1, perAddress: 0 };
  await using listeners = new Listeners({ limits, logger, onRefusal: () => {} });
  listeners.add(broken, () => Promise.resolve());
  await assertRejects(() => listeners.run(), TypeError);
});
