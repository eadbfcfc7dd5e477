import { assert, assertEquals } from "@std/assert";
import { clientTarget } from "./client_target.ts";
import { fuzz, tried } from "./target.ts";

/** Number of responses; each takes some milliseconds. */
const TURNS = 1000;

Deno.test("runClient() survives whatever a server says, and says so in one line", async () => {
  for (const response of clientTarget.corpus) await tried(clientTarget, response);
  const { taken, refused } = await fuzz(clientTarget, { seed: 7, turns: TURNS });
  assertEquals(taken + refused, TURNS);
  assert(taken > TURNS / 20 && refused > TURNS / 20, `${taken} taken, ${refused} refused`);
});
