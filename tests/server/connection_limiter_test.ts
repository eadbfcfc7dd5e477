import { assertEquals } from "@std/assert";
import { scriptRequest } from "../support/peers/script_messages.ts";
import { ConnectionLimiter, type ConnectionSlot } from "../../lib/server/connection_limiter.ts";
import { conversationMedia, testServer } from "../support/peers/test_server.ts";
import { NativeClient } from "../support/peers/native_client.ts";
import { pureTest } from "../support/pure_test.ts";
import { testIf } from "../support/test_if.ts";
import { HandClock } from "../support/time/hand_clock.ts";

const noop = () => {};
const media = await conversationMedia();

/** Takes slots for addresses, in that order. */
function takeAll(connections: ConnectionLimiter, addresses: string): ConnectionSlot[] {
  return addresses.split("").map((address) => connections.take(address, noop));
}

/** Which connections have given way. */
const yieldedOf = (slots: readonly ConnectionSlot[]) => slots.map(({ yielded }) => yielded.aborted);

pureTest("ConnectionLimiter limits the connections of each address and of all", () => {
  const connections = new ConnectionLimiter({ total: 3, perAddress: 2 });
  const taken = takeAll(connections, "aaab");
  for (const slot of taken) slot.serve();
  const other = connections.take("c", noop);
  assertEquals([...taken, other].map((slot) => slot.refusal), [
    ...[undefined, undefined, "address", undefined, "full"],
  ]);
  assertEquals(connections.taken, 3);
  taken[0][Symbol.dispose]();
  taken[0][Symbol.dispose]();
  assertEquals(connections.take("a", noop).refusal, undefined);
  assertEquals(connections.taken, 3);
});

pureTest(
  "ConnectionLimiter lets the longest idle connection give way, and none that serves",
  () => {
    const connections = new ConnectionLimiter({ total: 4, perAddress: 0 });
    const [first, second, third, fourth] = takeAll(connections, "abcd");
    const serving = first.serve();
    third.serve();
    using _twice = second.serve();
    second.serve()[Symbol.dispose]();
    assertEquals(connections.take("e", noop).refusal, undefined);
    assertEquals(yieldedOf([first, second, third, fourth]), [false, false, false, true]);
    serving[Symbol.dispose]();
    serving[Symbol.dispose]();
    // The newcomer has been idle for longer.
    assertEquals(connections.take("f", noop).refusal, undefined);
    assertEquals(connections.take("g", noop).refusal, undefined);
    assertEquals(yieldedOf([first, second, third]), [true, false, false]);
    assertEquals(connections.taken, 4);
    // What has given way has no slot to give back.
    first[Symbol.dispose]();
    assertEquals(connections.taken, 4);
  },
);

pureTest("ConnectionLimiter takes from an address with more than half of all slots first", () => {
  const connections = new ConnectionLimiter({ total: 6, perAddress: 0 });
  const slots = takeAll(connections, "baaaac");
  assertEquals(connections.take("d", noop).refusal, undefined);
  assertEquals(yieldedOf(slots), [false, true, false, false, false, false]);
  // Now it has half of them, and is an address like others.
  assertEquals(connections.take("e", noop).refusal, undefined);
  assertEquals(yieldedOf(slots), [true, true, false, false, false, false]);
});

pureTest("ConnectionLimiter gives an address with half of all slots only those of its own", () => {
  const connections = new ConnectionLimiter({ total: 4, perAddress: 0 });
  const [other, first, second] = takeAll(connections, "baac");
  assertEquals(connections.take("a", noop).refusal, undefined);
  assertEquals(yieldedOf([other, first, second]), [false, true, false]);
  using _serving = second.serve();
  const third = connections.take("a", noop);
  third.serve();
  assertEquals(connections.take("a", noop).refusal, "full");
  assertEquals(other.yielded.aborted, false);
});

pureTest(
  "ConnectionLimiter keeps what becomes free for a minute for an address without half",
  () => {
    const clock = new HandClock();
    const connections = new ConnectionLimiter({ total: 4, perAddress: 0 }, clock);
    const slots = takeAll(connections, "aabb");
    for (const slot of slots) slot.serve();
    assertEquals(connections.take("c", noop).refusal, "full");
    slots[2][Symbol.dispose]();
    assertEquals(connections.take("a", noop).refusal, "full");
    connections.take("c", noop).serve();
    slots[3][Symbol.dispose]();
    assertEquals(connections.take("a", noop).refusal, "full");
    clock.pass(60_000);
    assertEquals(connections.take("a", noop).refusal, undefined);
  },
);

