import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../../lib/base/errors.ts";
import { NPY_MAX_LENGTH, npyLength, readNpy } from "../../../lib/protocol/script/npy.ts";
import { concat, latin1 } from "../../support/media/bytes.ts";
import { npyFile } from "../../support/media/pickles.ts";
import { pureTest } from "../../support/pure_test.ts";

const DATA = Uint8Array.of(1, 2, 3, 4, 5, 6);

/** A header with the given parts, and the six bytes of data. */
function withHeader({ descr = "'|u1'", fortran = "False", shape = "(2, 3)" } = {}): Uint8Array {
  return npyFile(`{'descr': ${descr}, 'fortran_order': ${fortran}, 'shape': ${shape}, }`, DATA);
}

for (const version of [1, 2, 3]) {
  pureTest(`readNpy() reads version ${version}.0`, () => {
    const header = "{'descr': '<u2', 'fortran_order': False, 'shape': (3, 1), }";
    const file = npyFile(header, DATA, version);
    const array = readNpy(file);
    assertEquals(array, { shape: [3, 1], dtype: "uint16", data: DATA });
    assertStrictEquals(array.data.buffer, file.buffer);
    assertEquals(npyLength(file), file.byteLength);
  });

  pureTest(`npyLength() waits for the header of version ${version}.0, and no longer`, () => {
    const file = npyFile(
      "{'descr': '|u1', 'fortran_order': False, 'shape': (6,), }",
      DATA,
      version,
    );
    const start = file.byteLength - DATA.byteLength;
    for (let length = 0; length < file.byteLength; length++) {
      const expected = length < start ? undefined : file.byteLength;
      assertEquals(npyLength(file.subarray(0, length)), expected, `${length} bytes`);
      assertThrows(() => readNpy(file.subarray(0, length)), FormatError, "Cannot read .npy");
    }
    assertEquals(npyLength(concat(file, file)), file.byteLength);
    assertThrows(() => readNpy(concat(file, "x")), FormatError, "by its header");
  });
}

pureTest("readNpy() puts Fortran order in C order", () => {
  assertEquals(readNpy(withHeader({ fortran: "True" })), {
    shape: [2, 3],
    dtype: "uint8",
    data: Uint8Array.of(1, 3, 5, 2, 4, 6),
  });
});

pureTest("readNpy() reads any shape, and the integers of Python 2", () => {
  const shapes: [string, number[]][] = [
    ["(6,)", [6]],
    ["(6L,)", [6]],
    ["(2L, 3L)", [2, 3]],
    ["( 2 ,3 , )", [2, 3]],
    ["(1, 2, 3, 1)", [1, 2, 3, 1]],
  ];
  for (const [shape, expected] of shapes) {
    assertEquals(readNpy(withHeader({ shape })).shape, expected);
  }
  const scalar = npyFile(
    "{'descr': '|b1', 'fortran_order': False, 'shape': (), }",
    DATA.slice(0, 1),
  );
  assertEquals(readNpy(scalar), { shape: [], dtype: "bool", data: Uint8Array.of(1) });
  const empty = npyFile(
    "{'descr': '<f8', 'fortran_order': True, 'shape': (0, 3), }",
    new Uint8Array(),
  );
  assertEquals(readNpy(empty), { shape: [0, 3], dtype: "float64", data: new Uint8Array() });
});

pureTest("readNpy() reads keys in any order and either kind of quotes", () => {
  const header = `{"shape": (2, 3), 'fortran_order' : False,"descr":">i2" }`;
  assertEquals(readNpy(npyFile(header, concat(DATA, DATA))).dtype, ">int16");
  assertEquals(readNpy(withHeader({ descr: "'>u1'" })).dtype, "uint8");
});

