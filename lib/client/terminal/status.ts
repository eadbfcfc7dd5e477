import { printable } from "../../base/log.ts";
import type { Encoding } from "../../media/frame.ts";
import type { ListEntry, Notice } from "../../protocol/native/response.ts";
import type { Sink } from "../../sinks/sink.ts";
import type { Environment } from "./environment.ts";
import { formatBytes, formatTime, lineOutput, Progress } from "./progress.ts";

/** Where a run tells how it goes. */
export interface MessagesContext {
  environment: Pick<
    Environment,
    "printError" | "terminalSize" | "stderrIsTerminal" | "stdoutIsTerminal"
  >;
}

/**
 * What the user reads while something is played: on standard error, or, where a sink has the
 * terminal to itself, on that, and on standard error afterwards.
 */
export class Messages {
  #context: MessagesContext;
  #sink: Sink | undefined;
  #told: string[] = [];
  #progress: Progress | undefined;

  constructor(context: MessagesContext) {
    this.#context = context;
  }

  /** The line that tells how far it is, where somebody can see one. */
  get progress(): Progress | undefined {
    return this.#progress;
  }

  /** Finds out which of the viewers has the terminal. */
  attach(sinks: readonly Sink[]): void {
    const { stderrIsTerminal, printError, terminalSize } = this.#context.environment;
    const sink = sinks.find(({ showStatus }) => showStatus !== undefined);
    this.#sink = sink;
    if (sink !== undefined) {
      this.#progress = new Progress({ draw: (line) => sink.showStatus?.(line), clear() {} });
    } else if (stderrIsTerminal) {
      const columns = () => terminalSize().columns;
      this.#progress = new Progress(lineOutput({ write: printError, columns }));
    }
  }

  /** Tells a line; nothing where there is none. */
  tell(line: string | undefined): void {
    if (line === undefined) return;
    if (this.#sink?.notify === undefined) {
      this.#progress?.clear();
      return this.#say(line);
    }
    this.#sink.notify(printable(line));
    this.#told.push(line);
  }

  /** Tells that it pauses, or goes on. */
  pause(paused: boolean): void {
    this.#progress?.pause(paused);
  }

  /** Tells again what stood on a screen that is gone. */
  end(): void {
    this.#told.splice(0).forEach((line) => this.#say(line));
  }

  #say(line: string): void {
    this.#context.environment.printError(`${printable(line)}\n`);
  }
}

/** What was asked for, as far as it decides what helps. */
export interface Asked {
  encoding: Encoding;
  /** It is written to a file, and not looked at. */
  recording: boolean;
}

/** What a notice says to the user; `undefined` where the progress line tells it. */
export function describeNotice(notice: Notice, asked: Asked): string | undefined {
  if (notice.code === "dropped") return undefined;
  if (notice.code === "slow_link") return describeSlowConnection(notice, asked);
  return notice.message || notice.code;
}

function describeSlowConnection({ message, needed, achieved }: Notice, asked: Asked): string {
  const said = needed === undefined || achieved === undefined
    ? message || "The link is too slow"
    : `The link is too slow: ${formatBytes(needed)}/s needed, ${formatBytes(achieved)}/s achieved`;
  return `${said}; try ${helpFor(asked)}`;
}

/** The flags that take less of the link. */
function helpFor({ encoding, recording }: Asked): string {
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

/** Renders the list of media as columns: name, kind, size, duration, codec, and the picture's size. */
export function renderList(entries: readonly ListEntry[]): string {
  if (entries.length === 0) return "The server has no media\n";
  const rows = [
    ["NAME", "KIND", "SIZE", "DURATION", "CODEC", "PICTURE"],
    ...entries.map((entry) => [
      printable(entry.name),
      entry.live ? `${entry.kind}, live` : entry.kind,
      entry.live ? "-" : formatBytes(entry.size),
      entry.live || entry.duration === undefined ? "-" : formatTime(entry.duration),
      printable(entry.codec) || "-",
      entry.width === undefined ? "-" : `${entry.width}x${entry.height}`,
    ]),
  ];
  const widths = rows[0].map((_, column) =>
    Math.max(...rows.map((row) => [...row[column]].length))
  );
  const lines = rows.map((row) =>
    row.map((cell, column) => cell + " ".repeat(widths[column] - [...cell].length)).join("  ")
      .trimEnd()
  );
  return `${lines.join("\n")}\n`;
}
