import {
  assert,
  assertAlmostEquals,
  assertArrayIncludes,
  assertEquals,
  assertExists,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertNotMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
} from "@std/assert";
import { parseArgs } from "@std/cli/parse-args";
import { TextLineStream } from "@std/streams/text-line-stream";

// These run against the real packages wherever JSR can be reached, and pin what both must do.

/** Whether an assertion fails, by the error it throws; by itself, not by what is under test. */
function fails(assertion: () => void): boolean {
  try {
    assertion();
  } catch (error) {
    if (error instanceof AssertionError) return true;
    throw error;
  }
  return false;
}

/** Ends the test without the help of what is under test. */
function expect(condition: boolean, what: string): void {
  if (!condition) throw new Error(`Cannot confirm "${what}"`);
}

class Point {
  constructor(readonly x: number) {}
}

const CYCLE: { self?: unknown } = {};
CYCLE.self = CYCLE;
const OTHER_CYCLE: { self?: unknown } = {};
OTHER_CYCLE.self = OTHER_CYCLE;

const EQUAL: [string, unknown, unknown][] = [
  ["numbers", 1, 1],
  ["NaN", NaN, NaN],
  ["signed zeros", 0, -0],
  ["bigints", 10n, 10n],
  ["objects in any order", { a: 1, b: [1, { c: 2 }] }, { b: [1, { c: 2 }], a: 1 }],
  ["dates", new Date(5), new Date(5)],
  ["invalid dates", new Date(NaN), new Date(NaN)],
  ["regular expressions", /a/g, /a/g],
  ["addresses", new URL("http://a/"), new URL("http://a/")],
  ["bytes", Uint8Array.of(1, 2), Uint8Array.of(1, 2)],
  ["a part of a buffer", Uint8Array.of(0, 1, 2).subarray(1), Uint8Array.of(1, 2)],
  ["floats", Float32Array.of(NaN), Float32Array.of(NaN)],
  ["buffers", Uint8Array.of(1).buffer, Uint8Array.of(1).buffer],
  ["maps", new Map([["a", [1]], ["b", [2]]]), new Map([["b", [2]], ["a", [1]]])],
  ["maps with objects as keys", new Map([[{ a: 1 }, 1]]), new Map([[{ a: 1 }, 1]])],
  ["sets", new Set([1, 2]), new Set([2, 1])],
  ["sets of objects", new Set([{ a: 1 }, { a: 2 }]), new Set([{ a: 2 }, { a: 1 }])],
  ["instances", new Point(1), new Point(1)],
  ["an object without prototype", Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
  ["cycles", CYCLE, OTHER_CYCLE],
];

const UNEQUAL: [string, unknown, unknown][] = [
  ["numbers", 1, 2],
  ["number and text", 1, "1"],
  ["null and undefined", null, undefined],
  ["a property that is undefined", { a: undefined }, {}],
  ["an element more", [1, 2], [1]],
  ["deep values", { a: { b: [1] } }, { a: { b: [2] } }],
  ["dates", new Date(5), new Date(6)],
  ["regular expressions", /a/g, /a/i],
  ["bytes", Uint8Array.of(1, 2), Uint8Array.of(1, 3)],
  ["lengths", Uint8Array.of(1, 2), Uint8Array.of(1)],
  ["kinds of array", Uint8Array.of(1), Int8Array.of(1)],
  ["an array and its numbers", Uint8Array.of(1), [1]],
  ["buffers", Uint8Array.of(1).buffer, Uint8Array.of(2).buffer],
  ["maps", new Map([["a", 1]]), new Map([["a", 2]])],
  ["sets", new Set([1]), new Set([2])],
  ["sets of objects", new Set([{ a: 1 }]), new Set([{ a: 2 }])],
  ["an instance and its fields", new Point(1), { x: 1 }],
  ["messages of errors", new Error("a"), new Error("b")],
  ["a symbol's value", { [Symbol.iterator]: 1 }, { [Symbol.iterator]: 2 }],
];

Deno.test({
  name: "assertEquals() takes what is equal in depth",
  permissions: "none",
  fn() {
    for (const [what, a, b] of EQUAL) {
      expect(!fails(() => assertEquals(a, b)), what);
      expect(fails(() => assertNotEquals(a, b)), what);
    }
  },
});

Deno.test({
  name: "assertEquals() refuses what differs in depth",
  permissions: "none",
  fn() {
    for (const [what, a, b] of UNEQUAL) {
      expect(fails(() => assertEquals(a, b)), what);
      expect(fails(() => assertEquals(b, a)), what);
      expect(!fails(() => assertNotEquals(a, b)), what);
    }
  },
});

Deno.test({
  name: "assertEquals() shows what differs",
  permissions: "none",
  fn() {
    const { message } = assertThrows(
      () => assertEquals({ same: 1, changed: "old" }, { same: 1, changed: "new" }, "why"),
      AssertionError,
      "Values are not equal: why",
    );
    const plain = message.split("\n");
    expect(plain.some((line) => line.includes("-") && line.includes("old")), "old line");
    expect(plain.some((line) => line.includes("+") && line.includes("new")), "new line");
  },
});

Deno.test({
  name: "assertions of one value pass and fail",
  permissions: "none",
  fn() {
    expect(!fails(() => assert("x")) && fails(() => assert("")), "assert");
    expect(!fails(() => assertFalse(0)) && fails(() => assertFalse(1)), "assertFalse");
    expect(!fails(() => assertExists(0)) && fails(() => assertExists(null)), "assertExists");
    expect(fails(() => fail("why")), "fail");
    expect(!fails(() => assertInstanceOf([], Array)), "assertInstanceOf of an instance");
    expect(fails(() => assertInstanceOf({}, Array)), "assertInstanceOf of another");
  },
});

Deno.test({
  name: "assertions of two values pass and fail",
  permissions: "none",
  fn() {
    const one = {};
    expect(!fails(() => assertStrictEquals(one, one)), "assertStrictEquals of the same");
    expect(fails(() => assertStrictEquals(one, {})), "assertStrictEquals of equals");
    expect(fails(() => assertStrictEquals(0, -0)), "assertStrictEquals of zeros");
    expect(!fails(() => assertStringIncludes("abc", "b")), "assertStringIncludes");
    expect(fails(() => assertStringIncludes("abc", "d")), "assertStringIncludes without");
    expect(!fails(() => assertMatch("abc", /b/)) && fails(() => assertMatch("a", /b/)), "match");
    expect(!fails(() => assertNotMatch("a", /b/)), "assertNotMatch");
    expect(fails(() => assertNotMatch("b", /b/)), "assertNotMatch of a match");
    expect(!fails(() => assertArrayIncludes([{ a: 1 }, { a: 2 }], [{ a: 2 }])), "includes");
    expect(fails(() => assertArrayIncludes([1], [1, 2])), "assertArrayIncludes without");
    expect(!fails(() => assertAlmostEquals(0.1 + 0.2, 0.3)), "assertAlmostEquals");
    expect(fails(() => assertAlmostEquals(1, 1.1, 0.01)), "assertAlmostEquals of far ones");
    expect(fails(() => assertAlmostEquals(NaN, 1)), "assertAlmostEquals of NaN");
    expect(!fails(() => assertGreater(2, 1)) && fails(() => assertGreater(1, 1)), "greater");
    expect(!fails(() => assertLess(1, 2)) && fails(() => assertLess(1, 1)), "less");
    expect(!fails(() => assertGreaterOrEqual(1, 1)), "assertGreaterOrEqual");
    expect(fails(() => assertGreaterOrEqual(0, 1)), "assertGreaterOrEqual of less");
    expect(!fails(() => assertLessOrEqual(1, 1)), "assertLessOrEqual");
    expect(fails(() => assertLessOrEqual(2, 1)), "assertLessOrEqual of more");
  },
});

Deno.test({
  name: "assertThrows() gives the error of the right class and text",
  permissions: "none",
  fn() {
    const boom = () => {
      throw new RangeError("too far");
    };
    const error: RangeError = assertThrows(boom, RangeError, "far");
    expect(error.message === "too far", "the error comes back");
    expect(fails(() => assertThrows(boom, TypeError)), "another class");
    expect(fails(() => assertThrows(boom, RangeError, "near")), "another text");
    expect(fails(() => assertThrows(() => 1)), "no error");
    const text = () => {
      throw "text";
    };
    expect(assertThrows(text) === "text", "what is no error comes back");
    expect(fails(() => assertThrows(text, Error)), "what is no error has no class");
  },
});

Deno.test({
  name: "assertRejects() gives the error of the right class and text",
  permissions: "none",
  async fn() {
    const boom = () => Promise.reject(new RangeError("too far"));
    const error: RangeError = await assertRejects(boom, RangeError, "far");
    expect(error.message === "too far", "the error comes back");
    await assertRejects(() => assertRejects(boom, TypeError), AssertionError, "RangeError");
    await assertRejects(() => assertRejects(boom, RangeError, "near"), AssertionError);
    await assertRejects(() => assertRejects(() => Promise.resolve()), AssertionError);
    const synchronous = () => {
      throw new RangeError("too early");
    };
    await assertRejects(() => assertRejects(synchronous), AssertionError, "expected to reject");
  },
});

/** Arguments, options, and what they give. */
const COMMAND_LINES: [string[], Parameters<typeof parseArgs>[1], Record<string, unknown>][] = [
  [["a", "5", "--b", "c", "--d=e", "--f"], {}, { _: ["a", 5], b: "c", d: "e", f: true }],
  [["--n", "0x10", "--m=1e3", "--t", "1.5.0"], {}, { _: [], n: 16, m: 1000, t: "1.5.0" }],
  [["--s", "5", "--t"], { string: ["s", "t"] }, { _: [], s: "5", t: "" }],
  [["--b", "x", "--c=false"], { boolean: ["b", "c", "d"] }, {
    _: ["x"],
    b: true,
    c: false,
    d: false,
  }],
  [["--b", "false", "x"], { boolean: ["b"] }, { _: ["x"], b: false }],
  [["--c", "1", "--c=2"], { collect: ["c"] }, { _: [], c: [1, 2] }],
  [[], { collect: ["c", "d"], string: ["c"] }, { _: [], c: [] }],
  [["--o", "1", "--o", "2"], { string: ["o"] }, { _: [], o: "2" }],
  [["--x", "1"], { alias: { x: ["y", "z"] } }, { _: [], x: 1, y: 1, z: 1 }],
  [["-p", "7"], { alias: { port: "p" }, string: ["port"] }, { _: [], p: "7", port: "7" }],
  [[], { default: { x: 7 }, alias: { x: "y" } }, { _: [], x: 7, y: 7 }],
  [["--no-x", "--no-y", "z"], { negatable: ["x"] }, { _: [], x: false, "no-y": "z" }],
  [["--no-x=1"], {}, { _: [], x: 1 }],
  [["-abc", "-n5", "-m=6", "-o", "out"], {}, {
    _: [],
    a: true,
    b: true,
    c: true,
    n: 5,
    m: 6,
    o: "out",
  }],
  [["-", "--v", "-", "--w", "--x"], {}, { _: ["-", "-"], v: true, w: true, x: true }],
  [["--a", "--", "--b", "5"], {}, { _: ["--b", "5"], a: true }],
  [["--a", "--", "b"], { "--": true }, { _: [], a: true, "--": ["b"] }],
  [["--e="], {}, { _: [], "e=": true }],
  [["--e=a=b", "--f=x\ny"], {}, { _: [], e: "a=b", f: "x\ny" }],
  [["--e", ""], { string: ["e"] }, { _: [""], e: "" }],
  [["--a.b", "1", "--a.c=2"], {}, { _: [], a: { b: 1, c: 2 } }],
  [["a", "--b"], { stopEarly: true }, { _: ["a", "--b"] }],
  [["5"], { string: ["_"] }, { _: ["5"] }],
  [["--a", "b"], { boolean: true }, { _: ["b"], a: true }],
];

Deno.test({
  name: "parseArgs() reads flags, values and the rest",
  permissions: "none",
  fn() {
    for (const [args, options, result] of COMMAND_LINES) {
      assertEquals<unknown>(parseArgs(args, options), result, JSON.stringify(args));
    }
  },
});

Deno.test({
  name: "parseArgs() asks about what is not declared",
  permissions: "none",
  fn() {
    const asked: unknown[][] = [];
    const parsed = parseArgs(["--known", "--other=5", "-x", "loose", "more"], {
      boolean: ["known"],
      unknown(...question: unknown[]) {
        asked.push(question);
        return false;
      },
    });
    assertEquals<unknown>(parsed, { _: [], known: true });
    assertEquals(asked, [["--other=5", "other", "5"], ["-x", "x", "loose"], ["more"]]);
  },
});

Deno.test({
  name: "parseArgs() gives typed values",
  permissions: "none",
  fn() {
    const parsed = parseArgs(["--port", "7", "--tag", "a"], {
      string: ["port", "host", "tag"],
      boolean: ["loop"],
      collect: ["tag"],
      default: { host: "localhost" },
    });
    const port: string | undefined = parsed.port;
    const loop: boolean = parsed.loop;
    const tags: string[] = parsed.tag;
    const host: string = parsed.host;
    assertEquals({ port, loop, tags, host }, {
      port: "7",
      loop: false,
      tags: ["a"],
      host: "localhost",
    });
  },
});

/** The lines of a text that arrives in these chunks. */
function linesOf(chunks: string[], options?: { allowCR?: boolean }): Promise<string[]> {
  return Array.fromAsync(ReadableStream.from(chunks).pipeThrough(new TextLineStream(options)));
}

Deno.test({
  name: "TextLineStream cuts at line ends, wherever the chunks do",
  permissions: "none",
  async fn() {
    const text = "a\n\nb\r\nc\rd\n";
    const lines = ["a", "", "b", "c\rd"];
    assertEquals(await linesOf([text]), lines);
    assertEquals(await linesOf([...text]), lines);
    assertEquals(await linesOf(["a\n", "rest"]), ["a", "rest"]);
    assertEquals(await linesOf(["", ""]), []);
  },
});

Deno.test({
  name: "TextLineStream cuts at lone carriage returns if asked",
  permissions: "none",
  async fn() {
    const text = "a\rb\r\nc\n\r\rd\r";
    const lines = ["a", "b", "c", "", "", "d"];
    assertEquals(await linesOf([text], { allowCR: true }), lines);
    assertEquals(await linesOf([...text], { allowCR: true }), lines);
  },
});
