import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { FormatError } from "../../../lib/base/errors.ts";
import { formatName } from "../../../lib/protocol/script/format.ts";
import { LENGTH_PREFIXES, type PrefixName } from "../../../lib/protocol/script/lengths.ts";
import { recognise } from "../../../lib/protocol/script/recognise.ts";
import { concat, latin1, sample } from "../../support/media/bytes.ts";
import { numpyPickle } from "../../support/media/pickles.ts";
import { pureTest } from "../../support/pure_test.ts";

/** A JPEG as far as it is looked at. */
const JPEG = concat("\xff\xd8\xff\xe0\x00\x10JFIF", new Uint8Array(300), "\xff\xd9");

/** First bytes of messages by the payload that they are. */
const PAYLOADS: Record<string, Uint8Array> = {
  jpeg: JPEG,
  pickle: concat(numpyPickle(), new Uint8Array(700), "."),
  "pickled-jpeg": concat(
    "\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00B\x3c\x01\x00\x00",
    JPEG,
    ".",
  ),
  base64: latin1(`/9j/${"A".repeat(400)}`),
  npy: concat("\x93NUMPY\x01\x00v\x00", new Uint8Array(400)),
  "raw:640x480:bgr24": new Uint8Array(640 * 480 * 3),
  "raw:1920x1080:gray": sample(1920 * 1080),
};

/** The format that bytes are recognised as, if no more are needed. */
function nameOf(bytes: Uint8Array): string {
  const found = recognise(bytes);
  return found.kind === "format" ? formatName(found.format) : `more than ${bytes.byteLength}`;
}

/** Gives bytes one by one, and checks that no more is read than was asked for. */
function nameByteByByte(bytes: Uint8Array): string {
  let needed = 0;
  while (true) {
    const found = recognise(bytes.subarray(0, needed));
    if (found.kind === "format") return formatName(found.format);
    assertEquals(found.bytes > needed, true, "it asks for bytes that it has");
    assertEquals(found.bytes <= bytes.byteLength, true, "it waits for more than comes");
    needed = found.bytes;
  }
}

for (const [length, { encode }] of Object.entries(LENGTH_PREFIXES)) {
  for (const [payload, bytes] of Object.entries(PAYLOADS)) {
    pureTest(`recognise() finds ${length}+${payload}`, () => {
      const prefix = encode(bytes.byteLength);
      const message = concat(prefix, bytes, prefix, bytes.subarray(0, 16));
      assertEquals(nameOf(message), `${length}+${payload}`);
      assertEquals(nameByteByByte(message), `${length}+${payload}`);
    });
  }
}

pureTest("recognise() tells a black frame that is alone by where the connection ends", () => {
  for (const name of ["i32le", "u64le"] as const) {
    const message = concat(LENGTH_PREFIXES[name].encode(160 * 120), new Uint8Array(160 * 120));
    assertEquals(recognise(message, { isEnd: true }), {
      kind: "format",
      format: {
        length: name,
        payload: { kind: "raw", width: 160, height: 120, pixelFormat: "gray" },
      },
    });
  }
});

for (const [name, payload] of [["none", "jpeg"], ["line", "base64"], ["none", "npy"]] as const) {
  pureTest(`recognise() finds ${name}+${payload}`, () => {
    assertEquals(nameByteByByte(concat(PAYLOADS[payload], "\n")), `${name}+${payload}`);
  });
}

/** First bytes of pickles of all protocols, by Python 3 and 2. */
const PICKLES = [
  ...["cnumpy.core.multiarray\n", "(dp0\n", "(lp0\n", "(cnumpy", "c_codecs\nencode\n"],
  ...["\x80\x02cnumpy", "\x80\x03}q\0", "\x80\x04\x95", "\x80\x05\x95", "}q\0(X", "]q\0(K\x01"],
  ...["cnumpy._core.multiarray\n", "(I1\nF0.5\n", "(K\x01G@"],
];

for (const start of PICKLES) {
  pureTest(`recognise() takes ${JSON.stringify(start)} for a pickle`, () => {
    const bytes = concat(start, new Uint8Array(600), ".");
    const message = concat(LENGTH_PREFIXES.u64le.encode(bytes.byteLength), bytes);
    assertEquals(nameByteByByte(message), "u64le+pickle");
  });
}

/** Lengths that are plausible in both byte orders, of messages that end where they say. */
const AMBIGUOUS = [0x010200, 0x020100, 0x00aa00, 0x230100, 0x012300, 0x010001];

for (const length of AMBIGUOUS) {
  for (const name of ["i32le", "u32be"] as const satisfies PrefixName[]) {
    pureTest(`recognise() reads ${length} as ${name} by where the message ends`, () => {
      const jpeg = concat("\xff\xd8\xff\xe0", new Uint8Array(length - 6), "\xff\xd9");
      const next = concat(jpeg, new Uint8Array(2 ** 22));
      const message = concat(LENGTH_PREFIXES[name].encode(length), next);
      const other = LENGTH_PREFIXES[name === "i32le" ? "u32be" : "i32le"];
      const isSame = other.parse(message) === length;
      if (!isSame) assertEquals(nameByteByByte(message), `${name}+jpeg`);
      else assertMatch(nameByteByByte(message), /^(i32le|u32be)\+jpeg$/);
    });
  }
}

