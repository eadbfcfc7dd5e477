/** The ways in which scripts send frames, one a row, and what of each has to arrive. */
import { assert, assertEquals, assertGreater } from "@std/assert";
import type { MediaFolder } from "../media/media_folder.ts";
import type { FrameSum } from "../media/reference.ts";
import {
  SCRIPT_FRAMES,
  SCRIPT_SIZE,
  type ScriptArray,
  sumsOfArrays,
  sumsOfJpegs,
} from "./sender_program.ts";

/** One way to send frames. */
export interface ScriptRow {
  /** Its name in the titles of tests. */
  name: string;
  /** The name of the format, as the programs print it and take it. */
  format: string;
  /** Arguments of `script_sender.py`. */
  args: readonly string[];
  /** Arrays that it sends; absent if it sends JPEGs. */
  array?: ScriptArray;
  /** A number and a text are around each image. */
  around?: "dict" | "tuple";
  /** The first bytes do not tell the format, so the user has to. */
  isTold?: boolean;
}

/**
 * A frame has arrived when the next one is sent. If a script closes while it is sent a word, as one
 * that is slow to begin may be, its system discards what has not arrived.
 */
const PACE = ["--fps", "20"];

/** Arguments of a script that sends a length and pickled arrays. */
export const PICKLES = ["--framing", "u64le", "--payload", "pickle", ...PACE];

/** Arguments of a script that sends a length and JPEGs. */
export const JPEGS = ["--framing", "u64le", "--payload", "jpeg", ...PACE];

const { width, height } = SCRIPT_SIZE;

/** Every framing with the payloads that scripts send in it, and every kind of array. */
export const SCRIPT_ROWS: readonly ScriptRow[] = [
  arrays("i32le", "uint8"),
  arrays("u64le", "uint8"),
  arrays("u64le", "uint16"),
  arrays("u64le", "float32"),
  arrays("u64le", "fortran"),
  arrays("u64le", "float32x3"),
  arrays("u64le", "uint16x4"),
  arrays("u32be", "gray"),
  arrays("u32be", "uint16x3"),
  arrays("ascii16", "bgra"),
  around("dict", arrays("u64le", "uint8")),
  jpegs("i32le", "jpeg"),
  jpegs("u64le", "jpeg"),
  jpegs("u32be", "jpeg"),
  jpegs("ascii16", "jpeg"),
  jpegs("none", "jpeg"),
  jpegs("u32be", "pickled-jpeg"),
  jpegs("u64le", "pickled-jpeg-bytes"),
  around("tuple", jpegs("u64le", "pickled-jpeg")),
  jpegs("ascii16", "base64"),
  jpegs("line", "base64"),
  arrays("u32be", "uint16", "npy"),
  arrays("none", "uint8", "npy"),
  {
    ...arrays("none", "uint8", "raw"),
    format: `none+raw:${width}x${height}:bgr24`,
    isTold: true,
  },
  {
    ...arrays("u64le", "gray", "raw"),
    format: `u64le+raw:${width}x${height}:gray`,
    isTold: true,
  },
];

/** Every framing once, without all kinds of arrays. */
export const FRAMING_ROWS: readonly ScriptRow[] = SCRIPT_ROWS.filter((row, at) =>
  !SCRIPT_ROWS.slice(0, at).some(({ format, around }) =>
    format === row.format && around === row.around
  )
);

/** The rows of each length, whose tests run at the same time. */
export function byLength(
  rows: readonly ScriptRow[],
): (readonly [length: string, rows: readonly ScriptRow[]])[] {
  const groups = Object.groupBy(rows, ({ format }) => format.split("+")[0]);
  return Object.entries(groups).map(([length, rows = []]) => [length, rows]);
}

/** What numpy 2 writes in another way: it names its module differently. */
export const NUMPY_2_ROWS: readonly ScriptRow[] = [
  arrays("u64le", "uint8"),
  arrays("i32le", "uint16"),
  arrays("u32be", "float32"),
  arrays("u64le", "fortran"),
  { ...arrays("u64le", "uint8"), args: [...PICKLES, "--protocol", "0"] },
  arrays("none", "uint16", "npy"),
];

/** Pickles as Python writes them when it is told the protocol, which changes every opcode. */
export const PICKLE_ROWS: readonly ScriptRow[] = [0, 1, 2, 3, 4, 5].map((protocol) => {
  const row = arrays("u64le", "uint8");
  return {
    ...row,
    name: `pickles of protocol ${protocol}`,
    args: [...row.args, "--protocol", String(protocol)],
  };
});

/** Checksums of the frames of a row, from what its script wrote to `folder`. */
export async function expectedSums({ array }: ScriptRow, folder: string): Promise<string[]> {
  return array === undefined ? await sumsOfJpegs(folder) : sumsOfArrays(array);
}

/** Arguments of the script of a row, which writes its JPEGs to a folder of its own. */
export async function argumentsOf(
  row: ScriptRow,
  media: MediaFolder,
): Promise<{ args: string[]; folder: string }> {
  const folder = await media.folder(crypto.randomUUID());
  return { args: [...row.args, "--save", folder], folder };
}

/** Checks what is around the images of a row, from what `--data` wrote. */
export async function assertData(path: string, { around }: ScriptRow): Promise<void> {
  const lines = (await Deno.readTextFile(path)).trim().split("\n");
  const expected = Array.from({ length: SCRIPT_FRAMES }, (_, number) => {
    const text = `frame ${number}, süd`;
    return around === "dict" ? { number, text } : [number, text];
  });
  assertEquals(lines.map((line) => JSON.parse(line).value), expected);
}

function arrays(framing: string, array: ScriptArray, payload = "pickle"): ScriptRow {
  const format = `${framing}+${payload}`;
  const args = ["--framing", framing, "--payload", payload, "--array", array, ...PACE];
  return { name: `${format} of ${array} arrays`, format, args, array };
}

function jpegs(framing: string, payload: string): ScriptRow {
  const format = `${framing}+${payload.replace("-bytes", "")}`;
  const args = ["--framing", framing, "--payload", payload, ...PACE];
  return { name: `${framing}+${payload}`, format, args };
}

/** What changes if each image is in a dict or a tuple. */
function around(kind: "dict" | "tuple", row: ScriptRow): ScriptRow {
  return {
    ...row,
    name: `${row.name} in a ${kind}`,
    args: [...row.args, "--around", kind],
    around: kind,
  };
}

/** Largest difference between when a script sent most frames and their times, seconds. */
const TOLERANCE = 0.35;

/**
 * Checks that frames have the times at which a script sent them, for most of them: a machine that
 * stands still delays some.
 */
export function assertRate(
  frames: readonly FrameSum[],
  moments: readonly number[],
  tolerance = TOLERANCE,
): void {
  const times = frames.map(({ time }) => {
    const [numerator, denominator] = time.split("/").map(Number);
    return numerator / denominator;
  });
  assertEquals(times.length, moments.length);
  assert(times.every((time, at) => at === 0 || time > times[at - 1]), times.join(" "));
  // Of half or twice the rate, less than half of the frames would pass.
  assertGreater((moments.at(-1) ?? 0) - moments[0], 5 * tolerance);
  const delays = times.map((time, at) => time - moments[at]).sort((a, b) => a - b);
  const usual = delays[Math.floor(delays.length / 2)];
  const near = delays.filter((delay) => Math.abs(delay - usual) < tolerance);
  assertGreater(near.length, delays.length / 2, `${times.join(" ")}, sent at ${moments.join(" ")}`);
}
