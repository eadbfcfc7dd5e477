import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/base/errors.ts";
import { hostOf, isLoopback, parseHttpAddress } from "../../lib/net/address.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("parseHttpAddress() reads a port, and an address before it", () => {
  const read = (value?: string) => Object.values(parseHttpAddress(value));
  assertEquals(read(), ["127.0.0.1", 0]);
  assertEquals(read("8080"), ["127.0.0.1", 8080]);
  assertEquals(read("0.0.0.0:80"), ["0.0.0.0", 80]);
  assertEquals(read("[::1]:8080"), ["::1", 8080]);
  assertEquals(read("my-robot.local:65535"), ["my-robot.local", 65535]);
});

pureTest("parseHttpAddress() refuses anything else", () => {
  for (
    const value of ["", "x", ":80", "65536", "::1:80", "host:", "host", "[::1]", "1 2:3", "-1"]
  ) {
    assertThrows(() => parseHttpAddress(value), UsageError, `Cannot use --http "${value}"`, value);
  }
});

pureTest("isLoopback() is true for addresses that other machines cannot reach", () => {
  assertEquals(["localhost", "127.0.0.1", "127.1.2.3", "::1"].map(isLoopback), Array(4).fill(true));
  const open = ["0.0.0.0", "::", "192.168.0.1", "localhost.example", "127.0.0.1.example", "robot"];
  assertEquals(open.map(isLoopback), Array(open.length).fill(false));
});

pureTest("hostOf() takes the port off", () => {
  const headers = ["localhost:80", "localhost", "[::1]:80", "[::1]", "A.B", "a:b"];
  assertEquals(headers.map(hostOf), ["localhost", "localhost", "::1", "::1", "a.b", ""]);
});
