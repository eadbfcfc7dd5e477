/** How far a transfer is, told in one line. Pure rendering, and who prints it. */
import type { Statistics } from "../playback/statistics.ts";

/** Milliseconds between two renderings. */
const INTERVAL = 250;

/** Renders a number of things: `1 frame`, `2 frames`. */
export function formatCount(number: number, unit: string): string {
  return `${number} ${unit}${number === 1 ? "" : "s"}`;
}

/** Renders bytes with a unit: `1.4 MB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let step = 0;
  // What would be rounded to 1000 has the next unit.
  for (; value >= 999.5 && step < units.length - 1; step++) value /= 1000;
  return `${step === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${units[step]}`;
}

/** Renders seconds: `01:02.3`, with hours where there are any. */
export function formatTime(seconds: number): string {
  const tenths = Math.round(seconds * 10);
  const hours = Math.floor(tenths / 36000);
  const minutes = String(Math.floor(tenths / 600) % 60).padStart(2, "0");
  const rest = (tenths % 600 / 10).toFixed(1).padStart(4, "0");
  return `${hours > 0 ? `${hours}:` : ""}${minutes}:${rest}`;
}

/** What a progress line tells. */
export type ProgressState =
  & Pick<
    Statistics,
    "frames" | "audioFrames" | "bytes" | "seconds" | "position" | "framesPerSecond" | "hasPicture"
  >
  & Partial<Pick<Statistics, "dropped" | "latency" | "recording" | "written">>;

/** Columns of a terminal that is no wider than most; the last one stays free. */
const USUAL_WIDTH = 79;

/** Seconds that have to pass before the rest can be estimated. */
const SETTLING = 1;

/** A part of the line, and how soon it gives way where the line is too long: 0 for never. */
type Part = readonly [text: string, giveWay: number];

/**
 * Renders the progress line.
 *
 * @param duration seconds of the whole, where known
 * @param width characters that it may have
 */
export function renderProgress(
  state: ProgressState,
  duration?: number,
  { width = USUAL_WIDTH }: { width?: number } = {},
): string {
  const { frames, position, framesPerSecond, hasPicture } = state;
  const { dropped = 0, latency, recording = false } = state;
  const whole = duration === undefined ? "" : ` of ${formatTime(duration)}`;
  const parts: Part[] = [
    ...(hasPicture ? [[`frame ${frames}`, 2] as const] : []),
    [`${formatTime(position)}${whole}`, 0],
    ...(hasPicture ? [[`${framesPerSecond.toFixed(1)} fps`, 3] as const] : []),
    ...(recording ? recordingParts(state, duration) : [[`${rateOf(state)}/s`, 4] as const]),
    ...(latency === undefined ? [] : [[`latency ${Math.round(latency.p50)} ms`, 0] as const]),
    ...(dropped === 0 ? [] : [[`${dropped} dropped`, 0] as const]),
  ];
  return fitted(parts, width);
}

/** What has been written, how fast that goes, and how long it will still take. */
function recordingParts(
  { bytes, written, seconds, position, latency }: ProgressState,
  duration: number | undefined,
): Part[] {
  const size: Part = [formatBytes(written ?? bytes), 0];
  if (latency !== undefined || seconds < SETTLING || position <= 0) return [size];
  const speed = position / seconds;
  const left = duration === undefined ? undefined : Math.max(0, duration - position) / speed;
  return [
    size,
    [`${speed < 10 ? speed.toFixed(1) : Math.round(speed)}x`, 1],
    ...(left === undefined ? [] : [[`${formatLeft(left)} left`, 0] as const]),
  ];
}

/** Renders seconds without tenths, rounded up: what is left is never nothing. */
function formatLeft(seconds: number): string {
  return formatTime(Math.ceil(seconds)).replace(/\.\d$/, "");
}

function rateOf({ bytes, seconds }: ProgressState): string {
  return formatBytes(seconds > 0 ? bytes / seconds : 0);
}

/** The parts in one line; where they do not fit, some give way, one after the other. */
function fitted(parts: readonly Part[], width: number): string {
  const line = parts.map(([text]) => text).join("  ");
  const next = parts.filter(([, giveWay]) => giveWay > 0).toSorted((a, b) => a[1] - b[1]).at(0);
  if (line.length <= width || next === undefined) return line;
  return fitted(parts.filter((part) => part !== next), width);
}

/** Where a progress line is drawn: a terminal, or a viewer that has it. */
export interface ProgressOutput {
  /** Draws the line in the place of the one before. */
  draw(line: string): void;
  /** Characters that a line may have; as on most terminals where absent. */
  width?(): number;
  /** Wipes the line, so that what is printed next stands alone. */
  clear(): void;
}

/** Draws a progress line on a terminal, where it stays the last line. */
export function lineOutput(
  { write, columns }: { write: (text: string) => void; columns: () => number },
): ProgressOutput {
  return {
    // The last column stays free.
    width: () => columns() - 1,
    draw: (line) => write(`\r${line.slice(0, columns() - 1)}\x1b[K`),
    clear: () => write("\r\x1b[K"),
  };
}

/** Keeps one line up to date, a few times a second. */
export class Progress {
  #output: ProgressOutput;
  #now: () => number;
  #drawn = -Infinity;
  #visible = false;
  #line = "";
  #paused = false;

  /** @param now milliseconds since some fixed moment; never goes back */
  constructor(output: ProgressOutput, now: () => number = () => performance.now()) {
    this.#output = output;
    this.#now = now;
  }

  /** Draws the line anew, unless it was drawn just now. */
  update(state: ProgressState, duration?: number): void {
    this.#line = renderProgress(state, duration, { width: this.#output.width?.() });
    if (this.#now() - this.#drawn < INTERVAL) return;
    this.#draw();
  }

  /** Says that it pauses, or goes on. */
  pause(paused: boolean): void {
    this.#paused = paused;
    this.#draw();
  }

  /** Wipes the line, so that what is printed next stands alone. */
  clear(): void {
    if (this.#visible) this.#output.clear();
    this.#visible = false;
  }

  #draw(): void {
    this.#drawn = this.#now();
    this.#visible = true;
    this.#output.draw(this.#paused ? `${this.#line}  paused` : this.#line);
  }
}
