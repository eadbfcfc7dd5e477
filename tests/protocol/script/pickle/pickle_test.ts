import { assertEquals, assertStrictEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { FormatError } from "../../../../lib/base/errors.ts";
import {
  ARRAY_SUFFIX,
  arrayPrefix,
  bytesPickle,
  readPickle,
} from "../../../../lib/protocol/script/pickle/unpickler.ts";
import { concat, latin1 } from "../../../support/media/bytes.ts";
import { sizeOfValue } from "../../../support/media/pickled_values.ts";
import { numpyPickle, type NumpyPickleOptions, text } from "../../../support/media/pickles.ts";
import { pureTest } from "../../../support/pure_test.ts";

/** The first 24 integers, as bytes. */
const COUNTED = Uint8Array.from({ length: 24 }, (_, index) => index);

/** An array in memory order of the axes 2, 4, 3, read with another order of axes. */
function frombufferK(axes: string): Uint8Array<ArrayBuffer> {
  const pickle = numpyPickle({ protocol: 5, shape: [2, 4, 3], data: COUNTED });
  const end = latin1(`${text("C")}\x94t\x94R\x94.`);
  return concat(pickle.subarray(0, -end.byteLength), `${text("K")}\x94${axes}\x94t\x94R\x94.`);
}

function refused(pickle: Uint8Array, message: string): void {
  assertStringIncludes(assertThrows(() => readPickle(pickle), FormatError).message, message);
}

for (const protocol of [2, 3, 4, 5]) {
  for (const core of ["numpy.core", "numpy._core"]) {
    pureTest(`readPickle() reads protocol ${protocol} of ${core}`, () => {
      assertEquals(readPickle(numpyPickle({ protocol, core })), {
        kind: "array",
        array: { shape: [1, 2, 3], dtype: "uint8", data: Uint8Array.of(1, 2, 3, 4, 5, 250) },
      });
    });
  }

  pureTest(`readPickle() puts Fortran order of protocol ${protocol} in C order`, () => {
    const data = Uint8Array.of(1, 5, 3, 7, 2, 6, 4, 8);
    assertEquals(readPickle(numpyPickle({ protocol, shape: [2, 2, 2], fortran: true, data })), {
      kind: "array",
      array: { shape: [2, 2, 2], dtype: "uint8", data: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) },
    });
  });

  pureTest(`readPickle() reads an array without items of protocol ${protocol}`, () => {
    const options = { protocol, shape: [0, 4, 3], data: new Uint8Array(0), fortran: true };
    assertEquals(readPickle(numpyPickle(options)), {
      kind: "array",
      array: { shape: [0, 4, 3], dtype: "uint8", data: new Uint8Array(0) },
    });
  });

  pureTest(`readPickle() refuses protocol ${protocol} cut at any byte`, () => {
    const pickle = numpyPickle({ protocol });
    for (let length = 0; length < pickle.byteLength; length++) {
      assertThrows(() => readPickle(pickle.slice(0, length)), FormatError, "Cannot read pickle");
    }
  });
}

for (const protocol of [3, 4, 5]) {
  pureTest(`readPickle() gives a view on the pickle with protocol ${protocol}`, () => {
    const pickle = numpyPickle({ protocol });
    const value = readPickle(pickle);
    assertStrictEquals(value.kind === "array" && value.array.data.buffer, pickle.buffer);
  });
}

pureTest("readPickle() reads a pickle in the middle of a buffer", () => {
  const pickle = numpyPickle();
  const around = concat("..", pickle, "..");
  assertEquals(readPickle(around.subarray(2, -2)), readPickle(pickle));
});

pureTest("readPickle() turns protocol 2's text into every byte value", () => {
  const data = Uint8Array.from({ length: 256 }, (_, index) => index);
  const value = readPickle(numpyPickle({ protocol: 2, shape: [256], data }));
  assertEquals(value, { kind: "array", array: { shape: [256], dtype: "uint8", data } });
});

pureTest("readPickle() keeps items together when it changes their order", () => {
  const data = Uint8Array.of(1, 2, 5, 6, 3, 4, 7, 8);
  const options = { shape: [2, 2], dtype: "i2", byteOrder: "<", fortran: true, data };
  assertEquals(readPickle(numpyPickle(options)), {
    kind: "array",
    array: { shape: [2, 2], dtype: "int16", data: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) },
  });
});

