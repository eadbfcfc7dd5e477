import { assertEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../../../lib/base/errors.ts";
import { UnindexedError } from "../../../../lib/containers/mp4/boxes.ts";
import {
  readAacConfig,
  readDecoderConfig,
} from "../../../../lib/containers/mp4/codecs/descriptors.ts";
import { concat } from "../../../support/media/bytes.ts";
import { pureTest } from "../../../support/pure_test.ts";

const CONFIG = "\x40\x15\0\0\0\0\0\0\0\0\0\0\0";

function read(...parts: readonly string[]) {
  return readDecoderConfig(new DataView(concat("\0\0\0\0", ...parts).buffer));
}

pureTest("readDecoderConfig() reads sizes of one to four bytes", () => {
  const short = read("\x03\x16\0\x01\0", "\x04\x11", CONFIG, "\x05\x02\x11\x90");
  assertEquals(short, { objectType: 0x40, info: Uint8Array.of(0x11, 0x90) });
  const long = read(
    "\x03\x80\x80\x80\x1c\0\x01\0",
    "\x04\x80\x80\x80\x14",
    CONFIG,
    "\x05\x80\x80\x80\x02\x11\x90",
  );
  assertEquals(long, short);
  assertEquals(read("\x03\x12\0\x01\0", "\x04\x0d", CONFIG).info.byteLength, 0);
});

pureTest("readDecoderConfig() refuses other descriptors and sizes without an end", () => {
  assertThrows(() => read("\x04\x0d", CONFIG), UnindexedError, "expected 3");
  assertThrows(() => read("\x03\x12\0\x01\x80", "\x04\x0d", CONFIG), UnindexedError);
  assertThrows(() => read("\x03\xff\xff\xff\xff\xff"), UnindexedError, "without an end");
  assertThrows(() => read("\x03\x40\0\x01\0"), FormatError);
  assertThrows(() => read(), FormatError);
});

pureTest("readAacConfig() gives what the decoder puts out", () => {
  assertEquals(readAacConfig(Uint8Array.of(0x11, 0x90)), { sampleRate: 48_000, channels: 2 });
  // Spectral band replication that is stated, in both ways, and that is excluded.
  assertEquals(readAacConfig(Uint8Array.of(0x2b, 0x11, 0x88, 0)), {
    sampleRate: 48_000,
    channels: 2,
  });
  assertEquals(readAacConfig(Uint8Array.of(0x13, 0x10, 0x56, 0xe5, 0x98)), {
    sampleRate: 48_000,
    channels: 2,
  });
  assertEquals(readAacConfig(Uint8Array.of(0x13, 0x10, 0x56, 0xe5, 0)), {
    sampleRate: 24_000,
    channels: 2,
  });
});

pureTest("readAacConfig() refuses what only frames tell", () => {
  const refused = (...bytes: readonly number[]) =>
    assertThrows(() => readAacConfig(Uint8Array.from(bytes)), UnindexedError);
  refused(0x13, 0x10);
  refused(0x11, 0x80);
  refused(0x09, 0x90);
  refused(0x11, 0x94);
  refused(0x2b, 0x09, 0x88, 0);
  refused();
});
