import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/base/errors.ts";
import { parseListenAddress } from "../../lib/net/address.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest(
  "parseListenAddress() reads a port, of this machine alone unless an address says otherwise",
  () => {
    const read = (value: string) => Object.values(parseListenAddress(value, "metrics"));
    assertEquals(read("9090"), ["127.0.0.1", 9090]);
    assertEquals(read("0"), ["127.0.0.1", 0]);
    assertEquals(read("0.0.0.0:80"), ["0.0.0.0", 80]);
    assertEquals(read("[::1]:8080"), ["::1", 8080]);
  },
);

pureTest("parseListenAddress() refuses anything else, and names the flag", () => {
  for (const value of ["", "x", "65536", "::1:80"]) {
    assertThrows(
      () => parseListenAddress(value, "metrics"),
      UsageError,
      `Cannot use --metrics "${value}": expected a port`,
    );
  }
});
