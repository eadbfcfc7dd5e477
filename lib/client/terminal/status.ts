/** Texts for the user: messages during a play, and notices. */
import { printable } from "../../base/log.ts";
import type { Encoding } from "../../media/frame.ts";
import type { Notice } from "../../protocol/native/response.ts";
import type { Sink } from "../../sinks/sink.ts";
import type { Environment } from "./environment.ts";
import { formatBytes, lineOutput, Progress } from "./progress.ts";

/** Lines of `--explain` that are kept while a sink covers the terminal. */
const MAX_EXPLAINED = 1000;

/**
 * Messages and progress for the user during a play: on standard error, or on a sink that covers the
 * terminal, and then again on standard error once the sink has ended.
 */
export class Messages {
  #environment: Pick<Environment, "printError" | "terminalSize" | "stderrIsTerminal">;
  #sink: Sink | undefined;
  /** Lines that only the sink has shown. */
  #shown: string[] = [];
  /** Lines of `--explain` to print when the sink has ended. */
  #explained: string[] = [];
  #progress: Progress | undefined;

  constructor(environment: Pick<Environment, "printError" | "terminalSize" | "stderrIsTerminal">) {
    this.#environment = environment;
  }

  /** The progress line; `undefined` if there is no terminal to draw it on. */
  get progress(): Progress | undefined {
    return this.#progress;
  }

  /** Finds the sink that covers the terminal, and starts the progress line. */
  attach(sinks: readonly Sink[]): void {
    const { stderrIsTerminal, printError, terminalSize } = this.#environment;
    const sink = sinks.find(({ showStatus }) => showStatus !== undefined);
    this.#sink = sink;
    if (sink !== undefined) {
      this.#progress = new Progress({ draw: (line) => sink.showStatus?.(line), clear() {} });
    } else if (stderrIsTerminal) {
      const columns = () => terminalSize().columns;
      this.#progress = new Progress(lineOutput({ write: printError, columns }));
    }
  }

  /** Shows a line, if there is one. */
  notify(line: string | undefined): void {
    if (line === undefined) return;
    if (this.#sink?.notify === undefined) {
      this.#progress?.clear();
      return this.#print(line);
    }
    this.#sink.notify(printable(line));
    this.#shown.push(line);
  }

  /**
   * Prints a line of `--explain`. If a sink covers the terminal that it would be printed on, the
   * newest are kept until {@linkcode Messages.flush}.
   */
  explain(line: string): void {
    if (this.#sink !== undefined && this.#environment.stderrIsTerminal) {
      this.#explained.push(line);
      if (this.#explained.length > MAX_EXPLAINED) this.#explained.shift();
      return;
    }
    this.#progress?.clear();
    this.#print(line);
  }

  /** Shows whether the play is paused. */
  pause(paused: boolean): void {
    this.#progress?.pause(paused);
  }

  /** Prints the lines that were shown on a screen that is gone. */
  flush(): void {
    this.#explained.splice(0).forEach((line) => this.#print(line));
    this.#shown.splice(0).forEach((line) => this.#print(line));
  }

  #print(line: string): void {
    this.#environment.printError(`${printable(line)}\n`);
  }
}

/** Options of {@linkcode describeNotice}. */
export interface NoticeOptions {
  encoding: Encoding;
  /** Media is recorded, and not shown. */
  recording: boolean;
}

/** The text of a notice; `undefined` if the progress line shows it. */
export function describeNotice(notice: Notice, options: NoticeOptions): string | undefined {
  if (notice.code === "dropped") return undefined;
  if (notice.code === "slow_link") return describeSlowConnection(notice, options);
  return notice.message || notice.code;
}

function describeSlowConnection(
  { message, needed, achieved }: Notice,
  options: NoticeOptions,
): string {
  const text = needed === undefined || achieved === undefined
    ? message || "The link is too slow"
    : `The link is too slow: ${formatBytes(needed)}/s needed, ${formatBytes(achieved)}/s achieved`;
  return `${text}; try ${adviceFor(options)}`;
}

/** The flags that reduce the bit rate. */
function adviceFor({ encoding, recording }: NoticeOptions): string {
  switch (encoding) {
    case "raw":
      return recording ? "--encoding copy, or --encoding h264" : "--encoding h264, or --size";
    case "mjpeg":
      return "--encoding h264, or a lower --quality";
    case "copy":
      return "--encoding h264 with --bitrate or --size";
    case "h264":
      return "a lower --bitrate, or --size";
  }
}
