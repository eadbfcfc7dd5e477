import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  assertLess,
  assertMatch,
  assertNotEquals,
  assertNotStrictEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import offlineMap from "../../tools/offline/import_map.json" with { type: "json" };
import { TextLineStream } from "@std/streams/text-line-stream";
import { pureTest } from "../support/pure_test.ts";

// These run against the real packages wherever JSR can be reached, and pin what both must do. Every
// expectation was taken from the real packages, their peculiarities included.

/** Whether an assertion fails, by the error it throws; by itself, not by what is under test. */
function fails(assertion: () => void): boolean {
  try {
    assertion();
  } catch (error) {
    if (error instanceof Error && error.name === "AssertionError") return true;
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

class LaterDate extends Date {}

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
  ["typed arrays with signed zeros", Float32Array.of(0), Float32Array.of(-0)],
  ["shared buffers", new SharedArrayBuffer(2), new SharedArrayBuffer(2)],
  ["a date and one of a subclass", new Date(5), new LaterDate(5)],
  ["locales", new Intl.Locale("de"), new Intl.Locale("de")],
  ["durations", Temporal.Duration.from("PT1S"), Temporal.Duration.from("PT1S")],
  ["promises", Promise.resolve(1), Promise.resolve(2)],
  ["boxed numbers", new Number(1), new Number(2)],
  ["what cannot be enumerated", Object.defineProperty({}, "a", { value: 1 }), {}],
  [
    "sets where two members equal the same one",
    new Set([{ a: 1 }, { a: 1 }]),
    new Set([{ a: 1 }, { a: 2 }]),
  ],
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
  ["shared buffers", new SharedArrayBuffer(1), new SharedArrayBuffer(2)],
  ["a buffer and a shared one", new ArrayBuffer(1), new SharedArrayBuffer(1)],
  ["locales", new Intl.Locale("de"), new Intl.Locale("en")],
  ["durations", Temporal.Duration.from("PT1S"), Temporal.Duration.from("PT2S")],
  ["patterns with properties", Object.assign(/a/, { b: 1 }), /a/],
  [
    "views of different buffers",
    new DataView(new ArrayBuffer(2), 1),
    new DataView(new ArrayBuffer(1)),
  ],
  ["functions", () => 1, () => 1],
  ["maps with a function as key", new Map([[() => 1, 1]]), new Map([[() => 1, 1]])],
  ["an array with properties", Object.assign([1], { a: 1 }), [1]],
  ["symbols of one name", Symbol("a"), Symbol("a")],
];

pureTest("assertEquals() takes what is equal in depth", () => {
  for (const [what, a, b] of EQUAL) {
    expect(!fails(() => assertEquals(a, b)), what);
    expect(fails(() => assertNotEquals(a, b)), what);
  }
});

pureTest("assertEquals() refuses what differs in depth", () => {
  for (const [what, a, b] of UNEQUAL) {
    expect(fails(() => assertEquals(a, b)), what);
    expect(fails(() => assertEquals(b, a)), what);
    expect(!fails(() => assertNotEquals(a, b)), what);
  }
});

pureTest("assertEquals() refuses to compare what cannot be read", () => {
  assertThrows(() => assertEquals(new WeakMap(), new WeakMap()), TypeError, "WeakMap");
  assertThrows(() => assertEquals(new WeakSet(), new WeakSet()), TypeError, "WeakSet");
});

pureTest("assertEquals() shows what differs", () => {
  const { message } = assertThrows(
    () => assertEquals({ same: 1, changed: "old" }, { same: 1, changed: "new" }, "why"),
    Error,
    "Values are not equal: why",
  );
  const plain = message.split("\n");
  expect(plain.some((line) => line.includes("-") && line.includes("old")), "old line");
  expect(plain.some((line) => line.includes("+") && line.includes("new")), "new line");
});

pureTest("assertions of one value pass and fail", () => {
  expect(!fails(() => assert("x")) && fails(() => assert("")), "assert");
  expect(!fails(() => assertFalse(0)) && fails(() => assertFalse(1)), "assertFalse");
  expect(!fails(() => assertInstanceOf([], Array)), "assertInstanceOf of an instance");
  expect(fails(() => assertInstanceOf({}, Array)), "assertInstanceOf of another");
  expect(fails(() => assertInstanceOf(null, Object)), "assertInstanceOf of null");
});

pureTest("assertions of two values pass and fail", () => {
  const one = {};
  expect(!fails(() => assertStrictEquals(one, one)), "assertStrictEquals of the same");
  expect(fails(() => assertStrictEquals(one, {})), "assertStrictEquals of equals");
  expect(fails(() => assertStrictEquals(0, -0)), "assertStrictEquals of zeros");
  expect(!fails(() => assertStringIncludes("abc", "b")), "assertStringIncludes");
  expect(fails(() => assertStringIncludes("abc", "d")), "assertStringIncludes without");
  expect(!fails(() => assertMatch("abc", /b/)) && fails(() => assertMatch("a", /b/)), "match");
  expect(!fails(() => assertNotStrictEquals(one, {})), "assertNotStrictEquals of equals");
  expect(!fails(() => assertNotStrictEquals(0, -0)), "assertNotStrictEquals of zeros");
  expect(fails(() => assertNotStrictEquals(NaN, NaN)), "assertNotStrictEquals of the same");
  expect(!fails(() => assertAlmostEquals(0.1 + 0.2, 0.3)), "assertAlmostEquals");
  expect(fails(() => assertAlmostEquals(1, 1.1, 0.01)), "assertAlmostEquals of far ones");
  expect(fails(() => assertAlmostEquals(NaN, 1)), "assertAlmostEquals of NaN");
  expect(!fails(() => assertAlmostEquals(NaN, NaN)), "assertAlmostEquals of NaN twice");
  expect(!fails(() => assertAlmostEquals(Infinity, Infinity)), "assertAlmostEquals of Infinity");
  expect(fails(() => assertAlmostEquals(1e9, Infinity)), "assertAlmostEquals near Infinity");
  expect(
    !fails(() => assertAlmostEquals(1e9 + 1, 1e9)),
    "a tolerance that grows with the number",
  );
  expect(fails(() => assertAlmostEquals(1e-8, 0)), "a tolerance of nothing around 0");
  expect(!fails(() => assertGreater(2, 1)) && fails(() => assertGreater(1, 1)), "greater");
  expect(!fails(() => assertLess(1, 2)) && fails(() => assertLess(1, 1)), "less");
  expect(!fails(() => assertGreaterOrEqual(1, 1)), "assertGreaterOrEqual");
  expect(fails(() => assertGreaterOrEqual(0, 1)), "assertGreaterOrEqual of less");
  expect(fails(() => assertGreater(NaN, 1)) && fails(() => assertLess(NaN, 1)), "NaN");
});

pureTest("failed assertions tell what they found, and what is asked of them instead", async () => {
  const failures: [() => unknown, string][] = [
    [() => assertGreater(1, 2), "Expect 1 > 2"],
    [() => assertGreater(1, 2, "why"), "why"],
    [() => assertGreaterOrEqual(1, 2), "Expect 1 >= 2"],
    [() => assertGreaterOrEqual(1, 2, "why"), "why"],
    [() => assertLess(2, 1), "Expect 2 < 1"],
    [() => assertLess(2, 1, "why"), "why"],
    [
      () => assertAlmostEquals(1, 1.5, 0.25, "why"),
      'Expected actual: "1" to be close to "1.5e+0": ' +
      'delta "5e-1" is greater than "2.5e-1": why',
    ],
    [
      () => assertInstanceOf(() => {}, Date),
      'Expected object to be an instance of "Date" but was not an instanced object.',
    ],
    [
      () => assertInstanceOf({ constructor: { name: "Date" } }, Date),
      'Expected object to be an instance of "Date".',
    ],
    [() => assertRejects(() => Promise.reject(1), Error), "A non-Error object was rejected."],
    [
      () =>
        assertThrows(() => {
          throw 1;
        }, Error),
      "A non-Error object was thrown.",
    ],
  ];
  for (const [assertion, expected] of failures) {
    let found = "no error";
    try {
      await assertion();
    } catch (error) {
      found = error instanceof Error ? error.message : String(error);
    }
    expect(found === expected, `${found}" is "${expected}`);
  }
});

pureTest("assertThrows() gives the error of the right class and text", () => {
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
  const red = () => {
    throw new Error("\x1b[31mred\x1b[0m apple");
  };
  expect(!fails(() => assertThrows(red, Error, "red apple")), "colours do not count");
});

pureTest("assertRejects() gives the error of the right class and text", async () => {
  const boom = () => Promise.reject(new RangeError("too far"));
  const error: RangeError = await assertRejects(boom, RangeError, "far");
  expect(error.message === "too far", "the error comes back");
  await assertRejects(() => assertRejects(boom, TypeError), Error, "RangeError");
  await assertRejects(() => assertRejects(boom, RangeError, "near"), Error);
  await assertRejects(() => assertRejects(() => Promise.resolve()), Error);
  const synchronous = () => {
    throw new RangeError("too early");
  };
  await assertRejects(() => assertRejects(synchronous), Error, "expected to reject");
  const thenable = { then: (_: unknown, reject: (reason: Error) => void) => reject(error) };
  expect(await assertRejects(() => thenable as PromiseLike<unknown>) === error, "a thenable");
  const callable = Object.assign(() => {}, thenable) as unknown as PromiseLike<unknown>;
  await assertRejects(() => assertRejects(() => callable), Error, "expected to reject");
});

/** The lines of a text that arrives in these chunks. */
function linesOf(chunks: string[], options?: { allowCR?: boolean }): Promise<string[]> {
  return Array.fromAsync(ReadableStream.from(chunks).pipeThrough(new TextLineStream(options)));
}

pureTest("TextLineStream cuts at line ends, wherever the chunks do", async () => {
  const text = "a\n\nb\r\nc\rd\n";
  const lines = ["a", "", "b", "c\rd"];
  assertEquals(await linesOf([text]), lines);
  assertEquals(await linesOf([...text]), lines);
  assertEquals(await linesOf(["a\n", "rest"]), ["a", "rest"]);
  assertEquals(await linesOf(["", ""]), []);
  assertEquals(await linesOf(["a\r", "", "\nb\r"]), ["a", "b\r"]);
  assertEquals(await linesOf(["\r", "\r\n"]), ["\r"]);
  assertEquals(await linesOf(["\ud83d", "\ude00\n\u2028\v\f\x85"]), ["😀", "\u2028\v\f\x85"]);
});

pureTest("TextLineStream cuts at lone carriage returns if asked", async () => {
  const text = "a\rb\r\nc\n\r\rd\r";
  const lines = ["a", "b", "c", "", "", "d"];
  assertEquals(await linesOf([text], { allowCR: true }), lines);
  assertEquals(await linesOf([...text], { allowCR: true }), lines);
  assertEquals(await linesOf(["a\r", "", "\nb"], { allowCR: true }), ["a", "b"]);
  assertEquals(await linesOf(["\r"], { allowCR: true }), [""]);
  assertEquals(await linesOf(["a\r", "\r"], { allowCR: true }), ["a", ""]);
  assertEquals(await linesOf(["a", "b\r", "c"], {}), ["ab\rc"]);
});

/** The names that the code imports from packages of the standard library, by module. */
async function importedNames(): Promise<Map<string, Set<string>>> {
  const names = new Map<string, Set<string>>();
  for await (const path of sourceFiles(new URL("../../", import.meta.url))) {
    const imports = /import\s+\{([^}]*)\}\s+from\s+"(@std\/[^"]+)"/g;
    for (const [, list, module] of (await Deno.readTextFile(path)).matchAll(imports)) {
      const known = names.get(module) ?? new Set();
      for (const name of list.split(",")) if (name.trim() !== "") known.add(name.trim());
      names.set(module, known);
    }
  }
  return names;
}

async function* sourceFiles(folder: URL): AsyncGenerator<URL> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory && !/^\.|^node_modules$/.test(name)) {
      yield* sourceFiles(new URL(`${name}/`, folder));
    } else if (name.endsWith(".ts")) {
      yield new URL(name, folder);
    }
  }
}

Deno.test("tools/offline has just the modules and functions that the project imports", async () => {
  const { imports }: { imports: Record<string, string> } = offlineMap;
  const modules = Object.keys(imports).filter((module) => module.startsWith("@std/"));
  const imported = await importedNames();
  assertEquals(modules.sort(), [...imported.keys()].sort());
  for (const [module, names] of imported) {
    const standIn = await import(`../../tools/offline/${imports[module]}`);
    assertEquals(Object.keys(standIn).sort(), [...names].sort(), module);
  }
});

Deno.test("tools/offline maps every other package as deno.json does", () => {
  const others = Object.entries(config.imports).filter(([name]) => !name.startsWith("@std/"));
  const offline = Object.entries(offlineMap.imports).filter(([name]) => !name.startsWith("@std/"));
  assertEquals(Object.fromEntries(offline), Object.fromEntries(others));
});
