import { assertEquals } from "@std/assert";
import { floatConversion, toWholeSamples } from "../../lib/media/float_pixels.ts";
import { GREY } from "../support/peers/scripted_server.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("floatConversion() knows raw video of floats, and nothing else", () => {
  const pairs = [
    ["grayf32le", "gray16le"],
    ["gbrpf32be", "gbrp16le"],
    ["gbrapf32le", "gbrap16le"],
  ];
  for (const [pixelFormat, whole] of pairs) {
    const conversion = floatConversion({ ...GREY, pixelFormat });
    assertEquals(conversion?.stream.pixelFormat, whole);
    assertEquals(conversion?.isLittleEndian, pixelFormat.endsWith("le"));
  }
  for (const pixelFormat of [undefined, "gray16le", "yaf32le", "f32le"]) {
    assertEquals(floatConversion({ ...GREY, pixelFormat }), undefined);
  }
  assertEquals(floatConversion({ ...GREY, codec: "png", pixelFormat: "grayf32le" }), undefined);
});

pureTest("toWholeSamples() clips what is no level, in both byte orders", () => {
  const levels = [0, 1, 0.5, -3, 2, NaN, Infinity, -Infinity, 1 / 65535];
  const expected = [0, 65535, 32768, 0, 65535, 0, 65535, 0, 1];
  for (const isLittleEndian of [true, false]) {
    const bytes = new Uint8Array(levels.length * 4 + 3);
    // At any offset in its memory.
    const view = new DataView(bytes.buffer, 1);
    levels.forEach((level, at) => view.setFloat32(at * 4, level, isLittleEndian));
    const samples = toWholeSamples(bytes.subarray(1), { isLittleEndian });
    assertEquals([...new Uint16Array(samples.buffer)], expected);
  }
});
