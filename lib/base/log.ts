import { deadline } from "./async.ts";
import { messageOf, OutputClosedError } from "./errors.ts";

/** Levels from the quietest to the most talkative. */
export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;

/** One of {@linkcode LOG_LEVELS}. */
export type LogLevel = typeof LOG_LEVELS[number];

/** How lines are written: for people, or one JSON object each. */
export const LOG_FORMATS = ["human", "json"] as const;

/** One of {@linkcode LOG_FORMATS}. */
export type LogFormat = typeof LOG_FORMATS[number];

/** What is known of an event besides its message; what is `undefined` is left out. */
export type LogFields = Readonly<Record<string, string | number | undefined>>;

/** Where events are told: one method, passed to whoever has something to tell. */
export interface Logger {
  log(level: LogLevel, message: string, fields?: LogFields): void;
}

/** Options of {@linkcode createLogger}. */
export interface LoggerOptions {
  /** Messages below this level are dropped. */
  level: LogLevel;
  /** Takes one line, its end of line included. */
  write: (line: string) => void;
  /** For people where absent. */
  format?: LogFormat;
  /** The time stamped on each line. */
  now?: () => Date;
}

/** An event on its way to a line. */
interface Event {
  time: string;
  level: LogLevel;
  message: string;
  fields: LogFields;
}

/** Fields that tell whose an event is: they stand in front of what it is. */
const LEADING = ["peer", "request"];

/** Makes a logger that writes one line an event: time, level, message, fields. */
export function createLogger(
  { level, write, format = "human", now = () => new Date() }: LoggerOptions,
): Logger {
  const threshold = LOG_LEVELS.indexOf(level);
  const render = format === "json" ? renderJson : renderHuman;
  return {
    log(messageLevel, message, fields = {}) {
      if (LOG_LEVELS.indexOf(messageLevel) > threshold) return;
      const time = now().toISOString();
      const line = `${render({ time, level: messageLevel, message, fields })}\n`;
      try {
        write(line);
      } catch {
        // Nobody reads the log any more. That is no reason to stop working.
      }
    },
  };
}

/** Makes a logger whose every event has these fields, such as a peer's address. */
export function withFields(logger: Logger, fields: LogFields): Logger {
  return {
    log: (level, message, own) => logger.log(level, message, { ...fields, ...own }),
  };
}

/** Keeps a peer's bytes from moving the cursor or forging a line: control characters become `?`. */
export function printable(text: string): string {
  return text.replaceAll(UNPRINTABLE, "?");
}

const UNPRINTABLE = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

function renderHuman({ time, level, message, fields }: Event): string {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  const write = ([name, value]: [string, string | number | undefined]) =>
    `${name}=${typeof value === "string" ? quoted(printable(value)) : value}`;
  const before = given.filter(([name]) => LEADING.includes(name)).map(write);
  const behind = given.filter(([name]) => !LEADING.includes(name)).map(write);
  return [time, level.padEnd(5), ...before, printable(message), ...behind].join(" ");
}

/** Text as one word; in quotes where it would not be one. */
function quoted(text: string): string {
  return /^[\p{L}\p{N}_.:/@+[\]-]+$/u.test(text) ? text : JSON.stringify(text);
}

function renderJson({ time, level, message, fields }: Event): string {
  return printableJson({ time, level, message, ...fields });
}

/** JSON on one line that keeps every character, and shows none that a terminal would obey. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(UNPRINTABLE, escaped);
}

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
}

/** Lines that one peer may cause within a window. */
const LIMIT = 20;

/** Milliseconds. */
const WINDOW = 1000;

/** What is known of a peer while its window lasts. */
interface Window {
  told: number;
  leftOut: number;
  end: Disposable;
}

/** Keeps one peer from filling the log: of its events, so many a second are told one by one. */
export class LogQuota implements Disposable {
  #logger: Logger;
  #limit: number;
  #window: number;
  /** Peers of the current second: no more than can do something in one. */
  #peers = new Map<string, Window>();

  constructor(
    logger: Logger,
    { limit = LIMIT, window = WINDOW }: { limit?: number; window?: number } = {},
  ) {
    this.#logger = logger;
    this.#limit = limit;
    this.#window = window;
  }

  /**
   * Whether one more event of a peer is to be told. Those that are not are counted, and told of in
   * one line at the end of the second.
   *
   * @param peer its address, without the port, of which it may have many
   */
  take(peer: string): boolean {
    let window = this.#peers.get(peer);
    if (window === undefined) {
      window = { told: 0, leftOut: 0, end: deadline(this.#window, () => this.#close(peer)) };
      this.#peers.set(peer, window);
    }
    if (window.told < this.#limit) {
      window.told++;
      return true;
    }
    window.leftOut++;
    return false;
  }

  /** Tells what was left out so far. */
  [Symbol.dispose](): void {
    for (const peer of [...this.#peers.keys()]) this.#close(peer);
  }

  #close(peer: string): void {
    const window = this.#peers.get(peer);
    if (window === undefined) return;
    this.#peers.delete(peer);
    window.end[Symbol.dispose]();
    const { leftOut } = window;
    if (leftOut === 0) return;
    this.#logger.log("warn", "further requests of this peer are not told one by one", {
      peer,
      requests: leftOut,
    });
  }
}

const encoder = new TextEncoder();

/** A stream of the process that text can be written to. */
export interface TextSink {
  writeSync(bytes: Uint8Array): number;
}

/**
 * Writes text to standard output, all of it.
 *
 * @throws {OutputClosedError} where nobody reads it any more
 * @throws {Error} where it takes no more
 */
export function print(sink: TextSink, text: string): void {
  let bytes = encoder.encode(text);
  try {
    while (bytes.byteLength > 0) bytes = bytes.subarray(sink.writeSync(bytes));
  } catch (cause) {
    const message = `Cannot write to standard output: ${messageOf(cause)}`;
    if (cause instanceof Deno.errors.BrokenPipe) throw new OutputClosedError(message, { cause });
    throw new Error(message, { cause });
  }
}

/** Writes text to standard error, where somebody may read it, or not. */
export function tell(sink: TextSink, text: string): void {
  try {
    print(sink, text);
  } catch {
    // The terminal is gone, or full. There is nowhere left to tell of it, and work goes on.
  }
}
