/** Which of FFmpeg's complaints tells most. Pure. */
import { withoutPath } from "../sources/file/formats.ts";

/**
 * Lines that say only that something was said, or that FFmpeg gave up. The warning is of libgcrypt,
 * which it loads: containers may not lock memory. The rest are of FFmpeg 7.0 and later, whose
 * threads each tell that they end.
 */
const EMPTY_WORDS = new RegExp(
  `^(${
    [
      ...["Last message repeated \\d+ times", "Conversion failed!"],
      ...["Error marking filters as finished", "Warning: using insecure memory!"],
      "Error initializing output stream \\S+ --",
      ...["Error opening (in|out)put (file .*\\.|files: .*)", "Error selecting an encoder"],
      ...["Error sending frames to consumers: .*", "Could not open encoder before EOF"],
      ...["Task finished with error code: .*", "Terminating thread with return code .*"],
      ...["Error muxing a packet", "Nothing was written into output file, .*"],
    ].join("|")
  })$`,
);

/** Words that fit everything; what was said before them tells more. */
const COMMON_WORDS = new RegExp(
  `(^|: )(${
    [
      ...["Invalid data found when processing input", "Inappropriate ioctl for device"],
      ...["Invalid argument", "Input/output error", "End of file", "Function not implemented"],
      ...["(Option|Filter|Encoder|Decoder|Muxer|Demuxer) not found"],
    ].join("|")
  })$`,
);

/** Beginnings of lines that name a step which failed; why, was said before them. */
const FAILED_STEP = new RegExp(
  `^(${
    [
      ...["Error (initializing|applying|setting|parsing|processing|splitting) "],
      ...["Error while opening encoder", "Could not write header"],
    ].join("|")
  })`,
);

/** Which part of FFmpeg complains, and where in its memory that is: `[h264 @ 0x55d0c2]`. */
const SPEAKER = /^(\[[^\]@]* @ 0x[0-9a-f]+\] *)+/;

/** What FFmpeg 7.0 and later put in front of a reason; those before put the name alone. */
const OPENING = /^Error opening (input|output .*?): /;

/**
 * The lines of FFmpeg's standard error that say something, without who says them, spelled as
 * versions before 7.0 do.
 */
export function plainLines(stderr: string): string[] {
  return stderr.split("\n")
    .map((line) => line.trim().replace(SPEAKER, ""))
    .filter((line) => line !== "" && !EMPTY_WORDS.test(line))
    .map((line) => line.replace(OPENING, ""));
}

/**
 * The last complaint that says something, in one line and fit for a peer: where a file lies is for
 * this side only to know.
 *
 * @param stderr what FFmpeg wrote to its standard error
 * @param path of the file it was reading
 * @returns `undefined` if there is none
 */
export function stderrReason(stderr: string, path: string): string | undefined {
  const lines = plainLines(withoutPath(stderr, path));
  return lines.findLast((line) => !COMMON_WORDS.test(line) && !FAILED_STEP.test(line)) ??
    lines.at(-1);
}

/** A user and a password in front of a host. The part ends at the last `@` before a slash. */
const USER_AND_PASSWORD = /(\/\/[^/?#\s:@]*):[^/?#\s]*@/g;

/** Parts of a URL's query that are nobody's business. */
const SECRET_FIELDS =
  /([?&](?:pass(?:word|phrase|wd)?|pwd|token|key|api_?key|secret|sig(?:nature)?|auth)=)[^&\s"']*/gi;

/** Replaces the passwords of URLs in a text by `***`. */
export function hideSecrets(text: string): string {
  return text.replaceAll(USER_AND_PASSWORD, "$1:***@").replaceAll(SECRET_FIELDS, "$1***");
}
