/** Pickles and `.npy` files of scripts. */
import { FRAME_HEADROOM, FRAME_TAILROOM } from "../../lib/media/frame.ts";
import { messageOf } from "../../lib/protocol/script/pickle/message.ts";
import { decodePayload } from "../../lib/protocol/script/payloads.ts";
import { npyLength, readNpy } from "../../lib/protocol/script/npy.ts";
import { ScriptFrameWriter } from "../../lib/protocol/script/writer.ts";
import {
  bytesPickle,
  type PickledValue,
  readPickle,
} from "../../lib/protocol/script/pickle/unpickler.ts";
import { concat, latin1 } from "../support/media/bytes.ts";
import { sizeOfValue } from "../support/media/pickled_values.ts";
import { npyFile, numpyPickle } from "../support/media/pickles.ts";
import { mutateBytes, type Mutator } from "./mutate_bytes.ts";
import { checkAtMost, checkSame, digest, readOrRefuse } from "./properties.ts";
import type { Target } from "./target.ts";

/** Characters of JSON for each byte: a float of two bytes has up to 22, and a control character 6. */
const MAX_JSON = 50;

/** Grey pixels become three bytes each, and so does what is no UTF-8. */
const MAX_GROWTH = 3;

/** Limits of values out of pickles; bytes beyond twice the pickle's. */
const MOST = { values: 100_000, depth: 64, recalled: 2 ** 20 };

const text = (value: string) => new TextEncoder().encode(value);

const PICKLES = [
  ...[2, 3, 4, 5].flatMap((protocol) => [
    numpyPickle({ protocol }),
    numpyPickle({ protocol, core: "numpy._core", fortran: true }),
    numpyPickle({ protocol, shape: [2, 3] }),
    numpyPickle({ protocol, shape: [1, 1, 4], data: Uint8Array.of(1, 2, 3, 255) }),
    numpyPickle({ protocol, dtype: "f4", byteOrder: ">", shape: [1], data: new Uint8Array(4) }),
  ]),
  bytesPickle(text("end")),
];

/** Plain values in protocols 0, 1, 2 and 4. */
const VALUES = [
  "(dp0\nVframe\np1\n(lp2\nI1\naL-5L\naF-1.5e3\naI01\naNag1\nasVid\n(I7\nV\\u20ac\ntp3\ns.",
  "c_codecs\nencode\n(V\xff\xd8\xff\\u000a\nVlatin1\ntR.",
  "(dp1\nS'a'\n(lp2\nS\"x\\n'\\xff\"\naNasS'b'\nc__builtin__\nbytearray\np5\n(Va\xff\nS'latin-1'\ntRs.",
  "}q\x00(U\x01aq\x01]q\x02(T\x01\0\0\0xh\x01X\x01\0\0\0yK\x03G?\xf8\0\0\0\0\0\0I00\neu.",
  "\x80\x02}q\x00(K\x01\x8a\x02\xff\x80)\x85q\x01h\x01h\x01\x86\x88\x89u.",
  "\x80\x04\x95\x08\0\0\0\0\0\0\0]\x94(C\x02ab\x94h\x01h\x01\x86\x94h\x02e.",
  "\x80\x04cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\n\x8c\x02f4\x89\x88\x87R(K\x03\x8c\x01<NNNJ" +
  "\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tbC\x04\0\0\xc0?\x86R.",
].map(latin1);

/** Arrays, as above, with other values around them. */
const WITH_VALUES = PICKLES.slice(0, 20).map((pickle) =>
  concat(
    pickle.subarray(0, 2),
    "}(X\x05\0\0\0frame",
    pickle.subarray(pickle[2] === 0x95 ? 11 : 2, -1),
    "X\x02\0\0\0id(K\x07G?\xf8\0\0\0\0\0\0tu.",
  )
);

/** Opcodes and parts of pickles. */
const WORDS = [
  ...["(", ".", "0", "1", "2", "N", "R", "b", "t", ")", "\x85", "\x86", "\x87", "\x88", "\x89"],
  ...["\x93", "\x94", "\x81", "\x92", "cos\nsystem\n", "cnumpy\nndarray\n", "cnumpy\ndtype\n"],
  ...["h\x00", "h\x03", "q\x01", "r\xff\xff\xff\x7f", "j\x00\x00\x00\x00", "K\x03", "M\xff\xff"],
  ...["J\xff\xff\xff\xff", "J\x00\x00\x00\x7f", "\x8a\x01\x01", "C\x03abc", "\x8c\x02u1"],
  ...["B\xff\xff\xff\xff", "X\x06\x00\x00\x00latin1", "c_codecs\nencode\n", "cbuiltins\nbytes\n"],
  ...[
    "\x8e\xff\xff\xff\xff\xff\xff\xff\xff",
    "\x95\x00\x00\x00\x00\x00\x00\x00\x00",
    "}",
    "]",
    "u",
  ],
  ...[
    "l",
    "d",
    "a",
    "e",
    "s",
    "I01\n",
    "I-7\n",
    "L9L\n",
    "F0.5\n",
    "Finf\n",
    "Vab\\u20ac\n",
    "S'\\x00'\n",
  ],
  ...[
    "p0\n",
    "g0\n",
    "g1\n",
    "q\x00",
    "U\x01a",
    "T\x01\x00\x00\x00b",
    "G?\xf8\x00\x00\x00\x00\x00\x00",
  ],
  ...["\x8b\x01\x00\x00\x00\x80", "cnumpy.core.multiarray\nscalar\n", "c__builtin__\nbytearray\n"],
].map((word) => Uint8Array.from(word, (character) => character.charCodeAt(0)));

