import { assertEquals } from "@std/assert";
import { keyName } from "../../../lib/sinks/window/x11_keys.ts";
import { pureTest } from "../../support/pure_test.ts";

const [LEFT, PAGE_UP, SHORT_I, F1] = [0xff51, 0xff55, 0x6ca, 0xffbe];
const [SPACE, A, Q] = [0x20, 0x61, 0x71];

pureTest("keyName() uses the layout in use, or Latin keysyms if that is of another script", () => {
  assertEquals(keyName([LEFT, 0], 0), "left");
  assertEquals(keyName([SPACE], 0), " ");
  assertEquals(keyName([Q, Q - 32], 0), "q");
  assertEquals(keyName([Q - 32, Q], 0), "q");
  assertEquals(keyName([PAGE_UP], 0), "page up");
  // An English layout with a Russian one.
  assertEquals([0, 1].map((group) => keyName([Q, Q - 32, SHORT_I, SHORT_I - 32], group)), [
    ...["q", "q"],
  ]);
  // An English layout with a French one: what is Q on the one is A on the other.
  assertEquals([0, 1].map((group) => keyName([Q, Q - 32, A, A - 32], group)), ["q", undefined]);
  assertEquals(keyName([LEFT, 0, 0, 0], 1), "left");
  for (const others of [[], [A], [F1], [0, 0]]) assertEquals(keyName(others, 0), undefined);
});
