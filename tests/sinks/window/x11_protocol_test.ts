import { assertEquals } from "@std/assert";
import {
  getKeyboardMapping,
  grabButton,
  grabKey,
  greeting,
  internAtom,
  parseEvent,
  parseKeyboardMapping,
  parseNumber,
  parseSetup,
} from "../../../lib/sinks/window/x11_protocol.ts";
import { pureTest } from "../../support/pure_test.ts";

/** A packet of 32 bytes, and what follows it. */
function packet(words: readonly number[], length = 32): DataView {
  const bytes = new DataView(new ArrayBuffer(length));
  words.forEach((word, index) => bytes.setUint32(4 * index, word, true));
  return bytes;
}

pureTest("greeting() encodes the version, and the cookie in whole words", () => {
  assertEquals([...greeting(undefined)], [0x6c, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  const bytes = greeting({ name: "abcde", data: Uint8Array.of(1, 2, 3) });
  assertEquals([...bytes.subarray(0, 12)], [0x6c, 0, 11, 0, 0, 0, 5, 0, 3, 0, 0, 0]);
  assertEquals([...bytes.subarray(12)], [97, 98, 99, 100, 101, 0, 0, 0, 1, 2, 3, 0]);
});

pureTest("parseSetup() finds the first screen behind the vendor and the formats", () => {
  const rest = new DataView(new ArrayBuffer(32 + 8 + 2 * 8 + 40));
  rest.setUint16(16, 5, true);
  rest.setUint8(21, 2);
  rest.setUint8(26, 8);
  rest.setUint8(27, 255);
  rest.setUint32(32 + 8 + 16, 0x123, true);
  assertEquals(parseSetup(rest), { root: 0x123, minKeycode: 8, maxKeycode: 255 });
});

pureTest("requests have their length in words, and their fields at X's offsets", () => {
  assertEquals([...internAtom("abcde")], [
    ...[16, 0, 4, 0, 5, 0, 0, 0],
    ...[97, 98, 99, 100, 101, 0, 0, 0],
  ]);
  // Any modifier, the key, asynchronous for pointer and keys.
  assertEquals([...grabKey(0x0201, 65)], [33, 0, 4, 0, 1, 2, 0, 0, 0, 128, 65, 1, 1, 0, 0, 0]);
  assertEquals([...grabButton(0x0201, 3)], [
    ...[28, 0, 6, 0, 1, 2, 0, 0, 4, 0, 1, 1],
    ...[0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 128],
  ]);
  const setup = { root: 1, minKeycode: 8, maxKeycode: 255 };
  assertEquals([...getKeyboardMapping(setup)], [101, 0, 2, 0, 8, 248, 0, 0]);
});

pureTest("parseKeyboardMapping() gives the keysyms of each keycode", () => {
  const reply = packet([1 | 2 << 8, 4, 0, 0, 0, 0, 0, 0, 0x71, 0x51, 0x20, 0], 48);
  const keys = parseKeyboardMapping(reply, { root: 1, minKeycode: 24, maxKeycode: 25 });
  assertEquals([...keys], [[24, [0x71, 0x51]], [25, [0x20, 0]]]);
  assertEquals(
    [...parseKeyboardMapping(packet([1]), { root: 1, minKeycode: 8, maxKeycode: 8 })],
    [],
  );
});

pureTest("parseEvent() parses windows, properties and keys, but no synthetic events", () => {
  assertEquals(parseEvent(packet([16, 1, 7])), { kind: "created", window: 7 });
  assertEquals(parseEvent(packet([28, 7, 300])), { kind: "property", window: 7, atom: 300 });
  assertEquals(parseEvent(packet([34])), { kind: "mapping" });
  const key = { keycode: 65, group: 1, time: 99 };
  // The state: the second layout, with NumLock.
  const words = [2 | 65 << 8, 99, 0, 0, 0, 0, 0, 1 << 13 | 1 << 4];
  assertEquals(parseEvent(packet(words)), { kind: "pressed", ...key });
  words[0] = 3 | 65 << 8;
  assertEquals(parseEvent(packet(words)), { kind: "released", ...key });
  words[0] = 0x82 | 65 << 8;
  assertEquals(parseEvent(packet(words)), undefined);
  assertEquals(
    [parseNumber(packet([1])), parseNumber(packet([1, 0, 0, 0, 0, 0, 0, 0, 42], 36))],
    [
      ...[undefined, 42],
    ],
  );
});
