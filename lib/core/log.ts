/** Levels from the quietest to the most talkative. */
export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;

/** One of {@linkcode LOG_LEVELS}. */
export type LogLevel = typeof LOG_LEVELS[number];

/** Where events are told: one method, passed to whoever has something to tell. */
export interface Logger {
  log(level: LogLevel, message: string): void;
}

/** Options of {@linkcode createLogger}. */
export interface LoggerOptions {
  /** Messages below this level are dropped. */
  level: LogLevel;
  /** Takes one line, its end of line included. */
  write: (line: string) => void;
  /** The time stamped on each line. */
  now?: () => Date;
}

/** Makes a logger that writes one line an event: time, level, message. */
export function createLogger({ level, write, now = () => new Date() }: LoggerOptions): Logger {
  const threshold = LOG_LEVELS.indexOf(level);
  return {
    log(messageLevel, message) {
      if (LOG_LEVELS.indexOf(messageLevel) > threshold) return;
      const line = `${now().toISOString()} ${messageLevel.padEnd(5)} ${printable(message)}\n`;
      try {
        write(line);
      } catch {
        // Nobody reads the log any more. That is no reason to stop working.
      }
    },
  };
}

/** Makes a logger whose every message begins with `prefix`, such as a peer's address. */
export function withPrefix(logger: Logger, prefix: string): Logger {
  return { log: (level, message) => logger.log(level, `${prefix} ${message}`) };
}

/** Keeps a peer's bytes from moving the cursor or forging a line: control characters become `?`. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, "?");
}
