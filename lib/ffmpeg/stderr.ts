/** Finds the reason of a failure in FFmpeg's standard error, and removes secrets from it. */
import { fileUrl, OPENED_PATH } from "./sandbox.ts";

/**
 * Lines without information: repetitions, and messages that FFmpeg gives up. The warning is of
 * libgcrypt in containers, which may not lock memory. Threads of FFmpeg 7.0 and later each report
 * their end.
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
      // Numbers of devices, and of hardware that leaves a stream to the processor.
      ...["Device creation failed: -?\\d+\\.", "Failed setup for format \\w+: hwaccel .*"],
      ...["Error muxing a packet", "Nothing was written into output file, .*"],
    ].join("|")
  })$`,
);

/** FFmpeg's reason for all content that it cannot read. */
export const INVALID_DATA = "Invalid data found when processing input";

/** Ends of lines with a generic reason; earlier lines are more specific. */
const COMMON_WORDS = new RegExp(
  `(^|: )(${
    [
      ...[INVALID_DATA, "Inappropriate ioctl for device"],
      ...["Invalid argument", "Input/output error", "End of file", "Function not implemented"],
      ...["(Option|Filter|Encoder|Decoder|Muxer|Demuxer) not found", "can't configure encoder"],
    ].join("|")
  })$`,
);

/** Beginnings of lines that name a failed step; earlier lines have the reason. */
const FAILED_STEP = new RegExp(
  `^(${
    [
      ...["Error (initializing|applying|setting|parsing|processing|splitting) "],
      ...["Error while opening encoder", "Could not write header"],
    ].join("|")
  })`,
);

/**
 * Component and address in front of a line: `[h264 @ 0x55d0c2]`, on Windows
 * `[h264 @ 000001d9b4d4a2c0]`.
 */
const COMPONENT = /^(\[[^\]@]* @ (0x)?[0-9a-f]+\] *)+/i;

/** Prefix of FFmpeg 7.0 and later in front of a reason; earlier versions write the name alone. */
const OPENING = /^Error opening (input|output .*?): /;

/** The informative lines of FFmpeg's standard error, in the wording of versions before 7.0. */
export function plainLines(stderr: string): string[] {
  return stderr.split("\n")
    .map((line) => line.trim().replace(COMPONENT, ""))
    .filter((line) => line !== "" && !EMPTY_WORDS.test(line))
    .map((line) => line.replace(OPENING, ""));
}

/**
 * The most informative line of FFmpeg's standard error, without the path of the file, so that it can
 * be sent to a peer.
 *
 * @param stderr FFmpeg's standard error
 * @param path of the file that FFmpeg reads; absent if it may be named
 * @returns `undefined` if there is none
 */
export function stderrReason(stderr: string, path?: string): string | undefined {
  const lines = plainLines(path === undefined ? stderr : withoutPath(stderr, path));
  return lines.findLast((line) => !COMMON_WORDS.test(line) && !FAILED_STEP.test(line)) ??
    lines.at(-1);
}

/** Removes a file's path from FFmpeg's messages. */
export function withoutPath(stderr: string, path: string): string {
  return [path, OPENED_PATH].reduce(
    (text, name) =>
      text.replaceAll(`${fileUrl(name)}: `, "").replaceAll(fileUrl(name), "the file")
        .replaceAll(name, "the file"),
    stderr,
  );
}

/** Query parameters of a URL that hold secrets. */
const SECRET_FIELDS =
  /([?&](?:pass(?:word|phrase|wd)?|pwd|token|key|api_?key|secret|sig(?:nature)?|auth)=)[^&\s"']*/gi;

/** User and password in front of a host. They end at the last `@` before a slash. */
const USER_AND_PASSWORD = /(\/\/[^/?#\s:@]*):[^/?#\s]*@/g;

/** Replaces the passwords of URLs by `***`. */
export function hideSecrets(text: string): string {
  return text.replaceAll(USER_AND_PASSWORD, "$1:***@").replaceAll(SECRET_FIELDS, "$1***");
}
