import { assertEquals } from "@std/assert";
import { formatAddress } from "../../lib/core/address.ts";

Deno.test({
  name: "formatAddress() puts IPv6 addresses in brackets",
  permissions: "none",
  fn() {
    assertEquals(formatAddress({ hostname: "127.0.0.1", port: 7777 }), "127.0.0.1:7777");
    assertEquals(formatAddress({ hostname: "::1", port: 80 }), "[::1]:80");
  },
});