pureTest("readPickle() names other dtypes and their byte order", () => {
  const read = (options: NumpyPickleOptions) => {
    const value = readPickle(numpyPickle({ ...options, shape: [1], data: new Uint8Array(8) }));
    return value.kind === "array" && value.array.dtype;
  };
  assertEquals(read({ dtype: "f8", byteOrder: "<" }), "float64");
  assertEquals(read({ dtype: "i8", byteOrder: ">" }), ">int64");
  assertEquals(read({ dtype: "c8", byteOrder: "<" }), "complex64");
});

pureTest("readPickle() reads a dtype whose booleans are integers", () => {
  const pickle = numpyPickle();
  const switches = "\x89\x88\x87";
  const at = String.fromCharCode(...pickle).indexOf(switches);
  const older = concat(
    pickle.subarray(0, at),
    "K\x00K\x01\x87",
    pickle.subarray(at + switches.length),
  );
  assertEquals(readPickle(older), readPickle(pickle));
});

pureTest("readPickle() reads a scalar array", () => {
  assertEquals(readPickle(numpyPickle({ shape: [], data: Uint8Array.of(7), fortran: true })), {
    kind: "array",
    array: { shape: [], dtype: "uint8", data: Uint8Array.of(7) },
  });
});

pureTest("readPickle() reads a transposed view of numpy 2", () => {
  // C order of shape (2, 4, 3), axes 2, 0, 1: the item at (c, y, x) is 12 y + 3 x + c.
  const value = readPickle(frombufferK("K\x02K\x00K\x01\x87"));
  const expected = [0, 1, 2].flatMap((c) => [0, 3, 6, 9, 12, 15, 18, 21].map((at) => at + c));
  assertEquals(value, {
    kind: "array",
    array: { shape: [3, 2, 4], dtype: "uint8", data: Uint8Array.from(expected) },
  });
});

pureTest("readPickle() refuses axes that are no permutation", () => {
  refused(frombufferK("K\x02K\x00K\x00\x87"), "axes (2, 0, 0)");
  refused(frombufferK("K\x02K\x00K\x03\x87"), "axes (2, 0, 3)");
  refused(frombufferK("K\x02K\x00\x86"), "tuple of 2");
  refused(frombufferK("N"), "axes: None");
});

pureTest("readPickle() reads bytes of every protocol", () => {
  const end = { kind: "bytes", bytes: latin1("end") };
  assertEquals<unknown>(
    readPickle(latin1(
      "\x80\x02c_codecs\nencode\nq\x00X\x03\0\0\0endq\x01X\x06\0\0\0latin1q\x02\x86q\x03Rq\x04.",
    )),
    end,
  );
  assertEquals<unknown>(readPickle(latin1("\x80\x03C\x03endq\x00.")), end);
  assertEquals<unknown>(readPickle(latin1("\x80\x04\x95\x07\0\0\0\0\0\0\0C\x03end\x94.")), end);
  assertEquals<unknown>(readPickle(latin1("\x80\x05\x95\x07\0\0\0\0\0\0\0C\x03end\x94.")), end);
  assertEquals<unknown>(readPickle(latin1("\x80\x02c__builtin__\nbytes\n)R.")), {
    kind: "bytes",
    bytes: new Uint8Array(0),
  });
});

/** What `pickle` and `cPickle` of Python 2.7 write for the value below, in protocols 0 to 2. */
const PYTHON_2 = [
  "(dp0\nS'a'\np1\n(lp2\nS\"x\\n'\\xff\"\np3\naV\\u20ac\\u005c\np4\naI3\naL5L\naF1.5\naI01\naNa" +
  "sS'b'\np5\nc__builtin__\nbytearray\np6\n(Va\xff\np7\nS'latin-1'\np8\ntp9\nRp10\ns.",
  "}q\x00(U\x01aq\x01]q\x02(U\x04x\n'\xffq\x03X\x04\x00\x00\x00\xe2\x82\xac\\q\x04K\x03L5L\n" +
  "G?\xf8\x00\x00\x00\x00\x00\x00I01\nNeU\x01bq\x05c__builtin__\nbytearray\nq\x06(X\x03\x00\x00" +
  "\x00a\xc3\xbfq\x07U\x07latin-1q\x08tq\tRq\nu.",
  "\x80\x02}q\x00(U\x01aq\x01]q\x02(U\x04x\n'\xffq\x03X\x04\x00\x00\x00\xe2\x82\xac\\q\x04K\x03" +
  "\x8a\x01\x05G?\xf8\x00\x00\x00\x00\x00\x00\x88NeU\x01bq\x05c__builtin__\nbytearray\nq\x06X\x03" +
  "\x00\x00\x00a\xc3\xbfq\x07U\x07latin-1q\x08\x86q\tRq\nu.",
  "(dp1\nS'a'\n(lp2\nS\"x\\n'\\xff\"\np3\naV\\u20ac\\u005c\np4\naI3\naL5L\naF1.5\naI01\naNasS'b'\n" +
  "c__builtin__\nbytearray\np5\n(Va\xff\nS'latin-1'\ntRp6\ns.",
];

