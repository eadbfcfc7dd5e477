/** Keys of the terminal as they are pressed. */
import { deadline, onAbort } from "../../base/async.ts";

/** The terminal as standard input. */
export interface KeyInput {
  /** Reads some bytes, and returns how many; `null` at the end. */
  read(target: Uint8Array): Promise<number | null>;
  /** Switches to keys as they are pressed, without echo; Ctrl-C still interrupts. */
  setRaw(raw: boolean): void;
  /**
   * Calls back when the program continues in the foreground after a stop, until disposed. Shells
   * change the mode of the terminal meanwhile.
   */
  onContinue?(callback: () => void): Disposable;
}

/** Names of keys by the bytes that follow the escape. */
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
 * One key as a terminal sends it, an escape sequence or a character, or a late reply to a query of
 * the terminal's graphics.
 */
const KEY = new RegExp(`${ESC}(?:\\[[0-9;?]*[ -/]*[@-~]|O[ -~]|_G[^${ESC}]*${ESC}\\\\)|[^]`, "gu");

/** An incomplete escape sequence at the end; longer text is none. */
const INCOMPLETE = new RegExp(`${ESC}(?:\\[[0-9;?]{0,20}|O|_|_G[^${ESC}]{0,200}${ESC}?)?$`);

/** Bytes of one read. */
const CHUNK_SIZE = 1024;

/**
 * The keyboard of the terminal. There is a single reader, since a pending read cannot be cancelled;
 * its text goes to the listener at that time.
 */
export class Keyboard {
  #input: KeyInput;
  #reading = false;
  #ended = false;
  /** Text that no listener has taken. */
  #pending = "";
  #decoder = new TextDecoder();
  /** The newest comes first, and gets the text. */
  #listeners: ((text: string) => void)[] = [];
  /** Number of listeners that need raw mode. */
  #rawListeners = 0;
  #continuing: Disposable | undefined;

  constructor(input: KeyInput) {
    this.#input = input;
  }

  /**
   * Calls back with each key that is pressed, until disposed: a character, or `left`, `right`, `up`
   * or `down`.
   */
  listen(onKey: (key: string) => void): Disposable {
    let incomplete = "";
    return this.#listenRaw((text) => {
      const whole = incomplete + text;
      // Replies of the terminal, and keys over a slow connection, may arrive in parts.
      incomplete = whole.match(INCOMPLETE)?.[0] ?? "";
      keysIn(whole.slice(0, whole.length - incomplete.length)).forEach(onKey);
    });
  }

  /**
   * Queries the terminal. Keys that are pressed meanwhile go to the other listeners.
   *
   * @param ask sends the query
   * @param isWhole whether the reply is complete
   * @param replies matches every reply
   * @param patience milliseconds until it gives up
   * @param signal gives up at once
   * @returns the text that arrived until then
   */
  async ask(
    ask: () => void,
    { isWhole, replies, patience, signal = new AbortController().signal }: {
      isWhole: (reply: string) => boolean;
      replies: RegExp;
      patience: number;
      signal?: AbortSignal;
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
      using _stop = onAbort(signal, resolve);
      ask();
      await promise;
    }
    const keys = reply.replaceAll(replies, "");
    if (keys !== "") this.#pass(keys);
    return reply;
  }

  /** Leaves raw mode until disposed. */
  rest(): Disposable {
    if (this.#rawListeners === 0) return { [Symbol.dispose]: () => {} };
    this.#input.setRaw(false);
    return {
      [Symbol.dispose]: () => {
        if (this.#rawListeners > 0) this.#input.setRaw(true);
      },
    };
  }

  /** The lines that are typed. */
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
    const onText = (text: string) => {
      this.#pending += text;
      if (this.#pending.includes("\n") || this.#ended) resolve();
    };
    this.#listeners.unshift(onText);
    this.#pump();
    onText("");
    await promise;
    this.#listeners = this.#listeners.filter((listener) => listener !== onText);
    const end = this.#pending.indexOf("\n");
    if (end < 0) return undefined;
    const line = this.#pending.slice(0, end);
    this.#pending = this.#pending.slice(end + 1);
    return line;
  }

  #listenRaw(onText: (text: string) => void): Disposable {
    if (this.#rawListeners++ === 0) this.#enterRawMode();
    this.#listeners.unshift(onText);
    this.#pump();
    return {
      [Symbol.dispose]: () => {
        if (!this.#listeners.includes(onText)) return;
        this.#listeners = this.#listeners.filter((listener) => listener !== onText);
        if (--this.#rawListeners > 0) return;
        this.#continuing?.[Symbol.dispose]();
        this.#input.setRaw(false);
      },
    };
  }

  #enterRawMode(): void {
    this.#input.setRaw(true);
    this.#continuing = this.#input.onContinue?.(() => {
      if (this.#rawListeners > 0) this.#input.setRaw(true);
    });
  }

  /** Reads while there are listeners; one more read may stay pending. */
  async #pump(): Promise<void> {
    if (this.#reading || this.#ended) return;
    this.#reading = true;
    const chunk = new Uint8Array(CHUNK_SIZE);
    while (this.#listeners.length > 0) {
      const count = await this.#read(chunk);
      this.#ended = count === null;
      const text = this.#decoder.decode(chunk.subarray(0, count ?? 0), { stream: true });
      this.#pass(text);
      if (this.#ended) break;
    }
    this.#reading = false;
  }

  #pass(text: string): void {
    const [first] = this.#listeners;
    if (first === undefined) this.#pending += text;
    else first(text);
  }

  /** Reads; a terminal that is gone is at its end. */
  async #read(chunk: Uint8Array): Promise<number | null> {
    try {
      return await this.#input.read(chunk);
    } catch {
      return null;
    }
  }
}

/** The keys in the input of a terminal; escape sequences without a name are dropped. */
export function keysIn(text: string): string[] {
  return [...text.matchAll(KEY)].flatMap(([key]) => {
    if (!key.startsWith(ESC)) return [key];
    const name = SEQUENCES.get(key.slice(1));
    return name === undefined ? [] : [name];
  });
}
