import { assertEquals, assertThrows } from "@std/assert";
import { OutputClosedError } from "../../lib/base/errors.ts";
import { print, tryPrint } from "../../lib/base/log.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("print() writes all of a text, however little is taken at a time", () => {
  const taken: number[] = [];
  const sink = {
    writeSync(bytes: Uint8Array) {
      taken.push(bytes[0]);
      return 1;
    },
  };
  print(sink, "héllo\n");
  assertEquals(new TextDecoder().decode(new Uint8Array(taken)), "héllo\n");
});

pureTest("print() names the failure if the output takes no more", () => {
  const sink = {
    writeSync(): number {
      throw new Error("No space left on device");
    },
  };
  assertThrows(() => print(sink, "x"), Error, "Cannot write to standard output: No space left");
});

pureTest("tryPrint() ignores failures", () => {
  let tries = 0;
  const sink = {
    writeSync(): number {
      tries++;
      throw new Deno.errors.BrokenPipe();
    },
  };
  tryPrint(sink, "x");
  assertEquals(tries, 1);
  assertThrows(() => print(sink, "x"), OutputClosedError);
});
