/** Which of FFmpeg's complaints tells most. Pure. */
import { withoutPath } from "./file_input.ts";

/**
 * Lines that say only that something was said, or that FFmpeg gave up. The last is of libgcrypt,
 * which it loads: containers may not lock memory.
 */
const EMPTY_WORDS = new RegExp(
  "^(Last message repeated \\d+ times|Conversion failed!|Error marking filters as finished|" +
    "Warning: using insecure memory!)$",
);

/** Words that fit everything; what was said before them tells more. */
const COMMON_WORDS =
  /(^|: )(Invalid data found when processing input|Inappropriate ioctl for device)$/;

/** Which part of FFmpeg complains, and where in its memory that is: `[h264 @ 0x55d0c2]`. */
const SPEAKER = /^(\[[^\]@]* @ 0x[0-9a-f]+\] )+/;

/**
 * The last complaint that says something, in one line and fit for a peer: where a file lies is for
 * this side only to know.
 *
 * @param stderr what FFmpeg wrote to its standard error
 * @param path of the file it was reading
 * @returns `undefined` where there is none
 */
export function lastWords(stderr: string, path: string): string | undefined {
  const lines = withoutPath(stderr, path)
    .split("\n")
    .map((line) => line.trim().replace(SPEAKER, ""))
    .filter((line) => line !== "" && !EMPTY_WORDS.test(line));
  return lines.findLast((line) => !COMMON_WORDS.test(line)) ?? lines.at(-1);
}
