/** Loggers, a rate limit per peer, and output to the console. */
import { deadline } from "./async.ts";
import { messageOf, OutputClosedError } from "./errors.ts";

/** Log levels, the most severe first. */
export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;

/** One of {@linkcode LOG_LEVELS}. */
export type LogLevel = typeof LOG_LEVELS[number];

/** Formats of log lines: plain text, or one JSON object each. */
export const LOG_FORMATS = ["human", "json"] as const;

/** One of {@linkcode LOG_FORMATS}. */
export type LogFormat = typeof LOG_FORMATS[number];

/** Structured fields of an event; those that are `undefined` are omitted. */
export type LogFields = Readonly<Record<string, string | number | undefined>>;

/** Takes events; passed to the code that logs. */
export interface Logger {
  /** Takes one event. */
  log(level: LogLevel, message: string, fields?: LogFields): void;
}

/** Options of {@linkcode createLogger}. */
export interface LoggerOptions {
  /** Messages below this level are dropped. */
  level: LogLevel;
  /** Takes one line, its end of line included. */
  write: (line: string) => void;
  /** @default "human" */
  format?: LogFormat;
  /** Clock of the lines' timestamps. */
  now?: () => Date;
}

interface LogEvent {
  time: string;
  level: LogLevel;
  message: string;
  fields: LogFields;
}

/** Fields that stand in front of the message: they identify whose event it is. */
const LEADING = ["peer", "request"];

/** Creates a logger that writes one line per event: time, level, message, fields. */
export function createLogger(
  { level, write, format = "human", now = () => new Date() }: LoggerOptions,
): Logger {
  const threshold = LOG_LEVELS.indexOf(level);
  const render = format === "json" ? renderJson : renderHuman;
  return {
    log(messageLevel, message, fields = {}) {
      if (LOG_LEVELS.indexOf(messageLevel) > threshold) return;
      const event = { time: now().toISOString(), level: messageLevel, message, fields };
      const line = `${render(shorten(event))}\n`;
      try {
        write(line);
      } catch {
        // A closed log must not stop the program.
      }
    },
  };
}

/** Creates a logger that adds fields, such as a peer's address, to every event. */
export function withFields(logger: Logger, fields: LogFields): Logger {
  return {
    log: (level, message, own) => logger.log(level, message, { ...fields, ...own }),
  };
}

/** Characters of a name, or of another text of a peer, that are logged. */
const LONGEST_NAME = 200;

/** Quoted text that is longer. */
const LONG_QUOTE = new RegExp(`"[^"]{${LONGEST_NAME + 1},}"`, "g");

/** Cuts a text at 200 characters, with an ellipsis behind them. */
export function shortened(text: string): string {
  if (text.length <= LONGEST_NAME) return text;
  // Not in the middle of a surrogate pair.
  return `${text.slice(0, LONGEST_NAME).replace(/[\uD800-\uDBFF]$/, "")}…`;
}

/** Cuts fields, and what stands in quotation marks in the message. */
function shorten({ message, fields, ...event }: LogEvent): LogEvent {
  const cut = ([name, value]: [string, string | number | undefined]) => {
    return [name, typeof value === "string" ? shortened(value) : value] as const;
  };
  return {
    ...event,
    message: message.replaceAll(LONG_QUOTE, (quote) => `"${shortened(quote.slice(1, -1))}"`),
    fields: Object.fromEntries(Object.entries(fields).map(cut)),
  };
}

/** Replaces control characters by `?`, so that a peer's text cannot move the cursor or forge a line. */
export function printable(text: string): string {
  return text.replaceAll(UNPRINTABLE, "?");
}

const UNPRINTABLE = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

function renderHuman({ time, level, message, fields }: LogEvent): string {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  const write = ([name, value]: [string, string | number | undefined]) =>
    `${name}=${typeof value === "string" ? quoted(printable(value)) : value}`;
  const before = given.filter(([name]) => LEADING.includes(name)).map(write);
  const behind = given.filter(([name]) => !LEADING.includes(name)).map(write);
  return [time, level.padEnd(5), ...before, printable(message), ...behind].join(" ");
}

