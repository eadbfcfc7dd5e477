/** What many looks at a server say together. Pure. */

/** A look at a server on which nobody is. */
export interface Sample {
  /** Seconds since the beginning. */
  at: number;
  /** Bytes of memory that are resident. */
  memory: number;
  /** Open descriptors. */
  descriptors: number;
  /** Processes that it has started and that are there. */
  children: number;
}

/** The part of the looks that is left to warm up: caches fill, code is compiled. */
const WARM_UP = 1 / 4;

/** Looks that it takes to tell growth from chance, after warming up. */
const ENOUGH = 6;

/** Memory by which the last third may be above the first: what is collected is collected later. */
const TOLERANCE = { bytes: 24 << 20, part: 0.1 };

/** What the looks come to. */
export interface Verdict {
  /** One line for each number: what it was, and what it is. */
  table: string[];
  /** One sentence for whatever grew; empty where all is well. */
  complaints: string[];
}

/**
 * Tells whether anything has grown.
 *
 * @param samples in their order
 */
export function judge(samples: readonly Sample[]): Verdict {
  const [baseline] = samples;
  const last = samples.at(-1);
  if (baseline === undefined || last === undefined) {
    return { table: [], complaints: ["Nothing was measured: expected one look at least"] };
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
  if (values.length < ENOUGH) {
    return {
      line: `memory        ${megabytes(values.at(-1) ?? 0)} (too short a time to judge it)`,
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

/** Bytes, for people. */
export function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
