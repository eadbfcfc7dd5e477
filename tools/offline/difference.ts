/** Maximum number of lines for the exact method, whose cost is quadratic. */
const MOST_LINES = 1500;

/** Lines shown on each side of a change. */
const CONTEXT = 3;

/** Maximum number of lines shown. */
const MOST_SHOWN = 120;

/** Formats a value for a failure message: on several lines if it is large, with sorted keys. */
export function format(value: unknown): string {
  return Deno.inspect(value, {
    depth: Infinity,
    sorted: true,
    trailingComma: true,
    compact: false,
    iterableLimit: Infinity,
    getters: true,
    strAbbreviateSize: Infinity,
  });
}

/**
 * Shows how two values differ, line by line: `-` is found only in the actual value, `+` only in the
 * expected one.
 */
export function describeDifference(actual: unknown, expected: unknown): string {
  const [before, after] = typeof actual === "string" && typeof expected === "string"
    ? [quoteLines(actual), quoteLines(expected)]
    : [format(actual).split("\n"), format(expected).split("\n")];
  const all = shorten(diffLines(before, after));
  const lines = all.slice(0, MOST_SHOWN);
  if (lines.length < all.length) lines.push(`    … ${all.length - lines.length} more lines`);
  return `\n    [Diff] Actual / Expected\n\n${lines.map((line) => `    ${line}`).join("\n")}\n`;
}

/** Lines of a text, with invisible characters escaped. */
function quoteLines(text: string): string[] {
  return text.split(/(?<=\n)/).map((line) => JSON.stringify(line).slice(1, -1));
}

function diffLines(before: string[], after: string[]): string[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head++;
  let tail = 0;
  const most = Math.min(before.length, after.length) - head;
  while (tail < most && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  const same = (line: string) => `    ${line}`;
  return [
    ...before.slice(0, head).map(same),
    ...diffMiddle(
      before.slice(head, before.length - tail),
      after.slice(head, after.length - tail),
    ),
    ...before.slice(before.length - tail).map(same),
  ];
}

/** By longest common subsequence; past the limit, all of one side and then all of the other. */
function diffMiddle(before: string[], after: string[]): string[] {
  if (before.length > MOST_LINES || after.length > MOST_LINES) {
    return [...before.map((line) => `-   ${line}`), ...after.map((line) => `+   ${line}`)];
  }
  const width = after.length + 1;
  const lengths = new Uint16Array((before.length + 1) * width);
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      lengths[i * width + j] = before[i] === after[j]
        ? lengths[(i + 1) * width + j + 1] + 1
        : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    }
  }
  const lines: string[] = [];
  let i = 0;
  let j = 0;
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      lines.push(`    ${before[i++]}`);
      j++;
    } else if (
      j === after.length ||
      (i < before.length && lengths[(i + 1) * width + j] >= lengths[i * width + j + 1])
    ) {
      lines.push(`-   ${before[i++]}`);
    } else {
      lines.push(`+   ${after[j++]}`);
    }
  }
  return lines;
}

/** Removes lines that are far from any change. */
function shorten(lines: string[]): string[] {
  const near = new Set<number>();
  for (const [at, line] of lines.entries()) {
    if (line.startsWith(" ")) continue;
    for (let other = at - CONTEXT; other <= at + CONTEXT; other++) near.add(other);
  }
  const kept: string[] = [];
  let left = 0;
  for (const [at, line] of [...lines, undefined].entries()) {
    if (line !== undefined && !near.has(at)) {
      left++;
      continue;
    }
    if (left > 0) kept.push(`    … ${left} equal lines`);
    left = 0;
    if (line !== undefined) kept.push(line);
  }
  return kept;
}
