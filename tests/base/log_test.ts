import { assertEquals, assertStrictEquals } from "@std/assert";
import {
  createLogger,
  LOG_LEVELS,
  type LogFormat,
  type LogLevel,
  printable,
  withFields,
} from "../../lib/base/log.ts";
import { pureTest } from "../support/pure_test.ts";

/** A logger at a fixed moment, and the lines it wrote. */
function recorder(level: LogLevel, format?: LogFormat) {
  const lines: string[] = [];
  const now = () => new Date(Date.UTC(2024, 1, 29, 12, 0, 1, 5));
  return { lines, logger: createLogger({ level, format, write: (line) => lines.push(line), now }) };
}

pureTest("createLogger() writes one line an event: time, level, message", () => {
  const { lines, logger } = recorder("info");
  logger.log("warn", "the disk is full");
  assertEquals(lines, ["2024-02-29T12:00:01.005Z warn  the disk is full\n"]);
});

for (const [index, level] of LOG_LEVELS.entries()) {
  pureTest(`createLogger() at ${level} writes that and what is more urgent`, () => {
    const { lines, logger } = recorder(level);
    for (const each of LOG_LEVELS) logger.log(each, "x");
    assertStrictEquals(lines.length, index + 1);
  });
}

pureTest("createLogger() lets no message forge a line or move the cursor", () => {
  const { lines, logger } = recorder("info");
  logger.log("info", "a\n2024-01-01T00:00:00.000Z error b\r\x1b[2J\x9b\u2028\u2029\u202e\x00\x7f");
  assertEquals(lines, [
    "2024-02-29T12:00:01.005Z info  a?2024-01-01T00:00:00.000Z error b??[2J??????\n",
  ]);
});

pureTest(
  "createLogger() writes peer and request before the message, and other fields after it",
  () => {
    const { lines, logger } = recorder("info");
    logger.log("info", "request ends", {
      ...{ name: "a b.mkv", seconds: 1.5, peer: "[::1]:80", request: 7, result: undefined },
    });
    assertEquals(lines, [
      '2024-02-29T12:00:01.005Z info  peer=[::1]:80 request=7 request ends name="a b.mkv" seconds=1.5\n',
    ]);
  },
);

pureTest("createLogger() lets no field forge another, or a line", () => {
  const { lines, logger } = recorder("info");
  logger.log("info", "x", {
    name: 'a result=done "b"\n\x1b[2J',
    empty: "",
    plain: "größe/映像.mp4",
  });
  assertEquals(lines, [
    '2024-02-29T12:00:01.005Z info  x name="a result=done \\"b\\"??[2J" empty="" ' +
    "plain=größe/映像.mp4\n",
  ]);
});

pureTest(
  "createLogger() writes a JSON object per line and keeps every character",
  () => {
    const { lines, logger } = recorder("info", "json");
    const name = 'a\n"\x1b\x9b\u2028\u202e\u{e0001}映像';
    logger.log("warn", "x\ny", { peer: "a:1", request: 7, name, result: undefined });
    assertEquals(lines, [
      '{"time":"2024-02-29T12:00:01.005Z","level":"warn","message":"x\\ny","peer":"a:1",' +
      '"request":7,"name":"a\\n\\"\\u001b\\u009b\\u2028\\u202e\\udb40\\udc01映像"}\n',
    ]);
    assertEquals(JSON.parse(lines[0]).name, name);
  },
);

pureTest("withFields() adds fields to every event, and nests", () => {
  const { lines, logger } = recorder("debug");
  const nested = withFields(withFields(logger, { peer: "a", x: 1 }), { request: 2 });
  nested.log("debug", "c", { x: 3 });
  assertEquals(lines, ["2024-02-29T12:00:01.005Z debug peer=a request=2 c x=3\n"]);
});

pureTest("printable() leaves letters of all scripts alone", () => {
  const text = "Grüße, 映像.mp4 — 😀 ñ";
  assertStrictEquals(printable(text), text);
});

pureTest("createLogger() ignores failures of a closed log", () => {
  let tries = 0;
  const write = () => {
    tries++;
    throw new Deno.errors.BrokenPipe();
  };
  const logger = createLogger({ level: "info", write });
  logger.log("info", "one");
  logger.log("info", "two");
  assertEquals(tries, 2);
});
