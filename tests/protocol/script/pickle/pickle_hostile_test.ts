import { assert, assertInstanceOf, assertStringIncludes, assertThrows } from "@std/assert";
import { FormatError } from "../../../../lib/base/errors.ts";
import { readPickle } from "../../../../lib/protocol/script/pickle/unpickler.ts";
import { concat, latin1 } from "../../../support/media/bytes.ts";
import { sizeOfValue } from "../../../support/media/pickled_values.ts";
import { numpyPickle, text, uint32 } from "../../../support/media/pickles.ts";
import { pureTest } from "../../../support/pure_test.ts";

const SHELL = text("touch /tmp/owned");
const NEVER = "\xff\xff\xff\xff\xff\xff\xff\x7f";

/** A dtype with its state, in protocol 4. */
const F4 = `cnumpy\ndtype\n${text("f4")}\x89\x88\x87R(K\x03${text("<")}NNNJ\xff\xff\xff\xffJ` +
  "\xff\xff\xff\xffK\x00tb";

/** Bytes as a string for \`latin1()\`. */
function latin1Text(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

/** A tuple of the same tuple twice, and so on. */
function doubled(pair: string): string {
  const levels = Array.from({ length: 30 }, (_, at) =>
    `q${String.fromCharCode(at)}h` +
    `${String.fromCharCode(at)}${pair}`);
  return `\x80\x02)${levels.join("")}.`;
}

/** Lists of ten times the list below. */
function tenfold(levels: number): string {
  const lists = Array.from(
    { length: levels },
    (_, at) => `(${`g${at}\n`.repeat(10)}lp${at + 1}\n`,
  );
  return `((lp0\n${lists.join("")}t.`;
}

/** Pickles that no numpy writes, and what the refusal has to name. */
const HOSTILE: [what: string, pickle: string, named: string][] = [
  ["os.system by GLOBAL", `\x80\x02cos\nsystem\n${SHELL}\x85R.`, "os.system"],
  ["posix.system by GLOBAL", `\x80\x03cposix\nsystem\n${SHELL}\x85R.`, "posix.system"],
  ["nt.system by GLOBAL", `\x80\x03cnt\nsystem\n${SHELL}\x85R.`, "nt.system"],
  [
    "posix.system by STACK_GLOBAL",
    `\x80\x04${text("posix")}${text("system")}\x93${SHELL}\x85R.`,
    "posix.system",
  ],
  [
    "builtins.eval by STACK_GLOBAL",
    `\x80\x04${text("builtins")}${text("eval")}\x93${text("1")}\x85R.`,
    "builtins.eval",
  ],
  ["__builtin__.exec by GLOBAL", `\x80\x02c__builtin__\nexec\n${SHELL}\x85R.`, "__builtin__.exec"],
  ["builtins.getattr", `\x80\x02cbuiltins\ngetattr\n`, "builtins.getattr"],
  [
    "a chain of attributes in a name",
    `\x80\x04${text("numpy")}${text("ndarray.__class__.__subclasses__")}\x93.`,
    "numpy.ndarray.__class__.__subclasses__",
  ],
  [
    "a function that numpy offers beside its constructors",
    `\x80\x04${text("numpy.core.multiarray")}${text("fromfile")}\x93.`,
    "numpy.core.multiarray.fromfile",
  ],
  [
    "an object that numpy imports",
    `\x80\x04${text("numpy.testing._private.utils")}${text("runstring")}\x93.`,
    "runstring",
  ],
  [
    "a split between module and name that numpy does not use",
    `\x80\x04${text("numpy.core")}${text("multiarray._reconstruct")}\x93.`,
    "numpy.core.multiarray._reconstruct",
  ],
  ["numpy.matrix", "\x80\x02cnumpy\nmatrix\n", "numpy.matrix"],
  ["numpy.core.multiarray.scalar", "\x80\x02cnumpy.core.multiarray\nscalar\n.", "scalar"],
  ["subprocess.Popen", `\x80\x04${text("subprocess")}${text("Popen")}\x93.`, "subprocess.Popen"],
  ["os.system by INST", `\x80\x02(X\x02\0\0\0lsios\nsystem\n.`, "opcode INST at byte 10"],
  ["os.system by OBJ", `\x80\x02(cnumpy\nndarray\n${SHELL}o.`, "opcode OBJ"],
  ["NEWOBJ", "\x80\x04cnumpy\nndarray\n)\x81.", "opcode NEWOBJ"],
  ["NEWOBJ_EX", "\x80\x04cnumpy\nndarray\n)}\x92.", "opcode NEWOBJ_EX at byte 19"],
  ["EXT1", "\x80\x02\x82\x01.", "opcode EXT1"],
  ["EXT2", "\x80\x02\x83\x01\x01.", "opcode EXT2"],
  ["EXT4", "\x80\x02\x84\x01\x01\x01\x01.", "opcode EXT4"],
  ["a persistent id in text", "\x80\x02Pid\n.", "opcode PERSID"],
  ["a persistent id on the stack", "\x80\x02K\x01Q.", "opcode BINPERSID"],
  ["a buffer from outside", "\x80\x05\x97.", "opcode NEXT_BUFFER"],
  ["a set", "\x80\x04\x8f(K\x01K\x02\x90.", "opcode EMPTY_SET"],
  ["a copy of the top", "\x80\x02]2\x86.", "opcode DUP"],
  ["a value that is dropped", "\x80\x02]]0.", "opcode POP"],
  ["the rest of a recursive tuple", "\x80\x02(]K\x011.", "opcode POP_MARK"],
  ["a call with a list", "\x80\x02cos\nsystem\n]R.", "os.system"],
  [
    "a call of numpy with a list",
    "\x80\x02cnumpy\ndtype\n]R.",
    "arguments of numpy.dtype: list of 0",
  ],
  ["a call in a dict", `\x80\x02}${text("a")}cos\nsystem\n${SHELL}\x85Rs.`, "os.system"],
  ["a global in a list", "\x80\x02]cnumpy\ndtype\na.", 'global "numpy.dtype"'],
  ["a list as a call", `\x80\x02]${SHELL}\x85R.`, "call of list of 0"],
  ["a state for a list", "\x80\x02]Nb.", "state for list of 0"],
  ["a list that holds itself", "\x80\x02]q\x00h\x00a.", "list that holds itself"],
  ["a dict that holds itself", `\x80\x02}q\x00${text("a")}h\x00s.`, "dict that holds itself"],
  ["a tuple that holds itself", "\x80\x02]q\x00h\x00\x85q\x01a.", "list that holds itself"],
  ["a list that holds a dict of it", `\x80\x02]q\x00}K\x01h\x00sa.`, "list that holds itself"],
  ["a list as key", "\x80\x02}]K\x01s.", "key list of 0"],
  ["a dict as key", "\x80\x02}}K\x01s.", "key dict of 0"],
  ["a list in a tuple as key", "\x80\x02}]\x85K\x01s.", "key list of 0"],
  ["a deep tuple as key", `\x80\x02}N${"\x85".repeat(90_000)}K\x01s.`, "64 levels"],
  ["a key without value", "\x80\x02}(K\x01K\x02K\x03u.", "3 keys and values"],
  ["a key without value in protocol 0", "(I1\nd.", "1 keys and values"],
  ["items for a tuple", "\x80\x02)K\x01a.", "items for tuple of 0"],
  ["items for a dict", "\x80\x02}(K\x01e.", "items for dict of 0"],
  ["entries for a list", "\x80\x02]K\x01K\x02s.", "entries for list of 0"],
  ["items without a list", "\x80\x02(K\x01e.", "too few values"],
  ["items without a mark", "\x80\x02]K\x01e.", "no mark on the stack, expected one for APPENDS"],
  ["a list under a mark", "\x80\x02](K\x01a.", "too few values"],
  ["a giant integer", `\x80\x02\x8b\x00\x01\x00\x00${"\x01".repeat(256)}.`, "integer of 256 bytes"],
  ["an integer of a length below 0", "\x80\x02\x8b\xff\xff\xff\xff1.", "4294967295 bytes"],
  ["an integer cut off", "\x80\x02\x8a\x08\x01.", "2 bytes left"],
  ["an integer of too many digits", `L${"1".repeat(616)}L\n.`, "line without an end"],
  ["an integer of letters", "I1e3\n.", 'integer "1e3"'],
  ["an integer of nothing", "I\n.", 'integer ""'],
  ["an integer in hexadecimal", "L0x10\n.", 'integer "0x10"'],
  ["a bool that is neither", "I02\n.", "bool as int 2"],
  ["a float of letters", "Fconstructor\n.", 'float "constructor"'],
  ["a float of nothing", "F\n.", 'float ""'],
  ["a string without quotes", "Sabc\n.", 'string "abc"'],
  ["a string of one quote", "S'\n.", `string "'"`],
  ["a string of two kinds of quotes", `S'abc"\n.`, "string"],
  ["an escape that is cut off", "S'\\x1'\n.", "backslash in a string"],
  ["an escape that Python does not write", "S'\\0'\n.", "backslash in a string"],
  ["an escape of a control character", "S'\\\x01'\n.", "backslash in a string"],
  ["a backslash in a text", "Va\\x41\n.", "backslash in a text"],
  ["an escape beyond Unicode", "V\\U00110000\n.", "backslash in a text"],
  ["a cut escape beyond Latin-1", "V\\u20ac\\u20\n.", "backslash in a text"],
  ["a memo slot below 0", "Np-1\n.", "memo slot int -1"],
  ["a memo slot of many digits", `Np${"9".repeat(600)}\n.`, "memo slot int 99999"],
  ["a memo slot that is far in protocol 0", "Np100000\n.", "memo slot 100000"],
  ["an empty memo slot of protocol 0", "g3\n.", "empty memo slot 3"],
  [
    "a scalar of another size",
    `\x80\x04cnumpy.core.multiarray\nscalar\n${F4}C\x03abc\x86R.`,
    "3 bytes of float32",
  ],
  [
    "a scalar without a dtype",
    "\x80\x04cnumpy.core.multiarray\nscalar\nNC\x03abc\x86R.",
    "scalar(None",
  ],
  ["a scalar of nothing", "\x80\x04cnumpy.core.multiarray\nscalar\n)R.", "scalar()"],
  [
    "a scalar of many arguments",
    `\x80\x04cnumpy.core.multiarray\nscalar\n(${`${text("x".repeat(99))}`.repeat(99)}tR.`,
    "scalar(",
  ],
  [
    "a bytearray of a length",
    "\x80\x02c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R.",
    "bytearray(int 2147483647)",
  ],
  [
    "a bytearray in another codec",
    `\x80\x02c__builtin__\nbytearray\n${text("x")}${text("zip")}\x86R.`,
    'bytearray(text "x", text "zip")',
  ],
  [
    "an array as key",
    `\x80\x02}(${latin1Text(numpyPickle({ protocol: 2 }).subarray(2, -1))}K\x01u.`,
    "key array",
  ],
  ["an opcode that there is not", "\x80\x04\xf7.", "opcode 0xf7"],
  ["os.system in protocol 0", "cos\nsystem\n(S'ls'\ntR.", "os.system"],
  ["os.system by INST in protocol 0", "(S'ls'\nios\nsystem\n.", "opcode INST at byte 7"],
  ["os.system by OBJ in protocol 1", "(cos\nsystem\nU\x02lso.", "os.system"],
  ["protocol 1 in its header", "\x80\x01N.", "protocol 1, expected protocol 2 to 5"],
  ["protocol 6", "\x80\x06N.", "protocol 6"],
  ["protocol 255", "\x80\xffN.", "protocol 255"],
  ["two headers", "\x80\x04\x80\x04N.", "opcode PROTO at byte 2"],
  ["a call of ndarray", "\x80\x02cnumpy\nndarray\nK\xff\x85R.", "numpy.ndarray"],
  ["bytes of a length", "\x80\x02c__builtin__\nbytes\nJ\xff\xff\xff\x7f\x85R.", "bytes"],
  ["a call of a call", "\x80\x04cbuiltins\nbytes\n)R)R.", "call of bytes"],
  ["a call of a number", "\x80\x04K\x01)R.", "call of int 1"],
  ["a call with a number", "\x80\x04cnumpy\ndtype\nK\x01R.", "arguments of numpy.dtype: int 1"],
  [
    "another codec",
    `\x80\x02c_codecs\nencode\n${text("x")}${text("zip")}\x86R.`,
    'text "x", text "zip"',
  ],
  [
    "characters beyond Latin-1",
    `\x80\x02c_codecs\nencode\n${text("\xc4\x80")}${text("latin1")}\x86R.`,
    "byte 196",
  ],
  [
    "half a character",
    `\x80\x02c_codecs\nencode\n${text("a\xc3")}${text("latin1")}\x86R.`,
    "byte 195",
  ],
  ["a state for a global", "\x80\x04cnumpy\nndarray\nNb.", 'state for global "numpy.ndarray"'],
  ["a state for bytes", "\x80\x04C\x01aNb.", 'state for bytes "a"'],
  [
    "a subclass under _reconstruct",
    "\x80\x04cnumpy.core.multiarray\n_reconstruct\ncnumpy\ndtype\nK\x00\x85C\x01b\x87R.",
    "numpy.dtype",
  ],
  [
    "an array without state",
    "\x80\x04cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R.",
    "array without content",
  ],
  [
    "a first size for an array",
    "\x80\x04cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nJ\0\0\0\x7f\x85C\x01b\x87R.",
    "_reconstruct(",
  ],
  [
    "metadata in a dtype",
    `\x80\x04cnumpy\ndtype\n${text("u1")}\x89\x88\x87R(K\x04${text("|")}NNNNNK\x00tb.`,
    "dtype",
  ],
  ["a dtype", `\x80\x04${F4}.`, 'dtype "f4", expected a plain value or an array'],
  ["nothing", "\x80\x04.", "too few values"],
  ["no bytes", "", "0 bytes left"],
  ["several values", "\x80\x04C\x01aC\x01b.", "several values"],
  ["an open mark", "\x80\x04(C\x01a.", "several values"],
  ["values under a mark", "\x80\x04C\x01a(\x85.", "too few values"],
  ["a tuple without mark", "\x80\x04NNt.", "no mark"],
  ["bytes after its end", "\x80\x04C\x01a.N", "1 bytes after its end"],
  ["a memo slot that is empty", "\x80\x04h\x07.", "empty memo slot 7"],
  ["a memo slot that is far", "\x80\x04Nj\xff\xff\xff\xff.", "memo slot 4294967295"],
  ["a memo that is huge", "\x80\x04Nr\xff\xff\xff\x7f.", "memo slot 2147483647"],
  ["nothing to memoize", "\x80\x04\x94.", "too few values"],
  ["a giant text", `\x80\x04X${uint32(2 ** 32 - 1)}abc.`, "expected 4294967295 more"],
  ["giant bytes", `\x80\x04B${uint32(2 ** 32 - 1)}abc.`, "expected 4294967295 more"],
  ["giant bytes with 8 of length", `\x80\x04\x8e${NEVER}abc.`, "4 bytes left"],
  ["a giant bytearray", `\x80\x05\x96${NEVER}abc.`, "4 bytes left"],
  ["a bytearray of 2^64 - 1", `\x80\x05\x96${"\xff".repeat(8)}abc.`, "4 bytes left"],
  ["a giant text with 8 of length", `\x80\x04\x8d${NEVER}abc.`, "4 bytes left"],
  ["a giant frame", `\x80\x04\x95${NEVER}N.`, "2 bytes left"],
  ["a name without an end", `\x80\x02c${"x".repeat(10_000)}`, "line without an end"],
  ["deep nesting", `\x80\x04N${"\x85".repeat(90_000)}.`, "more than 64 levels of nesting"],
  ["deep lists", `${"]".repeat(65)}${"a".repeat(64)}.`, "more than 64 levels of nesting"],
  ["deeper nesting", `\x80\x04N${"\x85".repeat(100_000)}.`, "more than 100000 opcodes"],
  ["many marks", `\x80\x04${"(".repeat(100_000)}.`, "more than 100000 opcodes"],
  ["many values", `\x80\x04(${"N".repeat(100_000)}l.`, "more than 100000 opcodes"],
  ["a full memo", `\x80\x04N${"\x94".repeat(100_000)}.`, "more than 100000 opcodes"],
  ["doubling tuples", doubled("\x86"), "more than 100000 values"],
  ["lists of ten lists", tenfold(6), "more than 100000 values"],
  [
    "a text that is recalled",
    `\x80\x04](X${uint32(100_000)}${"x".repeat(100_000)}q\x00${"h\x00".repeat(20)}e.`,
    "texts, bytes and arrays that it recalls",
  ],
  [
    "arrays that share their bytes",
    `\x80\x04](B${uint32(100_000)}${"x".repeat(100_000)}q\x00${
      `cnumpy.core.numeric\n_frombuffer\n(h\x00${F4}K\xfaK\x64\x86${text("F")}tR`.repeat(20)
    }e.`,
    "texts, bytes and arrays that it recalls",
  ],
  [
    "an array that is recalled",
    `\x80\x02](${
      latin1Text(
        numpyPickle({ protocol: 2, shape: [100_000], data: new Uint8Array(100_000) })
          .subarray(2, -1),
      )
    }q\x00${"h\x00".repeat(20)}e.`,
    "texts, bytes and arrays that it recalls",
  ],
];

for (const [what, pickle, named] of HOSTILE) {
  pureTest(`readPickle() refuses ${what}`, () => {
    const { message } = assertThrows(() => readPickle(latin1(pickle)), FormatError);
    assertStringIncludes(message, named);
    assert(/^Cannot read pickle: [ -~]{1,300}$/.test(message), message);
  });
}

pureTest("readPickle() refuses 10 MB of opcodes", () => {
  for (const opcode of "NG(]})l\x88\x94".split("")) {
    const pickle = new Uint8Array(10_000_000).fill(opcode.charCodeAt(0));
    assertThrows(() => readPickle(pickle), FormatError, "Cannot read pickle");
  }
});

pureTest("readPickle() refuses a call put in anywhere", () => {
  const system = `${text("os")}${text("system")}\x93${SHELL}\x85R`;
  const array = numpyPickle();
  for (let at = 2; at < array.byteLength; at++) {
    const spiked = concat(array.subarray(0, at), system, array.subarray(at));
    assertThrows(() => readPickle(spiked), FormatError);
  }
});

pureTest("readPickle() keeps a peer's control characters out of its messages", () => {
  const named = text("\x1b[2J\r\n\xe2\x80\xae".repeat(20));
  const { message } = assertThrows(
    () => readPickle(latin1(`\x80\x04${named}${named}\x93.`)),
    FormatError,
  );
  assert(/^[ -~]{1,300}$/.test(message), message);
});

pureTest("readPickle() gives a value or FormatError for any mutation", () => {
  const random = generator(20_240_229);
  const seeds = [
    ...[2, 3, 4, 5].map((protocol) => numpyPickle({ protocol })),
    numpyPickle({ shape: [2, 3], fortran: true }),
    ...HOSTILE.filter(([, pickle]) => pickle.length < 1000).map(([, pickle]) => latin1(pickle)),
  ];
  const outcomes = { value: 0, refused: 0 };
  for (let round = 0; round < 150_000; round++) {
    // The whole pickles of arrays are the better half of the material.
    const seed = seeds[random(round % 2 ? 5 : seeds.length)];
    const other = seeds[random(seeds.length)];
    const mutant = mutate(seed, other, random);
    try {
      const size = sizeOfValue(readPickle(mutant));
      assert(size.values <= 100_000 && size.bytes <= 2 * mutant.byteLength + 2 ** 20);
      outcomes.value++;
    } catch (error) {
      assertInstanceOf(error, FormatError);
      outcomes.refused++;
    }
  }
  assert(outcomes.value > 100 && outcomes.refused > 1000, JSON.stringify(outcomes));
});

/** Numbers below a limit, the same ones in every run (mulberry32). */
function generator(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = state + 0x6d2b79f5 | 0;
    let mixed = Math.imul(state ^ state >>> 15, 1 | state);
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed;
    return ((mixed ^ mixed >>> 14) >>> 0) % limit;
  };
}

/** Changes, cuts, repeats or splices a few bytes. */
function mutate(
  seed: Uint8Array,
  other: Uint8Array,
  random: (limit: number) => number,
): Uint8Array {
  let mutant = seed.slice();
  for (let count = 1 + random(3); count > 0; count--) {
    const at = random(mutant.byteLength + 1);
    const end = at + random(9);
    switch (random(5)) {
      case 0:
        if (at < mutant.byteLength) mutant[at] = random(256);
        break;
      case 1:
        if (at < mutant.byteLength) mutant[at] ^= 1 << random(8);
        break;
      case 2:
        mutant = concat(mutant.subarray(0, at), mutant.subarray(end));
        break;
      case 3:
        mutant = concat(mutant.subarray(0, end), mutant.subarray(at));
        break;
      default:
        mutant = concat(
          mutant.subarray(0, at),
          other.subarray(random(other.byteLength + 1)).subarray(0, 40),
          mutant.subarray(end),
        );
    }
  }
  return mutant;
}
