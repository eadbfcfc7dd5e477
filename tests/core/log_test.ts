import { assertEquals, assertStrictEquals } from "@std/assert";
import {
  createLogger,
  LOG_LEVELS,
  type LogLevel,
  printable,
  withPrefix,
} from "../../lib/core/log.ts";

function test(name: string, fn: () => void): void {
  Deno.test({ name, permissions: "none", fn });
}

/** A logger at a fixed moment, and the lines it wrote. */
function recorder(level: LogLevel) {
  const lines: string[] = [];
  const now = () => new Date(Date.UTC(2024, 1, 29, 12, 0, 1, 5));
  return { lines, logger: createLogger({ level, write: (line) => lines.push(line), now }) };
}

test("createLogger() writes one line an event: time, level, message", () => {
  const { lines, logger } = recorder("info");
  logger.log("warn", "the disk is full");
  assertEquals(lines, ["2024-02-29T12:00:01.005Z warn  the disk is full\n"]);
});

for (const [index, level] of LOG_LEVELS.entries()) {
  test(`createLogger() at ${level} writes that and what is more urgent`, () => {
    const { lines, logger } = recorder(level);
    for (const each of LOG_LEVELS) logger.log(each, "x");
    assertStrictEquals(lines.length, index + 1);
  });
}

test("createLogger() lets no message forge a line or move the cursor", () => {
  const { lines, logger } = recorder("info");
  logger.log("info", "a\n2024-01-01T00:00:00.000Z error b\r\x1b[2J\x9b\u2028\u2029\u202e\x00\x7f");
  assertEquals(lines, [
    "2024-02-29T12:00:01.005Z info  a?2024-01-01T00:00:00.000Z error b??[2J??????\n",
  ]);
});

test("withPrefix() stands in front of every message, and nests", () => {
  const { lines, logger } = recorder("debug");
  withPrefix(withPrefix(logger, "a"), "b").log("debug", "c");
  assertEquals(lines, ["2024-02-29T12:00:01.005Z debug a b c\n"]);
});

test("printable() leaves letters of all scripts alone", () => {
  const text = "Grüße, 映像.mp4 — 😀 ñ";
  assertStrictEquals(printable(text), text);
});

Deno.test({
  name: "createLogger() goes on when nobody reads the log any more",
  permissions: "none",
  fn() {
    let tries = 0;
    const write = () => {
      tries++;
      throw new Deno.errors.BrokenPipe();
    };
    const logger = createLogger({ level: "info", write });
    logger.log("info", "one");
    logger.log("info", "two");
    assertEquals(tries, 2);
  },
});
