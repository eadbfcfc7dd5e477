import { assertEquals } from "@std/assert";
import { scriptRequest } from "../support/peers/script_messages.ts";
import { ConnectionLimiter } from "../../lib/server/connection_limiter.ts";
import { conversationMedia, testServer } from "../support/peers/test_server.ts";
import { pureTest } from "../support/pure_test.ts";

const media = await conversationMedia();

pureTest("ConnectionLimiter limits the connections of each address and of all", () => {
  const connections = new ConnectionLimiter({ total: 3, perAddress: 2 });
  const taken = ["a", "a", "a", "b", "c"].map((hostname) => connections.take(hostname));
  assertEquals(taken.map((slot) => slot?.refusal), [
    ...[undefined, undefined, "address", undefined, "full"],
  ]);
  assertEquals(connections.taken, 3);
  taken[0]?.[Symbol.dispose]();
  taken[0]?.[Symbol.dispose]();
  assertEquals(connections.take("a")?.refusal, undefined);
  assertEquals(connections.take("b")?.refusal, "full");
});

pureTest("ConnectionLimiter treats an IPv6 network as one address", () => {
  const connections = new ConnectionLimiter({ total: 9, perAddress: 1 });
  const taken = ["2001:db8::1", "2001:db8::2:1", "2001:db8:0:1::1", "::ffff:10.0.0.1", "10.0.0.1"];
  assertEquals(taken.map((address) => connections.take(address)?.refusal), [
    ...[undefined, "address", undefined, undefined, "address"],
  ]);
});

pureTest("ConnectionLimiter has no limit for an address if none is set", () => {
  const connections = new ConnectionLimiter({ total: 100, perAddress: 0 });
  for (let count = 0; count < 100; count++) assertEquals(connections.take("a")?.refusal, undefined);
});

pureTest("ConnectionLimiter bounds the refused connections", () => {
  const connections = new ConnectionLimiter({ total: 1, perAddress: 0 });
  connections.take("a");
  const refused = Array.from({ length: 16 }, () => connections.take("b"));
  assertEquals(connections.take("b"), undefined);
  refused[3]?.[Symbol.dispose]();
  assertEquals(connections.take("b")?.refusal, "full");
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
    await server.logged(/refused: too many connections of this address\n$/, 2);
  }
  await server.quiet();
  await server.assertWell();
});