for (const [index, pickle] of PYTHON_2.entries()) {
  pureTest(`readPickle() reads values of Python 2 (${index})`, () => {
    assertEquals<unknown>(readPickle(latin1(pickle)), {
      kind: "dict",
      entries: [
        [{ kind: "text", text: "a" }, {
          kind: "list",
          items: [
            { kind: "bytes", bytes: latin1("x\n'\xff") },
            { kind: "text", text: "\u20ac\\" },
            { kind: "number", value: 3 },
            { kind: "number", value: 5 },
            { kind: "number", value: 1.5 },
            { kind: "bool", value: true },
            { kind: "none" },
          ],
        }],
        [{ kind: "text", text: "b" }, { kind: "bytes", bytes: latin1("a\xff") }],
      ],
    });
  });
}

pureTest("readPickle() refuses plain values cut at any byte", () => {
  for (const pickle of [...PYTHON_2, ...PYTHON_2_ARRAYS].map(latin1)) {
    for (let length = 0; length < pickle.byteLength; length++) {
      assertThrows(() => readPickle(pickle.slice(0, length)), FormatError, "Cannot read pickle");
    }
  }
});

/** Pickles of a `uint8` array as numpy writes them in Python 2, whose texts are `str`. */
const PYTHON_2_ARRAYS = [
  "cnumpy.core.multiarray\n_reconstruct\np0\n(cnumpy\nndarray\np1\n(I0\ntp2\nS'b'\np3\ntp4\nRp5\n" +
  "(I1\n(L1L\nI2\nI3\ntp6\ncnumpy\ndtype\np7\n(S'u1'\np8\nI0\nI1\ntp9\nRp10\n(I3\nS'|'\np11\n" +
  "NNNI-1\nI-1\nI0\ntp12\nbI00\nS'\\x01\\n\\x00\\\\\\'\\xff'\np13\ntp14\nb.",
  "\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03" +
  "(K\x01K\x01K\x02K\x03\x87cnumpy\ndtype\nq\x04U\x02u1K\x00K\x01\x87Rq\x05(K\x03U\x01|NNNJ\xff" +
  "\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T\x06\x00\x00\x00\x01\n\x00\\'\xfftb.",
];

for (const [index, pickle] of PYTHON_2_ARRAYS.entries()) {
  pureTest(`readPickle() reads an array of Python 2 (${index})`, () => {
    assertEquals(readPickle(latin1(pickle)), {
      kind: "array",
      array: { shape: [1, 2, 3], dtype: "uint8", data: latin1("\x01\n\x00\\'\xff") },
    });
  });
}

pureTest("readPickle() reads an integer in a line exactly", () => {
  for (const text of ["0", "-7", "999999999999999", "9007199254740991", "-9007199254740991"]) {
    assertEquals(readPickle(latin1(`L${text}L\n.`)), { kind: "number", value: Number(text) });
  }
  for (const text of ["9007199254740992", "-9007199254740993", "1".repeat(600)]) {
    assertEquals(readPickle(latin1(`L${text}L\n.`)), { kind: "number", value: BigInt(text) });
  }
});

pureTest("readPickle() reads a text beyond Latin-1 in a line", () => {
  const pickle = "Va\\u0000\xe9\\u07ff\\u0800\\uffff\\U0001f600\\U0010FFFF\\u005c\n.";
  const text = "a\0\xe9\u07ff\u0800\uffff\u{1f600}\u{10ffff}\\";
  assertEquals(readPickle(latin1(pickle)), { kind: "text", text });
});

pureTest("readPickle() reads a scalar of Python 2", () => {
  const scalar =
    "\x80\x02cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U" +
    "\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tbU\x04\x00\x00\xc0?\x86R.";
  assertEquals(readPickle(latin1(scalar)), { kind: "number", value: 1.5 });
});

