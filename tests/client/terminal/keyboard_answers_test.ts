import { assertEquals } from "@std/assert";
import { Keyboard, keysIn } from "../../../lib/client/terminal/keyboard.ts";
import { pureTest } from "../../support/pure_test.ts";

/** A keyboard whose keys a test presses, and what it has made of the terminal. */
function keyboard() {
  const raw: boolean[] = [];
  let wanted = Promise.withResolvers<string | undefined>();
  const made = new Keyboard({
    async read(target) {
      const text = await wanted.promise;
      wanted = Promise.withResolvers();
      return text === undefined ? null : new TextEncoder().encodeInto(text, target).written;
    },
    setRaw: (on) => void raw.push(on),
  });
  const press = async (text?: string) => {
    wanted.resolve(text);
    // What was read is handed on in the turns that follow.
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  };
  return { keyboard: made, press, raw };
}

/** Ends with the letter c. */
const END = {
  isWhole: (reply: string) => reply.endsWith("c"),
  replies: new RegExp("\x1b\\[\\?\\d*c", "g"),
};

pureTest("keysIn() names arrows, and leaves out what it does not know", () => {
  assertEquals(keysIn("\x1b[A\x1b[B\x1b[C\x1b[D"), ["up", "down", "right", "left"]);
  assertEquals(keysIn("\x1bOA\x1bOD"), ["up", "left"]);
  assertEquals(keysIn("q \x1b[5~\x1b[1;5Cä"), ["q", " ", "ä"]);
  // What a terminal says of its graphics holds letters that would be keys.
  assertEquals(keysIn("\x1b_Gi=31;ENOTSUP: quite a problem\x1b\\p\x1b[?62;4c"), ["p"]);
});

pureTest("Keyboard.listen() gives keys that come in two parts", async () => {
  const { keyboard: keys, press, raw } = keyboard();
  const heard: string[] = [];
  {
    using _listening = keys.listen((key) => heard.push(key));
    for (const part of ["\x1b", "[C", "\x1b_Gi=3", "1;p\x1b", "\\q", "\x1b", " "]) {
      await press(part);
    }
    assertEquals(raw, [true]);
  }
  assertEquals([heard, raw], [["right", "q", " "], [true, false]]);
  await press();
});

pureTest("Keyboard.ask() gives the answer, and leaves keys to those who listen", async () => {
  const { keyboard: keys, press } = keyboard();
  const heard: string[] = [];
  using _listening = keys.listen((key) => heard.push(key));
  const asked = Promise.withResolvers<void>();
  const reply = keys.ask(asked.resolve, { ...END, patience: 60_000 });
  await asked.promise;
  await press(" ");
  await press("\x1b[?6");
  assertEquals(heard, []);
  await press("2c");
  assertEquals(await reply, " \x1b[?62c");
  assertEquals(heard, [" "]);
  await press("q");
  assertEquals(heard, [" ", "q"]);
  await press();
});

pureTest(
  "Keyboard.ask() waits no longer than it is told to, nor for a terminal that is gone",
  async () => {
    const { keyboard: keys, press } = keyboard();
    assertEquals(await keys.ask(() => {}, { ...END, patience: 1 }), "");
    const gone = keys.ask(() => {}, { ...END, patience: 60_000 });
    await press();
    assertEquals(await gone, "");
  },
);

pureTest("Keyboard.rest() gives the terminal back for a while, where it was taken", async () => {
  const { keyboard: keys, press, raw } = keyboard();
  keys.rest()[Symbol.dispose]();
  assertEquals(raw, []);
  using _listening = keys.listen(() => {});
  keys.rest()[Symbol.dispose]();
  assertEquals(raw, [true, false, true]);
  await press();
});
