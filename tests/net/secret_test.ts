import { assertEquals } from "@std/assert";
import { Secret } from "../../lib/net/secret.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("Secret() keeps its text out of whatever is made of it", () => {
  const secret = new Secret("open sesame");
  const made = [`${secret}`, JSON.stringify({ secret }), Deno.inspect({ secret })].join("\n");
  assertEquals([secret.reveal(), made.includes("sesame")], ["open sesame", false]);
});
