import { assertStringIncludes, assertThrows } from "@std/assert";
import { RequestError } from "../../lib/base/errors.ts";
import { MemoryBudget } from "../../lib/sources/limits.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("MemoryBudget.take() refuses more than the limit, and gives back once", () => {
  const budget = new MemoryBudget(10e6);
  const first = budget.take(6e6);
  const error = assertThrows(() => budget.take(5e6), RequestError);
  assertStringIncludes(error.message, "5 MB, and 4 MB are left");
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  using _whole = budget.take(10e6);
  assertThrows(() => budget.take(1), RequestError);
});
