import { assert } from "@std/assert";
import { lastPlace } from "../../bench/many.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("lastPlace() leaves enough to play until the next seek, and until the end", () => {
  for (const [within, seconds, seekEvery] of [[60, 10, 15], [0, 5, 0.05]] as const) {
    const rest = 90 - lastPlace(90, { within, seconds, seekEvery });
    assert(rest > seconds && rest > seekEvery, `${rest} s`);
  }
  const rest = 90 - lastPlace(90, { within: 10, seconds: 10 });
  assert(rest > 20, `${rest} s`);
});
