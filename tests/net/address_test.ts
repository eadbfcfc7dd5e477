import { assertEquals } from "@std/assert";
import { formatAddress, networkOf } from "../../lib/net/address.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("formatAddress() puts IPv6 addresses in brackets", () => {
  assertEquals(formatAddress({ hostname: "127.0.0.1", port: 7777 }), "127.0.0.1:7777");
  assertEquals(formatAddress({ hostname: "::1", port: 80 }), "[::1]:80");
});

pureTest("networkOf() gives one text for all addresses of a peer", () => {
  for (const address of ["10.0.0.1", "::ffff:10.0.0.1", "::FFFF:10.0.0.1"]) {
    assertEquals(networkOf(address), "10.0.0.1");
  }
  for (const address of ["2001:db8:0:7::1", "2001:0DB8::7:8:9:a:b", "2001:db8:0:7:1:2:3:4"]) {
    assertEquals(networkOf(address), "2001:db8:0:7::/64");
  }
  assertEquals(networkOf("::1"), "0:0:0:0::/64");
  assertEquals(networkOf("fe80::1"), "fe80:0:0:0::/64");
});
