import { deadline } from "../../base/async.ts";

/** Where keys come from: the terminal's standard input. */
export interface KeyInput {
  /** Waits for bytes, and gives how many there are; `null` at the end. */
  read(target: Uint8Array): Promise<number | null>;
  /** Has keys come as they are pressed, and not shown; Ctrl-C stays what it is. */
  setRaw(raw: boolean): void;
  /**
   * Calls back when the program goes on after a stop, and has the terminal again, until disposed:
   * shells set it to what they like meanwhile.
   */
  onContinue?(callback: () => void): Disposable;
}

/** Keys that are sent as a few bytes, by what follows the escape. */
const SEQUENCES = new Map([
  ["[A", "up"],
  ["[B", "down"],
  ["[C", "right"],
  ["[D", "left"],
  ["OA", "up"],
  ["OB", "down"],
  ["OC", "right"],
  ["OD", "left"],
]);

const ESC = "\x1b";

/**
 * One key, as a terminal sends it: an escape with what belongs to it, or a character; or what a
 * terminal says of its graphics, maybe late.
 */
const KEY = new RegExp(`${ESC}(?:\\[[0-9;?]*[ -/]*[@-~]|O[ -~]|_G[^${ESC}]*${ESC}\\\\)|[^]`, "gu");

/** The beginning of something that has an escape in front. What is too long for that is none. */
const BEGUN = new RegExp(`${ESC}(?:\\[[0-9;?]{0,20}|O|_|_G[^${ESC}]{0,200}${ESC}?)?$`);

/** Bytes that are read at once. */
const CHUNK = 1024;

/**
 * The keyboard of the terminal. One reader has it, since a read that waits cannot be taken back:
 * what it brings goes to whoever listens then.
 */
export class Keyboard {
  #input: KeyInput;
  #reading = false;
  #ended = false;
  /** Text that nobody has taken. */
  #pending = "";
  #decoder = new TextDecoder();
  /** Takes text; who listens last comes first. */
  #listeners: ((text: string) => void)[] = [];
  /** How many of them want keys, and not lines. */
  #raw = 0;
  #continuing: Disposable | undefined;

  constructor(input: KeyInput) {
    this.#input = input;
  }

  /**
   * Calls back with each key that is pressed, until disposed: a character, or `left`, `right`, `up`
   * or `down`.
   */
  listen(onKey: (key: string) => void): Disposable {
    let rest = "";
    return this.#listenRaw((text) => {
      const whole = rest + text;
      // What a terminal says may come in two parts, and so may a key over a slow link.
      rest = whole.match(BEGUN)?.[0] ?? "";
      keysIn(whole.slice(0, whole.length - rest.length)).forEach(onKey);
    });
  }

  /**
   * Asks the terminal itself something. Keys that are pressed meanwhile stay keys.
   *
   * @param ask sends the question
   * @param isWhole whether the answer is
   * @param replies finds all that the terminal may say
   * @param patience milliseconds after which there is no more of it
   * @returns what came until then
   */
  async ask(
    ask: () => void,
    { isWhole, replies, patience }: {
      isWhole: (reply: string) => boolean;
      replies: RegExp;
      patience: number;
    },
  ): Promise<string> {
    let reply = "";
    const { promise, resolve } = Promise.withResolvers<void>();
    {
      using _listening = this.#listenRaw((text) => {
        reply += text;
        if (isWhole(reply) || this.#ended) resolve();
      });
      using _limit = deadline(patience, resolve);
      ask();
      await promise;
    }
    const keys = reply.replaceAll(replies, "");
    if (keys !== "") this.#hand(keys);
    return reply;
  }

  /** Has the terminal treat keys as it did before anybody listened, until disposed. */
  rest(): Disposable {
    if (this.#raw === 0) return { [Symbol.dispose]: () => {} };
    this.#input.setRaw(false);
    return {
      [Symbol.dispose]: () => {
        if (this.#raw > 0) this.#input.setRaw(true);
      },
    };
  }

  /** The lines that are typed, until nobody wants more of them. */
  lines(): ReadableStream<string> {
    return new ReadableStream({
      pull: async (controller) => {
        const line = await this.#readLine();
        if (line === undefined) controller.close();
        else controller.enqueue(line);
      },
    }, { highWaterMark: 0 });
  }

  async #readLine(): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = (text: string) => {
      this.#pending += text;
      if (this.#pending.includes("\n") || this.#ended) resolve();
    };
    this.#listeners.unshift(look);
    this.#pump();
    look("");
    await promise;
    this.#listeners = this.#listeners.filter((listener) => listener !== look);
    const end = this.#pending.indexOf("\n");
    if (end < 0) return undefined;
    const line = this.#pending.slice(0, end);
    this.#pending = this.#pending.slice(end + 1);
    return line;
  }

  #listenRaw(onText: (text: string) => void): Disposable {
    if (this.#raw++ === 0) this.#takeKeys();
    this.#listeners.unshift(onText);
    this.#pump();
    return {
      [Symbol.dispose]: () => {
        if (!this.#listeners.includes(onText)) return;
        this.#listeners = this.#listeners.filter((listener) => listener !== onText);
        if (--this.#raw > 0) return;
        this.#continuing?.[Symbol.dispose]();
        this.#input.setRaw(false);
      },
    };
  }

  #takeKeys(): void {
    this.#input.setRaw(true);
    this.#continuing = this.#input.onContinue?.(() => {
      if (this.#raw > 0) this.#input.setRaw(true);
    });
  }

  /** Reads for as long as somebody listens; one read more may stay under way. */
  async #pump(): Promise<void> {
    if (this.#reading || this.#ended) return;
    this.#reading = true;
    const chunk = new Uint8Array(CHUNK);
    while (this.#listeners.length > 0) {
      const count = await this.#read(chunk);
      this.#ended = count === null;
      const text = this.#decoder.decode(chunk.subarray(0, count ?? 0), { stream: true });
      this.#hand(text);
      if (this.#ended) break;
    }
    this.#reading = false;
  }

  #hand(text: string): void {
    const [first] = this.#listeners;
    if (first === undefined) this.#pending += text;
    else first(text);
  }

  /** A terminal that is gone is one that says nothing more. */
  async #read(chunk: Uint8Array): Promise<number | null> {
    try {
      return await this.#input.read(chunk);
    } catch {
      return null;
    }
  }
}

/** The keys in what a terminal sends; those without a name here are left out. */
export function keysIn(text: string): string[] {
  return [...text.matchAll(KEY)].flatMap(([key]) => {
    if (!key.startsWith(ESC)) return [key];
    const name = SEQUENCES.get(key.slice(1));
    return name === undefined ? [] : [name];
  });
}
