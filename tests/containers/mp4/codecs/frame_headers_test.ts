import { assertEquals } from "@std/assert";
import {
  readAc3Header,
  readMp3Header,
} from "../../../../lib/containers/mp4/codecs/frame_headers.ts";
import { pureTest } from "../../../support/pure_test.ts";

pureTest("readMp3Header() gives the size of frames of all versions", () => {
  assertEquals(readMp3Header(Uint8Array.of(0xff, 0xfb, 0x90, 0x64)), {
    size: 417,
    sampleRate: 44_100,
    channels: 2,
    samples: 1152,
  });
  assertEquals(readMp3Header(Uint8Array.of(0xff, 0xfb, 0x92, 0xc4))?.size, 418);
  assertEquals(readMp3Header(Uint8Array.of(0xff, 0xf3, 0x80, 0xc4)), {
    size: 208,
    sampleRate: 22_050,
    channels: 1,
    samples: 576,
  });
  assertEquals(readMp3Header(Uint8Array.of(0xff, 0xe3, 0x88, 0xc4))?.sampleRate, 8000);
});

pureTest("readMp3Header() takes no other layers, and no frames without a size", () => {
  const headers = [
    "fffd9064",
    "fff99064",
    "ffeb9064",
    "fffb0064",
    "fffbf064",
    "fffb9c64",
    "49443303",
  ];
  for (const header of headers) assertEquals(readMp3Header(Uint8Array.fromHex(header)), undefined);
  assertEquals(readMp3Header(new Uint8Array(0)), undefined);
});

pureTest("readAc3Header() gives size and channels", () => {
  assertEquals(readAc3Header(Uint8Array.fromHex("0b770000144043e0")), {
    size: 768,
    sampleRate: 48_000,
    channels: 2,
    samples: 1536,
  });
  // 44,100 samples a second have frames of two sizes; five channels and one for low frequencies.
  assertEquals(readAc3Header(Uint8Array.fromHex("0b7700005440e1e0"))?.size, 834);
  assertEquals(readAc3Header(Uint8Array.fromHex("0b7700005540e1e0"))?.size, 836);
  assertEquals(readAc3Header(Uint8Array.fromHex("0b7700005540e1e0"))?.channels, 6);
});

pureTest("readAc3Header() takes no E-AC-3, and no reserved values", () => {
  for (
    const header of ["0b770000148043e0", "0b770000d44043e0", "0b770000264043e0", "0b7700001440"]
  ) {
    assertEquals(readAc3Header(Uint8Array.fromHex(header)), undefined);
  }
});