const mutatePickle: Mutator = (input, others, random) => {
  if (random.once(2)) return mutateBytes(input, others, random);
  const at = random.below(input.byteLength + 1);
  const gone = random.pick([0, 0, 1, 2, 5]);
  const words = Array.from({ length: 1 + random.size(8) }, () => random.pick(WORDS));
  const bytes = concat(input.subarray(0, at), ...words, input.subarray(at + gone));
  return random.once(3) ? mutateBytes(bytes, others, random) : bytes;
};

const pickleTarget: Target = {
  name: "readPickle()",
  corpus: [...PICKLES, ...VALUES, ...WITH_VALUES],
  mutate: mutatePickle,
  check(input) {
    const value = readOrRefuse(() => readPickle(input));
    const content = readOrRefuse(() => decodePayload(input, { kind: "pickle" }));
    if (content !== undefined && value === undefined) throw new Error("a message of no pickle");
    if (value === undefined) return "refused";
    checkMessage(value, input.byteLength);
    const { values, bytes, depth } = sizeOfValue(value);
    const most = 2 * input.byteLength + MOST.recalled;
    checkAtMost("values out of a pickle", values, MOST.values);
    checkAtMost("levels of values", depth, MOST.depth);
    checkAtMost("bytes out of a pickle", bytes, MAX_GROWTH * most);
    if (content?.kind !== "image" || content.image.pixelFormat !== "bgr24") return "taken";
    const { width, height, data } = content.image;
    checkAtMost("bytes of a picture", data.byteLength, most);
    checkSame("sizes", String(data.byteLength), String(width * height * 3));
    const again = decodePayload(wrapped(data, { width, height }).subarray(4), { kind: "pickle" });
    const found = again.kind === "image" ? digest(again.image.data) : again.kind;
    checkSame("pixels sent again", found, digest(data));
    return "taken";
  },
};

/** Checks that what a script sends becomes an image and JSON within limits. */
function checkMessage(value: PickledValue, length: number): void {
  const message = readOrRefuse(() => messageOf(value));
  if (message === undefined) return;
  const { image, rest, text } = message;
  if (image !== undefined) {
    const data = image.kind === "array" ? image.array.data : image.bytes;
    checkAtMost("bytes of an image", data.byteLength, length);
  }
  if (text !== undefined) checkAtMost("characters of a text sent alone", text.length, 128);
  if (rest === undefined) return;
  const json = JSON.stringify(rest);
  checkAtMost("characters of JSON", json.length, MAX_JSON * (length + MOST.recalled));
  checkSame("JSON read again", JSON.stringify(JSON.parse(json)), json);
}

/** A picture as a server sends it. */
function wrapped(
  pixels: Uint8Array,
  size: { width: number; height: number },
): Uint8Array<ArrayBuffer> {
  const memory = new Uint8Array(FRAME_HEADROOM + pixels.byteLength + FRAME_TAILROOM);
  memory.set(pixels, FRAME_HEADROOM);
  const data = memory.subarray(FRAME_HEADROOM, FRAME_HEADROOM + pixels.byteLength);
  return new ScriptFrameWriter(size).wrap(data).slice();
}

const FILES = ["(2, 3)", "(6,)", "(1, 6L)", "(3, 2, 1)", "(0, 4)", "()"].flatMap((shape) =>
  ["|u1", "<u2", ">f4", "|b1"].map((descr, at) => {
    const order = at % 2 === 0 ? "False" : "True";
    const header = `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }`;
    const items = { "(0, 4)": 0, "()": 1 }[shape] ?? 6;
    return npyFile(header, new Uint8Array(items * Number(descr[2])).fill(at), 1 + at % 3);
  })
);

/** Parts of headers. */
const HEADER_WORDS = [
  ...[
    "'descr'",
    "'shape'",
    "'fortran_order'",
    "'<f4'",
    "'|O'",
    "True",
    "False",
    "(",
    ")",
    ",",
    " ",
  ],
  ...["{", "}", ":", "3", "0", "4294967295", "L", '"', "\n", "[", "()"],
].map(latin1);

const npyTarget: Target = {
  name: "readNpy()",
  corpus: FILES,
  mutate(input, others, random) {
    if (random.once(2)) return mutateBytes(input, others, random);
    const at = random.below(input.byteLength + 1);
    const word = random.pick(HEADER_WORDS);
    // The padding takes or gives what the word needs, so that the header keeps its length.
    const pad = input.indexOf(0x20, 100);
    const bytes = concat(input.subarray(0, at), word, input.subarray(at));
    return random.once(2) || pad < at ? bytes : concat(
      bytes.subarray(0, pad + word.byteLength),
      bytes.subarray(pad + 2 * word.byteLength),
    );
  },
  check(input, random) {
    const length = readOrRefuse(() => npyLength(input));
    const array = readOrRefuse(() => readNpy(input));
    if (array === undefined) {
      checkSame("length of a file that is refused", String(length === input.byteLength), "false");
      return "refused";
    }
    checkSame("length", String(length), String(input.byteLength));
    checkAtMost("bytes out of a file", array.data.byteLength, input.byteLength);
    const part = input.subarray(0, random.below(input.byteLength));
    const early = npyLength(part);
    if (early !== undefined) checkSame("length by a part", String(early), String(length));
    return "taken";
  },
};

/** Targets of pickles and `.npy` files. */
export const PICKLE_TARGETS: readonly Target[] = [pickleTarget, npyTarget];
