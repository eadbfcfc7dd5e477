import { assertEquals } from "@std/assert";
import { ProcessError } from "../../lib/base/errors.ts";
import { hideSecrets, stderrReason, withoutPath } from "../../lib/ffmpeg/stderr.ts";
import { reasonOf } from "../../lib/sinks/ffmpeg_process.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("stderrReason() returns the last complaint without its component", () => {
  const stderr = "[h264 @ 0x55cd2b2ebcc0] one\n[mov,mp4 @ 0x1f] [hevc @ 0x2] moov atom not found\n";
  assertEquals(stderrReason(stderr, "/a"), "moov atom not found");
  assertEquals(stderrReason("[h264 @ 0x55cd2b2ebcc0] one", "/a"), "one");
});

pureTest("stderrReason() reads the addresses that FFmpeg writes on Windows", () => {
  const stderr = "[mov,mp4 @ 000001d9b4d4a2c0] moov atom not found\r\n" +
    "[in#0 @ 000001D9B4D4A2C0] Error opening input: Invalid data found when processing input\r\n" +
    "Error opening input file file:/a.\r\n";
  assertEquals(stderrReason(stderr, "/a"), "moov atom not found");
});

pureTest("stderrReason() passes over lines that say nothing", () => {
  const stderr = "Decoder (codec av1) not found\n    Last message repeated 2 times\n" +
    "Error marking filters as finished\nConversion failed!\n\n";
  assertEquals(stderrReason(stderr, "/a"), "Decoder (codec av1) not found");
});

pureTest("stderrReason() prefers a reason to words that fit everything", () => {
  const stderr =
    "[mov @ 0x1f] moov atom not found\nfile:/a: Invalid data found when processing input";
  assertEquals(stderrReason(stderr, "/a"), "moov atom not found");
  const alone = "Error while decoding stream #0:0: Invalid data found when processing input";
  assertEquals(stderrReason(alone, "/a"), alone);
  const port =
    "[udp @ 0x5f] bind failed: Address already in use\nudp://:9: Inappropriate ioctl for device";
  assertEquals(stderrReason(port, "/a"), "bind failed: Address already in use");
});

pureTest("stderrReason() returns nothing for an empty text", () => {
  assertEquals(stderrReason("", "/a"), undefined);
  assertEquals(stderrReason("\n Conversion failed!\n", "/a"), undefined);
  assertEquals(stderrReason("Warning: using insecure memory!\n", "/a"), undefined);
});

pureTest("stderrReason() hides the path of the file", () => {
  const path = "/home/me/films/a.mp4";
  assertEquals(stderrReason(`file:${path}: Invalid data found`, path), "Invalid data found");
  const said = stderrReason(`Cannot open file:${path} or ${path}`, path);
  assertEquals(said, "Cannot open the file or the file");
});

