/** The progress line: rendering, and drawing on a terminal. */
import type { Statistics } from "../../playback/statistics.ts";

/** Milliseconds between two draws. */
const INTERVAL = 250;

/** Renders a count: `1 frame`, `2 frames`. */
export function formatCount(number: number, unit: string): string {
  return `${number} ${unit}${number === 1 ? "" : "s"}`;
}

/** Renders a size: `1.4 MB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let step = 0;
  // A value that rounds to 1000 takes the next unit.
  for (; value >= 999.5 && step < units.length - 1; step++) value /= 1000;
  return `${step === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${units[step]}`;
}

/** Renders seconds: `01:02.3`, or `1:01:02.3` with hours. */
export function formatTime(seconds: number): string {
  const tenths = Math.round(seconds * 10);
  const hours = Math.floor(tenths / 36000);
  const minutes = String(Math.floor(tenths / 600) % 60).padStart(2, "0");
  const rest = (tenths % 600 / 10).toFixed(1).padStart(4, "0");
  return `${hours > 0 ? `${hours}:` : ""}${minutes}:${rest}`;
}

/** Renders a position: `00:12.3 of 01:02.0`, or without the duration if that is unknown. */
export function formatPosition(position: number, duration?: number): string {
  return `${formatTime(position)}${duration === undefined ? "" : ` of ${formatTime(duration)}`}`;
}

/** The values in a progress line. */
export type ProgressState =
  & Pick<
    Statistics,
    "frames" | "audioFrames" | "bytes" | "seconds" | "position" | "framesPerSecond" | "hasPicture"
  >
  & Partial<Pick<Statistics, "dropped" | "latency" | "recording" | "written">>
  & {
    /** Of what is published: how many watch it. */
    viewers?: number;
  };

/** Columns of a usual terminal, less one that stays free. */
const DEFAULT_WIDTH = 79;

/** Seconds before the remaining time is estimated. */
const SETTLING_TIME = 1;

/** A part of the line, and its rank in being dropped if the line is too long; 0 for never. */
type Part = readonly [text: string, rank: number];

/**
 * Renders the progress line.
 *
 * @param duration seconds of the whole, if known
 * @param width most characters
 */
export function renderProgress(
  state: ProgressState,
  duration?: number,
  { width = DEFAULT_WIDTH }: { width?: number } = {},
): string {
  const { frames, position, framesPerSecond, hasPicture } = state;
  const { dropped = 0, latency, recording = false, viewers } = state;
  const parts: Part[] = [
    ...(hasPicture ? [[`frame ${frames}`, 2] as const] : []),
    [formatPosition(position, duration), 0],
    ...(hasPicture ? [[`${framesPerSecond.toFixed(1)} fps`, 3] as const] : []),
    ...(recording ? recordingParts(state, duration) : [[`${rateOf(state)}/s`, 4] as const]),
    ...(viewers === undefined ? [] : [[formatCount(viewers, "viewer"), 0] as const]),
    ...(latency === undefined ? [] : [[`latency ${Math.round(latency.p50)} ms`, 0] as const]),
    ...(dropped === 0 ? [] : [[`${dropped} dropped`, 0] as const]),
  ];
  return fit(parts, width);
}

/** Size of the recording, its speed, and the remaining time. */
function recordingParts(
  { bytes, written, seconds, position, latency }: ProgressState,
  duration: number | undefined,
): Part[] {
  const size: Part = [formatBytes(written ?? bytes), 0];
  if (latency !== undefined || seconds < SETTLING_TIME || position <= 0) return [size];
  const speed = position / seconds;
  const left = duration === undefined ? undefined : Math.max(0, duration - position) / speed;
  return [
    size,
    [`${speed < 10 ? speed.toFixed(1) : Math.round(speed)}x`, 1],
    ...(left === undefined ? [] : [[`${formatRemaining(left)} left`, 0] as const]),
  ];
}

/** Renders seconds without tenths, rounded up. */
function formatRemaining(seconds: number): string {
  return formatTime(Math.ceil(seconds)).replace(/\.\d$/, "");
}

function rateOf({ bytes, seconds }: ProgressState): string {
  return formatBytes(seconds > 0 ? bytes / seconds : 0);
}

/** Joins the parts; as long as they are too long, drops the one of the lowest rank. */
function fit(parts: readonly Part[], width: number): string {
  const line = parts.map(([text]) => text).join("  ");
  const next = parts.filter(([, rank]) => rank > 0).toSorted((a, b) => a[1] - b[1]).at(0);
  if (line.length <= width || next === undefined) return line;
  return fit(parts.filter((part) => part !== next), width);
}

/** Draws a progress line: a terminal, or a sink that covers it. */
export interface ProgressOutput {
  /** Draws the line over the previous one. */
  draw(line: string): void;
  /** Most characters of a line. @default 79 */
  width?(): number;
  /** Clears the line, before other text is printed. */
  clear(): void;
}

/** Draws a progress line as the last line of a terminal. */
export function lineOutput(
  { write, columns }: { write: (text: string) => void; columns: () => number },
): ProgressOutput {
  return {
    // Text in the last column would wrap.
    width: () => columns() - 1,
    draw: (line) => write(`\r${line.slice(0, columns() - 1)}\x1b[K`),
    clear: () => write("\r\x1b[K"),
  };
}

/** Updates the progress line, a few times a second. */
export class Progress {
  #output: ProgressOutput;
  #now: () => number;
  #drawn = -Infinity;
  #visible = false;
  #line = "";
  #paused = false;

  /** @param now milliseconds of a clock that never goes back */
  constructor(output: ProgressOutput, now: () => number = () => performance.now()) {
    this.#output = output;
    this.#now = now;
  }

  /** Draws the line, unless it was drawn just now. */
  update(state: ProgressState, duration?: number): void {
    this.#line = renderProgress(state, duration, { width: this.#output.width?.() });
    if (this.#now() - this.#drawn < INTERVAL) return;
    this.#draw();
  }

  /** Shows whether the play is paused. */
  pause(paused: boolean): void {
    this.#paused = paused;
    this.#draw();
  }

  /** Clears the line, before other text is printed. */
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