/** Quotes text that is not a single word. */
function quoted(text: string): string {
  return /^[\p{L}\p{N}_.:/@+[\]-]+$/u.test(text) ? text : JSON.stringify(text);
}

function renderJson({ time, level, message, fields }: LogEvent): string {
  return printableJson({ time, level, message, ...fields });
}

/** JSON on one line, with control characters escaped, so that it is safe on a terminal. */
export function printableJson(value: unknown): string {
  return escapeJson(JSON.stringify(value));
}

/** Escapes the control characters of JSON on one line, so that it is safe on a terminal. */
export function escapeJson(text: string): string {
  return text.replaceAll(UNPRINTABLE, escaped);
}

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
}

const encoder = new TextEncoder();

/** Events, and bytes of lines, per peer and window that are logged. */
const LIMITS = { events: 20, bytes: 16 * 1024 };

/** Milliseconds. */
const WINDOW = 1000;

/** Events and bytes that were logged of one peer within the current window. */
interface PeerWindow {
  events: number;
  bytes: number;
  suppressed: number;
  end: Disposable;
}

/** Limits of a {@linkcode LogQuota}. */
export interface LogQuotaOptions {
  /** Events of a peer in a window. @default 20 */
  events?: number;
  /** Bytes of its lines, which the last event may exceed. @default 16 KiB */
  bytes?: number;
  /** Milliseconds. @default 1000 */
  window?: number;
}

/** Rate-limits log lines per peer; suppressed events are summarised once a second. */
export class LogQuota implements Disposable {
  #logger: Logger;
  #limits: Required<LogQuotaOptions>;
  #peers = new Map<string, PeerWindow>();

  constructor(logger: Logger, options: LogQuotaOptions = {}) {
    this.#logger = logger;
    this.#limits = { ...LIMITS, window: WINDOW, ...options };
  }

  /**
   * Counts an event.
   *
   * @param peer its address without the port, which differs for each connection
   * @returns whether to log the event
   */
  take(peer: string): boolean {
    const window = this.#windowOf(peer);
    if (window.events < this.#limits.events && window.bytes < this.#limits.bytes) {
      window.events++;
      return true;
    }
    window.suppressed++;
    return false;
  }

  /** Creates a logger that counts the bytes of a peer's lines; those for debugging are free. */
  measure(peer: string, logger: Logger): Logger {
    return {
      log: (level, message, fields = {}) => {
        if (level !== "debug") {
          const line = JSON.stringify(shorten({ time: "", level, message, fields }));
          this.#windowOf(peer).bytes += encoder.encode(line).byteLength;
        }
        logger.log(level, message, fields);
      },
    };
  }

  /** Summarises the events suppressed so far. */
  [Symbol.dispose](): void {
    for (const peer of [...this.#peers.keys()]) this.#close(peer);
  }

  #windowOf(peer: string): PeerWindow {
    let window = this.#peers.get(peer);
    if (window === undefined) {
      const end = deadline(this.#limits.window, () => this.#close(peer));
      window = { events: 0, bytes: 0, suppressed: 0, end };
      this.#peers.set(peer, window);
    }
    return window;
  }

  #close(peer: string): void {
    const window = this.#peers.get(peer);
    if (window === undefined) return;
    this.#peers.delete(peer);
    window.end[Symbol.dispose]();
    const { suppressed } = window;
    if (suppressed === 0) return;
    this.#logger.log("warn", "further requests of this peer are not logged one by one", {
      peer,
      requests: suppressed,
    });
  }
}

/** Standard output or standard error. */
export interface TextSink {
  writeSync(bytes: Uint8Array): number;
}

/**
 * Writes all of a text to standard output.
 *
 * @throws {OutputClosedError} if its reader has closed it
 * @throws {Error} if the write fails otherwise
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

/** Writes text to standard error and ignores failures. */
export function tryPrint(sink: TextSink, text: string): void {
  try {
    print(sink, text);
  } catch {
    // There is nowhere left to report that standard error is closed or full.
  }
}