/** What FFmpeg wrote to its standard error, by what was wrong; see the folder `stderr`. */
function readFailures(version: string): Map<string, string> {
  const url = new URL(`stderr/ffmpeg_${version}.txt`, import.meta.url);
  const parts = Deno.readTextFileSync(url).split(/^### /m).slice(1);
  return new Map(parts.map((part) => {
    const end = part.indexOf("\n");
    return [part.slice(0, end), part.slice(end + 1)];
  }));
}

const VERSIONS = ["5.1", "7.1", "9.0"];

/** Reasons of failed inputs, one for all versions, or those of 5.1, 7.1 and 9.0. */
const INPUT_REASONS: Record<string, string | readonly string[]> = {
  "no file": "No such file or directory",
  "not media": [
    "moov atom not found",
    "Invalid data found when processing input",
    "moov atom not found",
  ],
  "cut off": "error reading header",
  "refused address": "Connection refused",
  "unknown host": "Failed to resolve hostname no.such.host.invalid: Name or service not known",
  "HTTP 404": "Server returned 404 Not Found",
  "HTTP 401": "Server returned 401 Unauthorized (authorization failed)",
  "unknown format": "Unknown input format: 'nosuch'",
  "unknown option of a generator": [
    "Option 'nosuch' not found",
    ...Array(2).fill("Could not set non-existent option 'nosuch' to value '1'"),
  ],
  "wrong value of a generator": [
    ...Array(2).fill('Unable to parse option value "foo" as image size'),
    'Unable to parse "size" option value "foo" as image size',
  ],
  "no device": "No such file or directory",
  "no screen": "Cannot open display :77, error 1.",
  "unknown encoder": "Unknown encoder 'nosuch'",
  "wrong value of an encoder": "x264 [error]: invalid preset 'nosuch'",
};

/** The same of outputs, of which the first complaint is told. */
const OUTPUT_REASONS: Record<string, string | readonly string[]> = {
  "unknown encoder": "Unknown encoder 'nosuch'",
  "unknown option": "Unrecognized option 'nosuch'.",
  "wrong value of an encoder": "x264 [error]: invalid preset 'nosuch'",
  "no folder": "No such file or directory",
  "full disk": [
    "Error writing trailer of /dev/full: No space left on device",
    ...Array(2).fill("Error writing trailer: No space left on device"),
  ],
  "full disk at once": [
    "Could not write header for output file #0 (incorrect codec parameters ?): " +
    "No space left on device",
    ...Array(2).fill(
      "Could not write header (incorrect codec parameters ?): No space left on device",
    ),
  ],
  "refused output": "Connection to tcp://127.0.0.1:9?tcp_nodelay=0 failed: Connection refused",
  "nothing for the output": "this type stores none of the streams, expected one for audio or video",
  "codec that does not fit": "Video codec prores not compatible with flv",
};

/** FFmpeg before 7.0 puts the name in front, which callers take away. */
function withoutName(reason = ""): string {
  return reason.replace(/^(file:|https?:|tcp:|\/)\S*: /, "");
}

for (const [at, version] of VERSIONS.entries()) {
  const path = new URL("stderr", import.meta.url).pathname;
  const permissions = { read: [path] };
  const expectedOf = (reason: string | readonly string[]) =>
    typeof reason === "string" ? reason : reason[at];

  Deno.test({
    name: `stderrReason() finds the reason in what FFmpeg ${version} says`,
    permissions,
    fn() {
      const failures = readFailures(version);
      for (const [kind, reason] of Object.entries(INPUT_REASONS)) {
        const said = stderrReason(failures.get(kind) ?? "", "/nowhere");
        assertEquals(withoutName(said), expectedOf(reason), kind);
      }
    },
  });

  Deno.test({
    name: `reasonOf() finds the reason in what FFmpeg ${version} says`,
    permissions,
    fn() {
      const failures = readFailures(version);
      for (const [kind, reason] of Object.entries(OUTPUT_REASONS)) {
        const stderr = failures.get(kind) ?? "";
        const said = reasonOf(new ProcessError("ffmpeg", { code: 1, signal: null, stderr }));
        assertEquals(withoutName(said), expectedOf(reason), kind);
      }
    },
  });
}

pureTest("stderrReason() gives words that say little if there are no others", () => {
  const stderr = "[vf#0:0 @ 0x1] Task finished with error code: -22 (Invalid argument)\n" +
    "[out#0/nut @ 0x2] Could not write header (incorrect codec parameters ?): Broken pipe\n" +
    "Error opening output files: Invalid argument\n";
  const said = "Could not write header (incorrect codec parameters ?): Broken pipe";
  assertEquals(stderrReason(stderr, "/a"), said);
});

pureTest("withoutPath() hides the path of the file", () => {
  assertEquals(withoutPath("file:/a/b: bad", "/a/b"), "bad");
  assertEquals(withoutPath("in /a/b and file:/proc/self/fd/3", "/a/b"), "in the file and the file");
  assertEquals(withoutPath("file:/proc/self/fd/3: bad", "/a/b"), "bad");
});

pureTest("hideSecrets() hides passwords, and nothing else", () => {
  const cases = [
    ["rtsp://me:word@host:554/a", "rtsp://me:***@host:554/a"],
    [
      "see rtsp://me:w@rd@host, srt://h?passphrase=x&mode=a",
      "see rtsp://me:***@host, srt://h?passphrase=***&mode=a",
    ],
    ["http://host:80/a@b:c@d?token=abc&x=1", "http://host:80/a@b:c@d?token=***&x=1"],
    ["http://:word@host", "http://:***@host"],
    ["rtsp://host:554/stream", "rtsp://host:554/stream"],
  ];
  for (const [text, hidden] of cases) assertEquals(hideSecrets(text), hidden);
});
