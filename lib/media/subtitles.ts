/** Subtitles: texts and when they are shown, the files that they are kept in, and their messages. */
import { FormatError } from "../base/errors.ts";

/** A text and when it is shown. */
export interface Cue {
  /** Seconds. */
  start: number;
  /** Seconds; not before `start`. */
  end: number;
  /** Plain text, of one or more lines. */
  text: string;
}

/** Adds a cue, unless it is there: after a reconnection some come again. */
export function addCue(cues: Cue[], { start, end, text }: Cue): void {
  const isKnown = cues.some((cue) => cue.start === start && cue.end === end && cue.text === text);
  if (!isKnown) cues.push({ start, end, text });
}

/** Cues on the timeline of the frames, which arrive in the order of their start. */
export class Cues {
  #cues: Cue[] = [];

  add(cue: Cue): void {
    addCue(this.#cues, cue);
  }

  /** Forgets all, for a seek. */
  clear(): void {
    this.#cues = [];
  }

  /** The text at a time, one line a cue; drops the cues that are over. */
  at(time: number): string {
    this.#cues = this.#cues.filter(({ end }) => end > time);
    return this.#cues.filter(({ start }) => start <= time).map(({ text }) => text).join("\n");
  }
}

/** Forms of files of subtitles. */
export const SUBTITLE_FORMS = ["srt", "vtt"] as const;

/** One of {@linkcode SUBTITLE_FORMS}. */
export type SubtitleForm = typeof SUBTITLE_FORMS[number];

/** A line with the times of a cue of SubRip: `00:01:02,500 --> 00:01:04,000`. */
const TIMES = /^(\d+):(\d\d):(\d\d)[,.](\d{3})\s+-->\s+(\d+):(\d\d):(\d\d)[,.](\d{3})/;

/**
 * Parses SubRip. Text in front of the first times, and cues without a text, are left out.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseSrt } from "./subtitles.ts";
 *
 * assertEquals(parseSrt("1\n00:00:01,500 --> 00:00:02,000\nGood\nmorning\n"), [
 *   { start: 1.5, end: 2, text: "Good\nmorning" },
 * ]);
 * ```
 */
export function parseSrt(text: string): Cue[] {
  const cues: (Cue & { lines: string[] })[] = [];
  for (const line of text.split(/\r\n|\r|\n/)) {
    const times = line.match(TIMES)?.slice(1).map(Number);
    if (times === undefined) {
      cues.at(-1)?.lines.push(line);
      continue;
    }
    // The line above is the number of the cue.
    const before = cues.at(-1);
    if (before !== undefined && /^\d+$/.test(before.lines.at(-1) ?? "")) before.lines.pop();
    cues.push({ start: secondsOf(times), end: secondsOf(times.slice(4)), text: "", lines: [] });
  }
  return cues
    .map(({ start, end, lines }) => ({
      start,
      end: Math.max(start, end),
      text: lines.join("\n").trim(),
    }))
    .filter(({ text }) => text !== "");
}

/** @param times hours, minutes, seconds and milliseconds */
function secondsOf([hours, minutes, seconds, milliseconds]: readonly number[]): number {
  return (hours * 3_600_000 + minutes * 60_000 + seconds * 1000 + milliseconds) / 1000;
}

/**
 * Formats cues as a file of SubRip or WebVTT. Times below 0 become 0.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { formatSubtitles } from "./subtitles.ts";
 *
 * const cues = [{ start: 1.5, end: 62, text: "Good morning" }];
 * assertEquals(formatSubtitles(cues, "srt"), "1\n00:00:01,500 --> 00:01:02,000\nGood morning\n\n");
 * ```
 */
export function formatSubtitles(cues: readonly Cue[], form: SubtitleForm): string {
  const isSrt = form === "srt";
  const separator = isSrt ? "," : ".";
  const body = cues.map(({ start, end, text }, at) => {
    const times = `${formatTime(start, separator)} --> ${formatTime(end, separator)}`;
    // An empty line would end the cue.
    const lines = text.split("\n").filter((line) => line.trim() !== "");
    const shown = (isSrt ? lines : lines.map(escapeVtt)).join("\n");
    return `${isSrt ? `${at + 1}\n` : ""}${times}\n${shown}\n\n`;
  });
  return `${isSrt ? "" : "WEBVTT\n\n"}${body.join("")}`;
}

function formatTime(seconds: number, separator: string): string {
  const total = Math.max(0, Math.round(seconds * 1000));
  const pad = (value: number, digits = 2) => String(Math.floor(value)).padStart(digits, "0");
  const clock = [pad(total / 3_600_000), pad(total / 60_000 % 60), pad(total / 1000 % 60)];
  return `${clock.join(":")}${separator}${pad(total % 1000, 3)}`;
}

/** Escapes what WebVTT takes for tags and times (W3C WebVTT, "cue text"). */
function escapeVtt(line: string): string {
  return line.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** Characters of a text in a message. */
const MAX_TEXT = 65_536;

/**
 * Encodes a text as a message of a data stream.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { encodeCue, parseCue } from "./subtitles.ts";
 *
 * const cue = { start: 1.5, end: 2, text: "Good morning" };
 * assertEquals(parseCue(encodeCue(cue)), cue);
 * ```
 */
export function encodeCue({ start, end, text }: Cue): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify({ start, end, text }));
}

/**
 * Parses a message of a data stream that is a text.
 *
 * @throws {FormatError} for anything malformed
 */
export function parseCue(message: Uint8Array): Cue {
  try {
    const { start, end, text } = JSON.parse(new TextDecoder().decode(message)) ?? {};
    const isTimed = Number.isFinite(start) && Number.isFinite(end) && end >= start;
    if (isTimed && typeof text === "string" && text.length <= MAX_TEXT) return { start, end, text };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new FormatError("Cannot read a subtitle: expected JSON with start, end and text");
}
