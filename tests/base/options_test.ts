import { assertEquals, assertThrows } from "@std/assert";
import { checkNumbers, checkOption } from "../../lib/base/options.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("checkNumbers() accepts numbers within the bounds, and those that are absent", () => {
  checkNumbers({ least: 0, most: 10, absent: undefined }, { min: 0, max: 10, integer: true });
  checkNumbers({ half: 0.5, endless: Infinity }, { min: 0, max: Infinity });
});

pureTest("checkNumbers() names the option, its value and the bounds", () => {
  const bounds = { min: 1, max: 10 };
  for (const value of [0, 10.5, NaN]) {
    const message = `Cannot use grace ${value}: expected a number from 1 to 10`;
    assertThrows(() => checkNumbers({ port: 5, grace: value }, bounds), TypeError, message);
  }
  const fraction = () => checkNumbers({ port: 5.5 }, { ...bounds, integer: true });
  assertThrows(fraction, TypeError, "Cannot use port 5.5: expected an integer from 1 to 10");
  const text: unknown = JSON.parse('"5"');
  const wrong = () => checkNumbers({ port: text as number }, bounds);
  assertThrows(wrong, TypeError, "Cannot use port 5: expected a number");
});

pureTest("checkOption() throws a TypeError with the reason", () => {
  assertEquals(checkOption(() => 5), 5);
  const cause = new RangeError("Cannot use it");
  const failing = () => {
    throw cause;
  };
  const error = assertThrows(() => checkOption(failing), TypeError, "Cannot use it");
  assertEquals(error.cause, cause);
});
