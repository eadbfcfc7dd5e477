import { assertEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../../lib/base/errors.ts";
import {
  describeFormat,
  formatName,
  parseScriptFormat,
  RAW_FORMATS,
  type RawFormatName,
  rawSize,
} from "../../../lib/protocol/script/format.ts";
import { bitsPerPixel } from "../../../lib/ffmpeg/pixel_formats.ts";
import { rawFourcc } from "../../../lib/ffmpeg/raw_fourccs.ts";
import { pureTest } from "../../support/pure_test.ts";

const NAMES = [
  ...["i32le+pickle", "u64le+jpeg", "u32be+pickled-jpeg", "ascii16+jpeg", "ascii16+npy"],
  ...["line+base64", "u32be+base64", "none+jpeg", "none+npy", "none+raw:640x480:bgr24"],
  ...["u64le+raw:4x2:yuv420p", "i32le+raw:1x1:gray16le"],
];

for (const name of NAMES) {
  pureTest(`parseScriptFormat() and formatName() agree on ${name}`, () => {
    assertEquals(formatName(parseScriptFormat(name)), name);
  });
}

const REFUSED: [text: string, reason: RegExp][] = [
  ["", /no length ""/],
  ["jpeg", /no length "jpeg", expected one of i32le/],
  ["u64be+jpeg", /no length "u64be"/],
  ["u64le", /no length and payload, expected both/],
  ["u64le+jpeg+x", /expected both/],
  ["u64le+gif", /no payload "gif", expected one of pickle jpeg/],
  ["u64le+jpeg:9", /no payload "jpeg:9"/],
  ["u64le+raw", /raw without a size/],
  ["u64le+raw:0x9:gray", /raw without a size/],
  ["u64le+raw:9x99999:gray", /raw without a size/],
  ["u64le+raw:9x9:gif", /no pixel format "gif"/],
  ["u64le+raw:9x9:toString", /no pixel format "toString"/],
  ["u64le+raw:9x8:nv12", /nv12 of an odd size/],
  ["line+jpeg", /may hold an end of line/],
  ["none+pickle", /no length of its own/],
  ["none+base64", /no length of its own/],
];

for (const [text, reason] of REFUSED) {
  pureTest(`parseScriptFormat() refuses "${text}"`, () => {
    const { message } = assertThrows(() => parseScriptFormat(text), FormatError);
    assertEquals(reason.test(message), true, message);
  });
}

pureTest("describeFormat() names length and payload", () => {
  const words = NAMES.slice(0, 2).map((name) => describeFormat(parseScriptFormat(name)));
  assertEquals(words, [
    "4-byte length (little-endian), then a pickle",
    "8-byte length (little-endian), then a JPEG",
  ]);
  assertEquals(
    ["line+base64", "none+jpeg", "none+raw:4x2:gray"].map((name) =>
      describeFormat(parseScriptFormat(name))
    ),
    [
      "lines, each a JPEG as base64",
      "one JPEG after the other, without lengths",
      "raw pixels (4x2 gray), without lengths",
    ],
  );
});

pureTest("RAW_FORMATS has the sizes and bytes of FFmpeg's formats", () => {
  for (const [name, { bits, fourcc }] of Object.entries(RAW_FORMATS)) {
    if (name.includes("f32")) continue;
    assertEquals([bits, fourcc], [bitsPerPixel(name), rawFourcc(name)], name);
  }
  assertEquals(rawSize({ width: 4, height: 2, pixelFormat: "yuv420p" as RawFormatName }), 12);
});
