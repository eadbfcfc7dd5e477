import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { Logins } from "../../../lib/server/http/logins.ts";
import { pureTest } from "../../support/pure_test.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

const TOKEN = {};

pureTest("Logins.begin() gives ids of 256 random bits", () => {
  const logins = new Logins();
  const [one, other] = [logins.begin(TOKEN), logins.begin(TOKEN)];
  assertMatch(one, /^[\w-]{43}$/);
  assertNotEquals(one, other);
  assert(logins.has(one, TOKEN) && logins.has(other, TOKEN));
  assertEquals(logins.has("", TOKEN), false);
});

pureTest("Logins.has() forgets a login after its lifetime, used or not", () => {
  const clock = new HandClock();
  const logins = new Logins({ clock });
  const id = logins.begin(TOKEN);
  clock.pass(logins.lifetime * 1000 - 1);
  assert(logins.has(id, TOKEN));
  clock.pass(1);
  assertEquals([logins.has(id, TOKEN), logins.size], [false, 0]);
});

pureTest("Logins.has() ends the logins of another token", () => {
  const logins = new Logins();
  const id = logins.begin(TOKEN);
  assertEquals([logins.has(id, {}), logins.has(id, TOKEN)], [false, false]);
});

pureTest("Logins.begin() drops the login that was used longest ago when there are many", () => {
  const logins = new Logins({ max: 2 });
  const [first, second] = [logins.begin(TOKEN), logins.begin(TOKEN)];
  assert(logins.has(first, TOKEN));
  const third = logins.begin(TOKEN);
  assertEquals([first, second, third].map((id) => logins.has(id, TOKEN)), [true, false, true]);
  assertEquals(logins.size, 2);
});
