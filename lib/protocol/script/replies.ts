/** Sends scripts what they wait for: a request at first, or a word after each frame. */
import type { ByteWriter } from "../../base/byte_writer.ts";
import type { Clock } from "../../base/clock.ts";
import { isConnectionClosed, isConnectionLost, messageOf } from "../../base/errors.ts";

/**
 * Milliseconds for a script that sends at once to begin, before it is asked: it may open a camera
 * first. A script that does not read the request resets the connection when it closes.
 */
const FIRST_PAUSE = 1000;

/**
 * Milliseconds of silence behind a frame after which a script may wait for a reply. Slow
 * cameras pause for less: a script that does not read a reply, and closes right behind its last
 * frame, resets the connection, which may cut that frame.
 */
const ACK_PAUSE = 4000;

/** Milliseconds in which a script that waited for a reply sends its next frame. */
const ANSWER_TIME = 1000;

/** Word that is sent after a frame if nothing else was asked. */
const DEFAULT_ACK = "ack";

/** In place of a word: send none. */
const NONE = "none";

/** Options of {@linkcode Replies}. */
export interface RepliesOptions {
  /** Sent at once; `"none"` for nothing, not even the one below. */
  request?: string;
  /** Sent if the script sends nothing at first, unless there is a request. */
  fallbackRequest?: string;
  /** Sent after each message; `"none"` for nothing, `"auto"` to find out. @default "auto" */
  ack?: string;
  clock: Clock;
  /** Called with sentences for the user. */
  notify?: (line: string) => void;
  /** Called with each word that is sent. */
  onSent?: (word: string, kind: "request" | "reply") => void;
}

/** Requests and acknowledgements to one script. */
export class Replies {
  #writer: ByteWriter;
  #options: RepliesOptions;
  /** The word after each message, if one is sent. */
  #ack: string | undefined;
  #request: string | undefined;
  /** It is known whether the script waits for a reply to each frame. */
  #isDecided = false;
  #messages = 0;
  #hasSent = false;
  #isWriting = false;

  constructor(writer: ByteWriter, options: RepliesOptions) {
    this.#writer = writer;
    this.#options = options;
    const { ack = "auto" } = options;
    this.#ack = ack === "auto" || ack === NONE ? undefined : ack;
  }

  /** Something was sent, which the script may not have read. */
  get hasSent(): boolean {
    return this.#hasSent;
  }

  /**
   * Waits for input, and sends what the script may wait for.
   *
   * @param read waits for the first byte of a message
   */
  async untilInput(read: () => Promise<boolean>): Promise<boolean> {
    const { request, fallbackRequest, ack = "auto" } = this.#options;
    const isFirst = this.#messages === 0 && request !== NONE;
    if (isFirst && request !== undefined) this.#ask(request);
    const input = read();
    // The caller gets its failure.
    input.catch(() => {});
    if (isFirst && request === undefined && fallbackRequest !== undefined) {
      if (!await this.#settles(input, FIRST_PAUSE)) this.#ask(fallbackRequest);
    }
    if (this.#messages > 0 && ack === "auto" && !this.#isDecided) await this.#findOut(input);
    return await input;
  }

  /**
   * Sends a word to a script that is silent, and finds out whether it waited for it. One that works
   * for longer on its next frame gets the word whenever it is silent.
   */
  async #findOut(input: Promise<boolean>): Promise<void> {
    this.#isDecided = await this.#settles(input, ACK_PAUSE);
    if (this.#isDecided) return;
    const word = this.#request ?? DEFAULT_ACK;
    this.#send(word, "reply");
    this.#isDecided = await this.#settles(input, ANSWER_TIME);
    if (!this.#isDecided) return;
    this.#ack = word;
    this.#options.notify?.(`The script waits for a reply to each frame, and gets "${word}"`);
  }

  /** Sends the word after a message. */
  onMessage(): void {
    this.#messages++;
    if (this.#ack !== undefined) this.#send(this.#ack, "reply");
  }

  #ask(request: string): void {
    this.#request = request;
    this.#send(request, "request");
  }

  #send(word: string, kind: "request" | "reply"): void {
    // A script that does not read what it gets must not delay its frames.
    if (this.#isWriting) return;
    this.#isWriting = this.#hasSent = true;
    this.#options.onSent?.(word, kind);
    this.#writer.write(new TextEncoder().encode(word)).catch((error) => {
      // Reading tells of a lost connection.
      if (isConnectionLost(error) || isConnectionClosed(error)) return;
      this.#options.notify?.(`Cannot reply to the script: ${messageOf(error)}`);
    }).finally(() => this.#isWriting = false);
  }

  /** Whether a promise settles within so many milliseconds. */
  async #settles(promise: Promise<unknown>, milliseconds: number): Promise<boolean> {
    const waiting = new AbortController();
    const late = this.#options.clock.sleep(milliseconds, waiting.signal).then(() => false);
    late.catch(() => {});
    try {
      return await Promise.race([promise.then(() => true, () => true), late]);
    } finally {
      waiting.abort();
    }
  }
}
