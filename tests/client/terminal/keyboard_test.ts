import { assertEquals } from "@std/assert";
import { Keyboard, keysIn } from "../../../lib/client/terminal/keyboard.ts";
import { pureTest } from "../../support/pure_test.ts";

/** Replies of the terminal. */
const REPLIES = new RegExp("\x1b\\[\\?[\\d;]*c", "g");

/** A terminal on which a test types. */
class TypedInput {
  readonly modes: boolean[] = [];
  /** Called when the program continues after a stop. */
  readonly continuing = new Set<() => void>();
  #typed: Uint8Array[] = [];
  #news = Promise.withResolvers<void>();
  #ended = false;

  type(...texts: string[]): void {
    for (const text of texts) this.#typed.push(new TextEncoder().encode(text));
    this.#news.resolve();
  }

  end(): void {
    this.#ended = true;
    this.#news.resolve();
  }

  async read(target: Uint8Array): Promise<number | null> {
    while (this.#typed.length === 0) {
      if (this.#ended) return null;
      await this.#news.promise;
      this.#news = Promise.withResolvers();
    }
    const bytes = this.#typed.shift() ?? new Uint8Array();
    target.set(bytes);
    return bytes.byteLength;
  }

  setRaw(raw: boolean): void {
    this.modes.push(raw);
  }

  onContinue(callback: () => void): Disposable {
    this.continuing.add(callback);
    return { [Symbol.dispose]: () => void this.continuing.delete(callback) };
  }
}

/** Waits for a number of keys. */
function keys(keyboard: Keyboard, count: number): { found: Promise<string[]>; stop: Disposable } {
  const { promise, resolve } = Promise.withResolvers<string[]>();
  const pressed: string[] = [];
  const stop = keyboard.listen((key) => {
    pressed.push(key);
    if (pressed.length === count) resolve(pressed);
  });
  return { found: promise, stop };
}

pureTest("keysIn() finds characters, and arrows in both forms", () => {
  assertEquals(keysIn("a \x1b[A\x1bOB\x1b[C\x1b[DQ"), [
    "a",
    " ",
    "up",
    "down",
    "right",
    "left",
    "Q",
  ]);
});

pureTest("keysIn() drops sequences without a name", () => {
  assertEquals(keysIn("\x1b[3~x\x1bOP\x1b[1;5Cy\x1b[?62;4cz"), ["x", "y", "z"]);
});

pureTest("Keyboard.listen() enters raw mode again when the program continues after a stop", () => {
  const input = new TypedInput();
  {
    using _listening = new Keyboard(input).listen(() => {});
    assertEquals(input.modes, [true]);
    for (const onContinue of input.continuing) onContinue();
    assertEquals(input.modes, [true, true]);
  }
  assertEquals(input.modes, [true, true, false]);
  assertEquals(input.continuing.size, 0);
  input.end();
});

pureTest("Keyboard.listen() passes keys on until disposed", async () => {
  const input = new TypedInput();
  const keyboard = new Keyboard(input);
  const { found, stop } = keys(keyboard, 3);
  input.type("q", "\x1b[C ");
  assertEquals(await found, ["q", "right", " "]);
  assertEquals(input.modes, [true]);
  stop[Symbol.dispose]();
  stop[Symbol.dispose]();
  assertEquals(input.modes, [true, false]);
});

pureTest(
  "Keyboard.lines() gives whole lines, and leaves other text to the next listener",
  async () => {
    const input = new TypedInput();
    const keyboard = new Keyboard(input);
    input.type("fir", "st\nsecond\n");
    const lines = keyboard.lines().getReader();
    assertEquals((await lines.read()).value, "first");
    assertEquals((await lines.read()).value, "second");
    const { found, stop } = keys(keyboard, 1);
    input.type("q");
    assertEquals(await found, ["q"]);
    stop[Symbol.dispose]();
    input.type("third\n");
    assertEquals((await lines.read()).value, "third");
    input.end();
    assertEquals((await lines.read()).done, true);
  },
);

pureTest(
  "Keyboard.ask() returns the terminal's reply, and keys go to the listener",
  async () => {
    const input = new TypedInput();
    const keyboard = new Keyboard(input);
    const { found, stop } = keys(keyboard, 1);
    const reply = await keyboard.ask(() => input.type("\x1b[?62", ";4c"), {
      isWhole: (text) => text.endsWith("c"),
      replies: REPLIES,
      patience: 20_000,
    });
    assertEquals(reply, "\x1b[?62;4c");
    assertEquals(input.modes, [true]);
    input.type("k");
    assertEquals(await found, ["k"]);
    stop[Symbol.dispose]();
  },
);

pureTest("Keyboard.ask() gives up on a terminal that does not reply", async () => {
  const input = new TypedInput();
  const options = { isWhole: () => false, replies: REPLIES, patience: 1 };
  const reply = await new Keyboard(input).ask(() => {}, options);
  assertEquals([reply, input.modes], ["", [true, false]]);
});

pureTest("Keyboard survives a terminal that is gone", async () => {
  const failing = { read: () => Promise.reject(new Error("gone")), setRaw: () => {} };
  const lines = new Keyboard(failing).lines().getReader();
  assertEquals((await lines.read()).done, true);
});