pureTest("readPickle() reads a bytearray of older versions of Python 3", () => {
  const pickle = "\x80\x02c__builtin__\nbytearray\nX\x02\0\0\0\xc3\xbfX\x07\0\0\0latin-1\x86R.";
  assertEquals<unknown>(readPickle(latin1(pickle)), { kind: "bytes", bytes: latin1("\xff") });
});

pureTest("readPickle() gives a view for bytes and text data of protocol 0 without escapes", () => {
  const pickle = latin1("c_codecs\nencode\n(Va\xe9\xff\nVlatin1\ntR.");
  const value = readPickle(pickle);
  assertEquals<unknown>(value, { kind: "bytes", bytes: latin1("a\xe9\xff") });
  assertStrictEquals(value.kind === "bytes" && value.bytes.buffer, pickle.buffer);
});

pureTest("readPickle() shares what a pickle recalls, and counts it", () => {
  const value = readPickle(latin1(`\x80\x04]((C\x02ab\x94h\x00l\x94h\x01e.`));
  const pair = { kind: "list", items: [1, 2].map(() => ({ kind: "bytes", bytes: latin1("ab") })) };
  assertEquals<unknown>(value, { kind: "list", items: [pair, pair] });
});

pureTest("readPickle() takes 64 levels, and not one more", () => {
  const nested = (levels: number) => latin1(`${"]".repeat(levels)}${"a".repeat(levels - 1)}.`);
  assertEquals(sizeOfValue(readPickle(nested(64))).depth, 64);
  refused(nested(65), "more than 64 levels of nesting");
});

pureTest("readPickle() takes 100,000 values, recalled ones included, and not one more", () => {
  // A list of lists of 999 values, which count as 1000 with the list around them.
  const repeated = (times: number) =>
    latin1(`]((${"N".repeat(999)}lp0\n${"g0\n".repeat(times - 1)}e.`);
  assertEquals(sizeOfValue(readPickle(repeated(99))).values, 99_001);
  refused(repeated(100), "more than 100000 values");
});

pureTest("readPickle() refuses data that does not fill its shape", () => {
  const data = new Uint8Array(6);
  refused(numpyPickle({ data, shape: [1, 2, 4] }), "6 bytes for shape (1, 2, 4) of uint8");
  refused(numpyPickle({ data, shape: [1, 5] }), "6 bytes for shape (1, 5) of uint8, expected 5");
  refused(numpyPickle({ data, shape: [6], dtype: "i4", byteOrder: "<" }), "expected 24");
  refused(numpyPickle({ data, shape: [0x7fffffff, 0x7fffffff, 0x7fffffff] }), "6 bytes for shape");
  refused(numpyPickle({ data, shape: [-1, 6] }), "extent or axis int -1");
  refused(numpyPickle({ data, shape: Array(33).fill(1) }), "33 axes, expected at most 32");
});

pureTest("readPickle() refuses dtypes of objects, texts and records", () => {
  for (const dtype of ["O8", "V1", "U5", "S3", "M8", "u3", "b8", "", "constructor"]) {
    refused(numpyPickle({ dtype }), `dtype "${dtype}"`);
  }
  refused(numpyPickle({ byteOrder: "!" }), "foreign byte order");
});

pureTest("arrayPrefix() and ARRAY_SUFFIX make a pickle of any size", () => {
  for (const [height, width] of [[1, 1], [256, 1], [3, 70_000], [241, 321]]) {
    const data = crypto.getRandomValues(new Uint8Array(65_536));
    const pixels = new Uint8Array(height * width * 3).map((_, index) => data[index % 65_536]);
    const value = readPickle(concat(arrayPrefix([height, width, 3]), pixels, ARRAY_SUFFIX));
    assertStrictEquals(value.kind, "array");
    if (value.kind !== "array") continue;
    assertEquals(value.array.shape, [height, width, 3]);
    assertEquals(value.array.dtype, "uint8");
    assertEquals(value.array.data, pixels);
  }
});

pureTest("arrayPrefix() refuses shapes that no image has", () => {
  for (const shape of [[0, 1, 3], [1.5, 1, 3], [-1, -1, 3], [NaN, 1, 3], [2 ** 20, 2 ** 20, 3]]) {
    const [height, width, channels] = shape;
    assertThrows(() => arrayPrefix([height, width, channels]), RangeError, "shape");
  }
});

pureTest("bytesPickle() makes what readPickle() reads", () => {
  for (const length of [0, 3, 255, 256, 70_000]) {
    const bytes = new Uint8Array(length).fill(0x2e);
    assertEquals(readPickle(bytesPickle(bytes)), { kind: "bytes", bytes });
  }
});
