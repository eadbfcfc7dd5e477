/** How far a transfer is, told in one line. Pure rendering, and who prints it. */
import type { Statistics } from "./statistics.ts";

/** Milliseconds between two renderings. */
const INTERVAL = 250;

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
  & Partial<Pick<Statistics, "dropped" | "latency">>;

/**
 * Renders the progress line.
 *
 * @param duration seconds of the whole, where known
 */
export function renderProgress(state: ProgressState, duration?: number): string {
  const { frames, bytes, seconds, position, framesPerSecond, hasPicture } = state;
  const { dropped = 0, latency } = state;
  const whole = duration === undefined ? "" : ` of ${formatTime(duration)}`;
  const rate = seconds > 0 ? bytes / seconds : 0;
  const parts = [
    ...(hasPicture ? [`frame ${frames}`] : []),
    `${formatTime(position)}${whole}`,
    ...(hasPicture ? [`${framesPerSecond.toFixed(1)} fps`] : []),
    `${formatBytes(rate)}/s`,
    ...(latency === undefined ? [] : [`latency ${Math.round(latency.p50)} ms`]),
    ...(dropped === 0 ? [] : [`${dropped} dropped`]),
  ];
  return parts.join("  ");
}

/** Where a progress line is drawn: a terminal. */
export interface ProgressOutput {
  write(text: string): void;
  /** Width in columns. */
  columns(): number;
}

/** Keeps one line of a terminal up to date, a few times a second. */
export class Progress {
  #output: ProgressOutput;
  #now: () => number;
  #drawn = -Infinity;
  #visible = false;

  /** @param now milliseconds since some fixed moment; never goes back */
  constructor(output: ProgressOutput, now: () => number = () => performance.now()) {
    this.#output = output;
    this.#now = now;
  }

  /** Draws the line anew, unless it was drawn just now. */
  update(state: ProgressState, duration?: number): void {
    if (this.#now() - this.#drawn < INTERVAL) return;
    this.#drawn = this.#now();
    this.#visible = true;
    const line = renderProgress(state, duration).slice(0, this.#output.columns() - 1);
    this.#output.write(`\r${line}\x1b[K`);
  }

  /** Wipes the line, so that what is printed next stands alone. */
  clear(): void {
    if (this.#visible) this.#output.write("\r\x1b[K");
    this.#visible = false;
  }
}
