import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { parseChainLine, parseMuxed, parseTcpTable, parseTimes } from "../../bench/parsers.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("parseTimes() adds up what the shell has run, not the shell", () => {
  assertAlmostEquals(parseTimes("0m1.000s 0m1.000s\n1m2.250s 0m0.500s\n"), 62.75);
});

pureTest("parseTimes() takes a decimal comma", () => {
  assertAlmostEquals(parseTimes("0m0,001s 0m0,001s\n0m0,250s 0m0,500s\n"), 0.75);
});

pureTest("parseTimes() refuses what is something else", () => {
  for (const text of ["", "0m1.000s 0m1.000s\n", "a b\nc d\n"]) {
    assertThrows(() => parseTimes(text), Error, "Cannot read times");
  }
});

const TABLE = [
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
  "   0: 0100007F:1E61 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0",
  "  12: 0100007F:C350 0100007F:1E61 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0",
  "  13: 0100007F:C351 0100007F:1E61 06 00000000:00000000 00:00000000 00000000     0        0 0 1 0",
].join("\n");

pureTest("parseTcpTable() tells who listens and who is connected", () => {
  assertEquals(parseTcpTable(TABLE), [
    { local: 7777, remote: 0, isListening: true, isConnected: false },
    { local: 50000, remote: 7777, isListening: false, isConnected: true },
    { local: 50001, remote: 7777, isListening: false, isConnected: false },
  ]);
});

pureTest("parseChainLine() gives the bytes of a buffer", () => {
  const sink = "/GstPipeline:pipeline0/GstFakeSink:fakesink0: last-message = ";
  const chain = "chain   ******* (fakesink0:sink) (3110400 bytes, dts: none, pts: none)";
  assertEquals(parseChainLine(sink + chain), 3_110_400);
  assertEquals(
    parseChainLine(`${sink}event   ******* (fakesink0:sink) E (type: eos (28174), )`),
    undefined,
  );
  assertEquals(parseChainLine("Setting pipeline to PLAYING ..."), undefined);
});

pureTest("parseMuxed() gives what an output was given", () => {
  const line = "  Output stream #0:0 (video): 300 packets muxed (933120000 bytes); ";
  assertEquals(parseMuxed(line), { frames: 300, bytes: 933_120_000 });
  assertEquals(parseMuxed("  Total: 300 packets (933120000 bytes) muxed"), undefined);
});
