import { assertEquals } from "@std/assert";
import { lastWords } from "../../lib/media/last_words.ts";

function test(name: string, fn: () => void): void {
  Deno.test({ name, permissions: "none", fn });
}

test("lastWords() gives the last complaint without who said it", () => {
  const stderr = "[h264 @ 0x55cd2b2ebcc0] one\n[mov,mp4 @ 0x1f] [hevc @ 0x2] moov atom not found\n";
  assertEquals(lastWords(stderr, "/a"), "moov atom not found");
  assertEquals(lastWords("[h264 @ 0x55cd2b2ebcc0] one", "/a"), "one");
});

test("lastWords() passes over lines that say nothing", () => {
  const stderr = "Decoder (codec av1) not found\n    Last message repeated 2 times\n" +
    "Error marking filters as finished\nConversion failed!\n\n";
  assertEquals(lastWords(stderr, "/a"), "Decoder (codec av1) not found");
});

test("lastWords() prefers a reason to words that fit everything", () => {
  const stderr =
    "[mov @ 0x1f] moov atom not found\nfile:/a: Invalid data found when processing input";
  assertEquals(lastWords(stderr, "/a"), "moov atom not found");
  const alone = "Error while decoding stream #0:0: Invalid data found when processing input";
  assertEquals(lastWords(alone, "/a"), alone);
  const port =
    "[udp @ 0x5f] bind failed: Address already in use\nudp://:9: Inappropriate ioctl for device";
  assertEquals(lastWords(port, "/a"), "bind failed: Address already in use");
});

test("lastWords() gives nothing where there is nothing", () => {
  assertEquals(lastWords("", "/a"), undefined);
  assertEquals(lastWords("\n Conversion failed!\n", "/a"), undefined);
  assertEquals(lastWords("Warning: using insecure memory!\n", "/a"), undefined);
});

test("lastWords() does not tell where a file lies", () => {
  const path = "/home/me/films/a.mp4";
  assertEquals(lastWords(`file:${path}: Invalid data found`, path), "Invalid data found");
  const said = lastWords(`Cannot open file:${path} or ${path}`, path);
  assertEquals(said, "Cannot open the file or the file");
});
