import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/base/errors.ts";
import { parseFingerprint, toFingerprint } from "../../lib/net/certificate.ts";
import { pureTest } from "../support/pure_test.ts";

const DIGITS = "0123456789abcdef".repeat(4);

pureTest("parseFingerprint() takes it with colons and without, in either case", () => {
  const pairs = DIGITS.toUpperCase().match(/../g) ?? [];
  for (const text of [DIGITS, DIGITS.toUpperCase(), pairs.join(":")]) {
    assertEquals(parseFingerprint(`sha256:${text}`), `sha256:${DIGITS}`);
  }
});

pureTest("parseFingerprint() refuses anything else", () => {
  const wrong = [DIGITS, `sha1:${DIGITS}`, `sha256:${DIGITS}0`, `sha256:${DIGITS.slice(2)}`, ""];
  for (const text of [...wrong, `sha256:${DIGITS.replace("f", "g")}`]) {
    assertThrows(() => parseFingerprint(text), UsageError, "expected sha256: and 64");
  }
});

pureTest("toFingerprint() writes it as the programs do", () => {
  assertEquals(toFingerprint("AB:CD:0E"), "sha256:abcd0e");
});
