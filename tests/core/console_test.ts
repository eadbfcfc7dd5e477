import { assertEquals, assertThrows } from "@std/assert";
import { print } from "../../lib/core/console.ts";

Deno.test({
  name: "print() writes all of a text, however little is taken at a time",
  permissions: "none",
  fn() {
    const taken: number[] = [];
    const sink = {
      writeSync(bytes: Uint8Array) {
        taken.push(bytes[0]);
        return 1;
      },
    };
    print(sink, "héllo\n");
    assertEquals(new TextDecoder().decode(new Uint8Array(taken)), "héllo\n");
  },
});

Deno.test({
  name: "print() says what failed where nothing is taken any more",
  permissions: "none",
  fn() {
    const sink = {
      writeSync(): number {
        throw new Error("No space left on device");
      },
    };
    assertThrows(() => print(sink, "x"), Error, "Cannot print what is to be told: No space left");
  },
});
