import { assert, assertEquals, assertRejects } from "@std/assert";
import { mutateBytes } from "./mutate_bytes.ts";
import { readOrRefuse } from "./properties.ts";
import { Random } from "./random.ts";
import { fuzz, FuzzFailure, type Target } from "./target.ts";
import { splitsOf, WatchedSource } from "./watched_source.ts";
import { ByteReader } from "../../lib/base/byte_reader.ts";
import { FormatError } from "../../lib/base/errors.ts";
import { pureTest } from "../support/pure_test.ts";

/** A parser that trusts a length in the second byte. */
const careless: Target = {
  name: "careless()",
  corpus: [Uint8Array.of(77, 3, 1, 2, 3), Uint8Array.of(77, 0)],
  mutate: mutateBytes,
  check(input) {
    const value = readOrRefuse(() => {
      if (input[0] !== 77) throw new FormatError("Cannot read it: expected 77");
      return new DataView(input.buffer, 2, input[1]);
    });
    return value === undefined ? "refused" : "taken";
  },
};

pureTest("fuzz() finds what is wrong, and gives a small input that shows it", async () => {
  const error = await assertRejects(() => fuzz(careless, { seed: 1, turns: 1000 }), FuzzFailure);
  assertEquals(error.input[0], 77);
  assert(error.input.byteLength <= 3, error.message);
  assert(error.message.includes(`["careless()", "${error.input.toHex()}"]`), error.message);
  assert(error.cause instanceof RangeError);
});

pureTest("fuzz() does the same for the same seed, and else for another", async () => {
  const inputsOf = async (seed: number) => {
    const inputs: string[] = [];
    const check = (input: Uint8Array) => {
      inputs.push(input.toHex());
      return "taken" as const;
    };
    await fuzz({ ...careless, check }, { seed, turns: 50 });
    return inputs;
  };
  assertEquals(await inputsOf(1), await inputsOf(1));
  assert((await inputsOf(1)).join() !== (await inputsOf(2)).join());
});

pureTest("Random spreads its numbers evenly", () => {
  const random = new Random(3);
  const counts = Array(10).fill(0);
  for (let turn = 0; turn < 10_000; turn++) counts[random.below(10)]++;
  for (const count of counts) assert(count > 850 && count < 1150, counts.join());
});

pureTest("WatchedSource notices memory that is taken on somebody's word", async () => {
  for (const split of splitsOf(new Random(1))) {
    const reader = new ByteReader(new WatchedSource(new Uint8Array(100), split));
    await assertRejects(() => reader.peek(2 ** 28), Error, "memory taken for input");
    const fresh = new ByteReader(new WatchedSource(new Uint8Array(100), split));
    assertEquals((await fresh.readInto(new Uint8Array(100))).byteLength, 100);
  }
});
