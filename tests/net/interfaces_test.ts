import { assertEquals } from "@std/assert";
import { type InterfaceAddress, reachableAddresses } from "../../lib/net/interfaces.ts";
import { pureTest } from "../support/pure_test.ts";

const INTERFACES = (): readonly InterfaceAddress[] => [
  { family: "IPv6", address: "2001:db8::7" },
  { family: "IPv6", address: "fe80::1" },
  { family: "IPv6", address: "::1" },
  { family: "IPv4", address: "127.0.0.1" },
  { family: "IPv4", address: "192.168.1.7" },
];

pureTest("reachableAddresses() gives the addresses that other machines can type", () => {
  assertEquals(reachableAddresses("0.0.0.0", INTERFACES), ["192.168.1.7"]);
  assertEquals(reachableAddresses("::", INTERFACES), ["192.168.1.7", "2001:db8::7"]);
  assertEquals(reachableAddresses("10.0.0.7", INTERFACES), ["10.0.0.7"]);
  for (const own of ["127.0.0.1", "localhost", "::1"]) {
    assertEquals(reachableAddresses(own, INTERFACES), []);
  }
});

pureTest("reachableAddresses() gives none without the permission to look", () => {
  assertEquals(reachableAddresses("0.0.0.0"), []);
});