pureTest("recognise() reads a length in the order in which a padded JPEG ends", () => {
  const length = 0xc80a;
  const jpeg = concat(
    "\xff\xd8\xff\xe0",
    new Uint8Array(length - 16),
    "\xff\xd9",
    new Uint8Array(10),
  );
  assertEquals(nameByteByByte(concat(LENGTH_PREFIXES.u32be.encode(length), jpeg)), "u32be+jpeg");
});

pureTest("recognise() reads a length in the order in which a .npy array ends", () => {
  const length = 0x020100;
  const header = `{'descr': '|u1', 'fortran_order': False, 'shape': (${length - 128},), }`;
  const npy = concat(
    "\x93NUMPY\x01\x00v\x00",
    `${header.padEnd(117)}\n`,
    new Uint8Array(length - 128),
  );
  for (const name of ["i32le", "u32be"] as const satisfies PrefixName[]) {
    const message = concat(LENGTH_PREFIXES[name].encode(length), npy);
    assertEquals(nameOf(message), `${name}+npy`);
  }
});

/** Lengths whose bytes begin like a pickle of protocol 2 to 5, or like TLS. */
const MISLEADING = [0x0280, 0x0380, 0x0480, 0x0580, 0x0315, 0x0316, 0x10316, 0x20480];

for (const length of MISLEADING) {
  for (const name of ["i32le", "u64le"] as const satisfies PrefixName[]) {
    pureTest(`recognise() reads ${length} as ${name}, whatever it looks like`, () => {
      const jpeg = concat("\xff\xd8\xff\xe0", new Uint8Array(length - 6), "\xff\xd9");
      assertEquals(
        nameByteByByte(concat(LENGTH_PREFIXES[name].encode(length), jpeg)),
        `${name}+jpeg`,
      );
    });
  }
}

const LENGTH = LENGTH_PREFIXES;

/** What no script sends, and what the refusal names. */
const REFUSED: [what: string, bytes: Uint8Array, seen: RegExp][] = [
  ["a web server", latin1("HTTP/1.1 400 Bad Request\r\n"), /: HTTP, expected/],
  ["a browser", latin1("GET / HTTP/1.1\r\n\r\n"), /: HTTP, /],
  ["SSH", latin1("SSH-2.0-OpenSSH_9.2\r\n"), /: SSH, /],
  ["RTSP", latin1("OPTIONS rtsp://a/b RTSP/1.0\r\n"), /: RTSP, /],
  ["TLS", latin1("\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"), /: TLS, /],
  ["TLS that refuses", latin1("\x15\x03\x03\0\x02\x02\x46"), /: TLS, /],
  [
    "a publisher of the native protocol",
    concat(LENGTH.i32le.encode(40), "\x01\0\0\0", new Uint8Array(8), '{"version":1}'),
    /the native protocol of stream-client/,
  ],
  ["a pickle alone", PAYLOADS.pickle, /: a pickle without a length/],
  [
    "8 bytes big-endian",
    concat(LENGTH.u64le.encode(9999).toReversed(), PAYLOADS.pickle),
    /: 8-byte length \(big-endian\), then a pickle/,
  ],
  ["10 digits", concat("6220960   ", PAYLOADS.pickle), /: 10 digits \(ASCII\), then a pickle/],
  [
    "an odd raw size",
    concat(LENGTH.u64le.encode(12345), sample(30)),
    /: 8-byte length \(little-endian\) of 12345, then the bytes 00 01 02 03 04 05 06 07/,
  ],
  ["PNG", concat(LENGTH.u32be.encode(777), "\x89PNG\r\n\x1a\n"), /then the bytes 89 50 4e 47/],
  ["text", latin1("hello, who are you?"), /: the text "hello, w"/],
  ["a negative length", latin1("\xff\xff\xff\xffAAAAAAAAAAAA"), /: the bytes ff ff ff ff 41/],
  [
    "a negative length in front of a JPEG",
    concat("\xfb\xff\xff\xff", JPEG),
    /: 4-byte length out of range 1 to 268435456 \(fb ff ff ff\), then a JPEG, expected/,
  ],
  [
    "a giant length of 8 bytes",
    concat(LENGTH.u64le.encode(2 ** 41 - 5), PAYLOADS.pickle),
    /: 8-byte length out of range 1 to 268435456 \(fb ff ff ff ff 01 00 00\), then a pickle, /,
  ],
  [
    "digits of a giant length",
    concat("9999999999999   ", JPEG),
    /: 16 digits \(ASCII\) out of range 1 to 268435456 \(9999999999999\), then a JPEG, expected/,
  ],
  ["zeros", new Uint8Array(64), /: the bytes 00 00 00 00 00/],
  ["too few bytes", latin1("ab"), /: the text "ab"/],
];

for (const [what, bytes, seen] of REFUSED) {
  pureTest(`recognise() refuses ${what}, and names it`, () => {
    const { message } = assertThrows(() => recognise(bytes, { isEnd: true }), FormatError);
    assertMatch(message, /^Cannot tell what the script sends: /);
    assertMatch(message, seen);
  });
}

pureTest("recognise() never waits for more bytes than a refusal needs", () => {
  for (const [, bytes] of REFUSED.filter(([, { byteLength }]) => byteLength >= 30)) {
    let needed = 0;
    const feed = () => {
      while (true) {
        const found = recognise(bytes.subarray(0, needed));
        if (found.kind === "format") return found.format;
        assertEquals(found.bytes <= 30, true, `it waits for ${found.bytes} bytes`);
        needed = found.bytes;
      }
    };
    assertThrows(feed, FormatError);
  }
});