/** Headers of files that numpy writes for other arrays, or that nothing writes. */
const REFUSED: [what: string, header: string, named: string][] = [
  ["objects", "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "'|O'"],
  ["texts", "{'descr': '<U4', 'fortran_order': False, 'shape': (1,), }", "'<U4'"],
  ["bytes", "{'descr': '|S4', 'fortran_order': False, 'shape': (1,), }", "'|S4'"],
  ["times", "{'descr': '<M8[D]', 'fortran_order': False, 'shape': (1,), }", "'<M8[D]'"],
  ["a type of a size that there is not", dictOf("'<u3'", "(1,)"), "'<u3'"],
  ["a type without a byte order", dictOf("'u1'", "(1,)"), "'u1'"],
  ["a type that every object has", dictOf("'|constructor'", "(1,)"), "constructor"],
  ["fields", "{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (1,), }", "header"],
  ["a call", "{'descr': open('x'), 'fortran_order': False, 'shape': (1,), }", "header"],
  ["a call as shape", "{'descr': '|u1', 'fortran_order': False, 'shape': f(1), }", "header"],
  ["a call behind", `${dictOf("'|u1'", "(1,)")}.get(1)`, "header"],
  ["two dicts", `${dictOf("'|u1'", "(1,)")}${dictOf("'|u1'", "(1,)")}`, "header"],
  [
    "a key twice",
    "{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': ()}",
    "header",
  ],
  ["another key", "{'descr': '|u1', 'fortran_order': False, 'shape': (), 'x': True}", "header"],
  ["another key instead", "{'descr': '|u1', 'fortran_order': False, 'x': ()}", "header"],
  ["a key that is missing", "{'descr': '|u1', 'shape': ()}", "header"],
  ["an order as text", "{'descr': '|u1', 'fortran_order': 'True', 'shape': ()}", "header"],
  ["a type as bool", "{'descr': True, 'fortran_order': True, 'shape': ()}", "dtype True"],
  ["a shape as text", "{'descr': '|u1', 'fortran_order': False, 'shape': '()'}", "header"],
  ["a shape that is a number", dictOf("'|u1'", "(6)"), "shape (6)"],
  ["a shape without numbers", dictOf("'|u1'", "(,)"), "shape (,)"],
  ["a shape with a gap", dictOf("'|u1'", "(1 2,)"), "shape (1 2,)"],
  ["a shape below 0", dictOf("'|u1'", "(-1,)"), "header"],
  ["a giant extent", dictOf("'|u1'", "(9999999999,)"), "extent 9999999999"],
  ["an extent of many digits", dictOf("'|u1'", "(99999999999,)"), "shape (99999999999,)"],
  ["too many items", dictOf("'|u1'", "(65536, 4096)"), "at most 268435456 bytes"],
  ["far too many items", dictOf("'<f8'", `(${"2147483647, ".repeat(32)})`), "268435456 bytes"],
  ["many axes", dictOf("'|u1'", `(${"1, ".repeat(33)})`), "33 axes"],
  ["nothing", "", 'header "'],
  ["control characters", "\x1b[2J", "?[2J"],
];

function dictOf(descr: string, shape: string): string {
  return `{'descr': ${descr}, 'fortran_order': False, 'shape': ${shape}, }`;
}

for (const [what, header, named] of REFUSED) {
  pureTest(`readNpy() and npyLength() refuse ${what}`, () => {
    const file = npyFile(header, DATA);
    for (const read of [readNpy, npyLength]) {
      const { message } = assertThrows(() => read(file), FormatError, named);
      assert(/^Cannot read \.npy: [ -~]{1,500}$/.test(message), message);
    }
  });
}

pureTest("npyLength() refuses another format as soon as its bytes tell", () => {
  assertEquals(npyLength(new Uint8Array()), undefined);
  assertThrows(() => npyLength(latin1("\x94")), FormatError, "at its start");
  assertThrows(() => npyLength(latin1("\x93NUMPZ")), FormatError, '"?NUMPZ" at its start');
  for (const version of ["\x00", "\x04", "\x01\x01", "\xff\x00"]) {
    assertThrows(() => npyLength(latin1(`\x93NUMPY${version}`)), FormatError, "version");
  }
  const long = latin1("\x93NUMPY\x02\x00\xff\xff\xff\xff");
  assertThrows(() => npyLength(long), FormatError, "header of 4294967295 bytes");
  assertThrows(() => npyLength(latin1("\x93NUMPY\x01\x00\x11\x27")), FormatError, "10001 bytes");
});

pureTest("npyLength() counts the header, up to 2^28 bytes", () => {
  const most = NPY_MAX_LENGTH - 128;
  assertEquals(npyLength(npyFile(dictOf("'|u1'", `(${most},)`), DATA)), NPY_MAX_LENGTH);
  const over = npyFile(dictOf("'|u1'", `(${most + 1},)`), DATA);
  assertThrows(() => npyLength(over), FormatError, `shape (${most + 1}) of uint8`);
});

pureTest("readNpy() reads a file in the middle of a buffer", () => {
  const file = withHeader();
  assertEquals(readNpy(concat("..", file, "..").subarray(2, -2)), readNpy(file));
});
