/** Evaluates samples of a server's resource usage. */

/** Resource usage of an idle server. */
export interface Sample {
  /** Seconds since the start. */
  at: number;
  /** Resident memory, bytes. */
  memory: number;
  /** Open descriptors. */
  descriptors: number;
  /** Child processes. */
  children: number;
}

/** Share of the samples ignored as warm-up: caches fill, code is compiled. */
const WARM_UP = 1 / 4;

/** Samples after warm-up that distinguish growth from noise. */
const MIN_SAMPLES = 6;

/** Allowed growth from the first to the last third, because garbage is collected late. */
const TOLERANCE = { bytes: 24 << 20, part: 0.1 };

/** The result. */
export interface Verdict {
  /** One line per value: before and after. */
  table: string[];
  /** One sentence per value that grew. */
  complaints: string[];
}

/**
 * Checks whether anything has grown.
 *
 * @param samples in order of time
 */
export function judge(samples: readonly Sample[]): Verdict {
  const [baseline] = samples;
  const last = samples.at(-1);
  if (baseline === undefined || last === undefined) {
    return { table: [], complaints: ["Nothing was measured: expected at least one sample"] };
  }
  const table = [
    `descriptors   ${baseline.descriptors} after the first round, ${last.descriptors} at the end`,
    `processes     ${baseline.children} after the first round, ${last.children} at the end`,
  ];
  const complaints: string[] = [];
  if (last.descriptors > baseline.descriptors) {
    complaints.push(`Descriptors grew from ${baseline.descriptors} to ${last.descriptors}`);
  }
  if (last.children > 0) complaints.push(`Processes are left: ${last.children}, expected none`);
  const memory = judgeMemory(samples.slice(Math.floor(samples.length * WARM_UP)));
  table.push(memory.line);
  if (memory.complaint !== undefined) complaints.push(memory.complaint);
  return { table, complaints };
}

function judgeMemory(samples: readonly Sample[]): { line: string; complaint?: string } {
  const values = samples.map(({ memory }) => memory);
  if (values.length < MIN_SAMPLES) {
    return {
      line: `memory        ${megabytes(values.at(-1) ?? 0)} (too short a time to judge)`,
    };
  }
  const third = Math.floor(values.length / 3);
  const before = median(values.slice(0, third));
  const after = median(values.slice(-third));
  const line = `memory        ${megabytes(before)} in the first third, ${
    megabytes(after)
  } in the last`;
  const allowed = Math.max(TOLERANCE.bytes, before * TOLERANCE.part);
  if (after - before <= allowed) return { line };
  return {
    line,
    complaint: `Memory grew by ${megabytes(after - before)}, expected ${
      megabytes(allowed)
    } at most`,
  };
}

/** Formats bytes for people. */
export function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
