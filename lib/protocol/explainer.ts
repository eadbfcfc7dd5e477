/**
 * Explains one conversation, line by line: each message and event with its direction, bytes and
 * fields, and the state behind it (docs/protocol/states.md).
 *
 * @module
 */
import {
  type ConnectionEvent,
  type ConversationObserver,
  ENDINGS,
  type Observation,
  type ObservedMessage,
} from "../net/observer.ts";
import { MessageWords } from "./message_words.ts";
import { isWholeList } from "./native/list.ts";
import { HEADER_LENGTH, type Kind, parseHeader } from "./native/framing.ts";

/** States of a conversation; docs/protocol/states.md defines them. */
export const STATES = ["waiting", "describing", "streaming", "ended"] as const;

/** One of {@linkcode STATES}. */
export type State = typeof STATES[number];

/** The state of a conversation, for both sides of it. */
export class ConversationState {
  #state: State = "waiting";
  /** Requests without a whole response. */
  #pending = 0;
  #isOver = false;

  /** The state after all that was given. */
  get name(): State {
    return this.#state;
  }

  /** Takes a message, in whichever direction it passes. */
  take(kind: Kind | "reply"): void {
    if (kind === "request") {
      this.#pending++;
      if (this.#state === "ended") this.#set("waiting");
    } else if (kind === "describe" || kind === "frame") {
      // Messages still under way after an error do not start the response again.
      if (this.#state !== "ended") this.#set(kind === "frame" ? "streaming" : "describing");
    } else if (kind === "end" || kind === "error" || kind === "list") {
      this.#pending = Math.max(0, this.#pending - 1);
      this.#set(this.#pending > 0 ? "waiting" : "ended");
    }
  }

  /** Ends the conversation for good. */
  end(): void {
    this.#set("ended");
    this.#isOver = true;
  }

  #set(state: State): void {
    if (!this.#isOver) this.#state = state;
  }
}

/** Options of {@linkcode Explainer}. */
export interface ExplainerOptions {
  /** Takes a line without its end. Text of peers may contain any characters. */
  print: (line: string) => void;
  /** Milliseconds since a fixed time; never goes back. */
  now: () => number;
  /** Text in front of each line, such as the peer's address. @default "" */
  prefix?: string;
}

/** Columns of the lines, in characters; longer text moves the columns behind it. */
const WIDTHS = { seconds: 8, kind: 9, bytes: 15, words: 60 };

/** Signs of the directions, seen from this side. */
const SIGNS = { sent: "->", received: "<-", event: "--" } as const;

/**
 * Explains one conversation.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Explainer } from "./explainer.ts";
 *
 * const lines: string[] = [];
 * const explainer = new Explainer({ print: (line) => lines.push(line), now: () => 0 });
 * explainer.sent({ kind: "request", bytes: 9, words: "get_image" });
 * assertEquals(lines[0].replaceAll(/ +/g, " "), " 0.000 s -> request 9 bytes get_image waiting");
 * ```
 */
export class Explainer implements ConversationObserver {
  #options: ExplainerOptions;
  #start: number;
  #state = new ConversationState();
  #words = new MessageWords();
  #hasEnded = false;

  constructor(options: ExplainerOptions) {
    this.#options = options;
    this.#start = options.now();
  }

  sent(message: ObservedMessage): void {
    this.#message("sent", message);
  }

  received(message: ObservedMessage): void {
    this.#message("received", message);
  }

  /** A connection ends once: endings after the first are ignored. */
  event(event: ConnectionEvent, words: string): void {
    if (ENDINGS.some((ending) => ending === event)) {
      if (this.#hasEnded) return;
      this.#hasEnded = true;
      this.#state.end();
    }
    this.#line("event", { kind: event, words });
  }

  #message(direction: "sent" | "received", message: ObservedMessage): void {
    if ("words" in message) {
      this.#state.take(message.kind);
      return this.#line(direction, message);
    }
    const header = parseHeader(message.header);
    // Further messages of the same list follow.
    if (header.kind !== "list" || isWholeList(message.payload)) this.#state.take(header.kind);
    this.#line(direction, {
      kind: header.kind,
      bytes: HEADER_LENGTH + message.payload.byteLength,
      words: this.#words.of(header, message.payload),
    });
  }

  #line(
    direction: keyof typeof SIGNS,
    { kind, bytes, words }: { kind: string; bytes?: number; words: string },
  ): void {
    const { print, now, prefix = "" } = this.#options;
    const seconds = ((now() - this.#start) / 1000).toFixed(3).padStart(WIDTHS.seconds);
    const size = bytes === undefined ? "" : `${bytes} ${bytes === 1 ? "byte" : "bytes"}`;
    const columns = [
      `${seconds} s`,
      SIGNS[direction],
      kind.padEnd(WIDTHS.kind),
      size.padStart(WIDTHS.bytes),
      words.padEnd(WIDTHS.words),
      this.#state.name,
    ];
    print(prefix + columns.join("  "));
  }
}

/** Explains the conversations of a client, one after the other. */
export class Explanation implements Observation {
  #options: ExplainerOptions;
  #last: Explainer | undefined;

  constructor(options: ExplainerOptions) {
    this.#options = options;
  }

  begin(): Explainer {
    this.#last = new Explainer(this.#options);
    return this.#last;
  }

  /** The line belongs to the conversation that has failed. */
  retry(words: string): void {
    this.#last?.event("retry", words);
  }
}