pureTest("ConnectionLimiter has an address beyond half give way, even while it serves", () => {
  const connections = new ConnectionLimiter({ total: 4, perAddress: 0 });
  const slots = takeAll(connections, "aaaa");
  for (const slot of slots) slot.serve();
  for (const expected of [[false, false, false, true], [false, false, true, true]]) {
    const other = connections.take("b", noop);
    other.serve();
    assertEquals([other.refusal, ...yieldedOf(slots)], [undefined, ...expected]);
  }
  for (const address of "abc") assertEquals(connections.take(address, noop).refusal, "full");
  assertEquals([connections.taken, ...yieldedOf(slots)], [4, false, false, true, true]);
});

pureTest("ConnectionLimiter treats an IPv6 network as one address", () => {
  const connections = new ConnectionLimiter({ total: 9, perAddress: 1 });
  const taken = ["2001:db8::1", "2001:db8::2:1", "2001:db8:0:1::1", "::ffff:10.0.0.1", "10.0.0.1"];
  assertEquals(taken.map((address) => connections.take(address, noop).refusal), [
    ...[undefined, "address", undefined, undefined, "address"],
  ]);
});

pureTest("ConnectionLimiter has no limit for an address if none is set", () => {
  const connections = new ConnectionLimiter({ total: 100, perAddress: 0 });
  for (let count = 0; count < 100; count++) {
    assertEquals(connections.take("a", noop).refusal, undefined);
  }
});

pureTest("ConnectionLimiter bounds those that wait for a refusal, and those that leave", () => {
  const connections = new ConnectionLimiter({ total: 1, perAddress: 0 });
  connections.take("a", noop).serve();
  const closed: number[] = [];
  const refused = Array.from({ length: 512 }, (_, at) => {
    return connections.take("b", () => closed.push(at));
  });
  assertEquals(refused.map(({ refusal }) => refusal), Array(512).fill("full"));
  assertEquals(yieldedOf(refused), [...Array(256).fill(true), ...Array(256).fill(false)]);
  refused[3][Symbol.dispose]();
  refused[300][Symbol.dispose]();
  connections.take("b", noop);
  connections.take("b", noop);
  assertEquals([refused[256].yielded.aborted, refused[257].yielded.aborted], [true, false]);
  assertEquals(closed, []);
  connections.take("b", noop);
  assertEquals(closed, [0]);
  assertEquals(connections.taken, 1);
});

Deno.test("a server limits the connections of an address until one is closed", async () => {
  await using server = await testServer({ media, maxPerAddress: 1 });
  {
    using first = await server.connect();
    await first.ask({ command: "get_image" });
    await first.response();
    using second = await server.connect();
    await second.ask({ command: "get_image" });
    const { error } = await second.response();
    assertEquals(error?.code, "busy");
    assertEquals(
      error?.message,
      "Cannot serve now: your address has all the connections that it may have, close one, or try " +
        "again later",
    );
    using classic = await server.connect();
    await classic.write(scriptRequest("get_image"));
    assertEquals(await classic.readAll(), new Uint8Array(0));
    await server.logged(
      /refused: too many connections of this address; see --max-per-address\n$/,
      2,
    );
  }
  await server.quiet();
  await server.assertWell();
});

const hasIpv6 = Deno.networkInterfaces().some(({ address }) => address === "::1");

testIf(hasIpv6, "no IPv6")(
  "the latest response of an address with more than half of all slots gives way to another address",
  async () => {
    await using server = await testServer({ media, host: "::", maxClients: 2 });
    const { port } = server.address;
    const connect = async (hostname: string) =>
      new NativeClient(await Deno.connect({ hostname, port }));
    using first = await connect("127.0.0.1");
    using second = await connect("127.0.0.1");
    for (const viewer of [first, second]) {
      await viewer.ask({ command: "get_video", name: "long.mkv" });
      await viewer.until("describe");
      await viewer.control({ action: "pause" });
    }
    using other = await connect("::1");
    assertEquals((await other.request({ command: "get_image" })).error, undefined);
    const { error } = await second.until("error");
    const reason = "all connection slots are taken, and your address has more than half of them";
    assertEquals([error.code, error.message], ["busy", `Cannot go on: ${reason}, ask again later`]);
    assertEquals(await second.connection.receive(), undefined);
    await first.control({ action: "stop" });
    assertEquals((await first.rest()).end.reason, "stopped");
  },
);
