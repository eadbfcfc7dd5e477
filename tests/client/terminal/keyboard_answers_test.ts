import { assertEquals } from "@std/assert";
import { Keyboard, keysIn } from "../../../lib/client/terminal/keyboard.ts";
import { pureTest } from "../../support/pure_test.ts";

/** A keyboard on which a test types, and the modes that it set. */
function createKeyboard() {
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
    // The text is passed on in the following microtasks.
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  };
  return { keyboard: made, press, raw };
}

/** A reply that ends with the letter c. */
const REPLY = {
  isWhole: (reply: string) => reply.endsWith("c"),
  replies: new RegExp("\x1b\\[\\?\\d*c", "g"),
};

pureTest("keysIn() names arrows, and drops unknown sequences", () => {
  assertEquals(keysIn("\x1b[A\x1b[B\x1b[C\x1b[D"), ["up", "down", "right", "left"]);
  assertEquals(keysIn("\x1bOA\x1bOD"), ["up", "left"]);
  assertEquals(keysIn("q \x1b[5~\x1b[1;5Cä"), ["q", " ", "ä"]);
  // Replies about graphics contain letters that would be keys.
  assertEquals(keysIn("\x1b_Gi=31;ENOTSUP: quite a problem\x1b\\p\x1b[?62;4c"), ["p"]);
});

pureTest("Keyboard.listen() joins keys that arrive in parts", async () => {
  const { keyboard: keys, press, raw } = createKeyboard();
  const pressed: string[] = [];
  {
    using _listening = keys.listen((key) => pressed.push(key));
    for (const part of ["\x1b", "[C", "\x1b_Gi=3", "1;p\x1b", "\\q", "\x1b", " "]) {
      await press(part);
    }
    assertEquals(raw, [true]);
  }
  assertEquals([pressed, raw], [["right", "q", " "], [true, false]]);
  await press();
});

pureTest("Keyboard.ask() returns the reply, and leaves keys to the listeners", async () => {
  const { keyboard: keys, press } = createKeyboard();
  const pressed: string[] = [];
  using _listening = keys.listen((key) => pressed.push(key));
  const sent = Promise.withResolvers<void>();
  const reply = keys.ask(sent.resolve, { ...REPLY, patience: 60_000 });
  await sent.promise;
  await press(" ");
  await press("\x1b[?6");
  assertEquals(pressed, []);
  await press("2c");
  assertEquals(await reply, " \x1b[?62c");
  assertEquals(pressed, [" "]);
  await press("q");
  assertEquals(pressed, [" ", "q"]);
  await press();
});

pureTest(
  "Keyboard.ask() waits neither longer than its patience, nor for a terminal that is gone",
  async () => {
    const { keyboard: keys, press } = createKeyboard();
    assertEquals(await keys.ask(() => {}, { ...REPLY, patience: 1 }), "");
    const quit = new AbortController();
    const asked = () => quit.abort();
    assertEquals(
      await keys.ask(asked, { ...REPLY, patience: 1e9, signal: quit.signal }),
      "",
    );
    const gone = keys.ask(() => {}, { ...REPLY, patience: 60_000 });
    await press();
    assertEquals(await gone, "");
  },
);

pureTest("Keyboard.rest() leaves raw mode until disposed", async () => {
  const { keyboard: keys, press, raw } = createKeyboard();
  keys.rest()[Symbol.dispose]();
  assertEquals(raw, []);
  using _listening = keys.listen(() => {});
  keys.rest()[Symbol.dispose]();
  assertEquals(raw, [true, false, true]);
  await press();
});
