import { assertEquals, assertFalse } from "@std/assert";
import { parseArgs } from "@std/cli/parse-args";
import { pureTest } from "../support/pure_test.ts";

// These run against the real package if JSR can be reached, and pin what it and its stand-in must do.

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
  [["--e="], {}, { _: [], e: "" }],
  [["--e="], { string: "e" }, { _: [], e: "" }],
  [["--e="], { boolean: "e" }, { _: [], e: true }],
  [["--e=", "x"], { collect: "e" }, { _: ["x"], e: [""] }],
  [["--e=0", "--f=no", "--g=false"], { boolean: ["e", "f", "g"] }, {
    _: [],
    e: true,
    f: true,
    g: false,
  }],
  [["--e=true"], {}, { _: [], e: "true" }],
  [["--e", "true", "--f", "false"], { string: ["e"] }, { _: [], e: "true", f: "false" }],
  [["--e=="], {}, { _: [], e: "=" }],
  [["--="], {}, { _: [], "=": true }],
  [["--=x"], {}, { _: [], "=x": true }],
  [["--=a=b"], {}, { _: [], "=a": "b" }],
  [["---"], {}, { _: [], "-": true }],
  [["---e=1"], {}, { _: [], "-e": 1 }],
  [["--no-", "x"], {}, { _: [], "no-": "x" }],
  [["--no-="], {}, { _: [], "no-=": true }],
  [["--no-=v"], {}, { _: [], "no-=v": true }],
  [["--no-e="], {}, { _: [], e: "" }],
  [["--no-e=", "--no-f=false"], { boolean: ["e", "f"] }, { _: [], e: true, f: false }],
  [["--no-e=/x"], { string: ["e"] }, { _: [], e: "/x" }],
  [["--no-e"], { boolean: ["e"] }, { _: [], e: false, "no-e": true }],
  [["--no-no-e"], { negatable: ["no-e"] }, { _: [], "no-e": false }],
  [["--no-e", "--no-e=1"], { boolean: ["no-e"] }, { _: [], "no-e": true, e: 1 }],
  [["--no-e", "false"], { boolean: ["no-e"] }, { _: [], "no-e": false }],
  [["-e=", "x"], {}, { _: ["x"], e: "" }],
  [["-e=1", "-f=a\nb"], {}, { _: [], e: 1, f: "a" }],
  [["-ef="], {}, { _: [], e: true, f: "" }],
  [["-e-", "-f./x", "-g-5"], {}, { _: [], e: "-", f: "./x", g: -5 }],
  [["-no-e"], {}, { _: [], n: true, o: "-e" }],
  [["-7", "-a", "-5"], {}, { _: [], 7: true, a: true, 5: true }],
  [["-a", "true", "-b", "false"], { boolean: ["a"], string: ["b"] }, {
    _: [],
    a: true,
    b: "false",
  }],
  [["--e", "-5", "--f=-5"], {}, { _: [], e: true, 5: true, f: -5 }],
  [["--e=1n", "--f= 5 ", "--g=Infinity", "--h=.5"], {}, {
    _: [],
    e: "1n",
    f: 5,
    g: "Infinity",
    h: 0.5,
  }],
  [["--constructor=1", "--__proto__=1", "--__proto__", "--constructor.prototype.e=1"], {}, {
    _: [],
  }],
  [["--toString=1"], {}, { _: [], toString: 1 }],
  [["--e.__proto__.f=1"], {}, { _: [], e: {} }],
  [[], { boolean: ["constructor", "__proto__"], string: "toString" }, { _: [] }],
  [["--_=1"], { "--": true }, { _: 1, "--": [] }],
  [["--e"], { alias: { e: ["f", "g"] }, boolean: "g" }, { _: [], e: true, f: true, g: true }],
  [["--e", "x"], { alias: { e: "f" }, boolean: "f" }, { _: ["x"], e: true, f: true }],
  [["--e=1", "--e"], { collect: "e", boolean: "e" }, { _: [], e: [true, true] }],
  [["--e=1"], { collect: "e", default: { e: [5] } }, { _: [], e: [1] }],
  [["x", "--", "--", "y"], { stopEarly: true }, { _: ["x", "--", "y"] }],
  [["--e=a=b", "--f=x\ny"], {}, { _: [], e: "a=b", f: "x\ny" }],
  [["--e", ""], { string: ["e"] }, { _: [""], e: "" }],
  [["--a.b", "1", "--a.c=2"], {}, { _: [], a: { b: 1, c: 2 } }],
  [["a", "--b"], { stopEarly: true }, { _: ["a", "--b"] }],
  [["5"], { string: ["_"] }, { _: ["5"] }],
  [["--a", "b"], { boolean: true }, { _: ["b"], a: true }],
];

pureTest("parseArgs() reads flags, values and the rest", () => {
  for (const [args, options, result] of COMMAND_LINES) {
    assertEquals<unknown>(parseArgs(args, options), result, JSON.stringify(args));
  }
});

pureTest("parseArgs() asks about what is not declared", () => {
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
});

pureTest(
  "parseArgs() does not ask about what is collected, and gives values as they are written",
  () => {
    const asked: unknown[][] = [];
    const parsed = parseArgs(
      ["--c", "1", "--no-c=2", "--e=", "--no-f=", "-g=", "--h=5", "--=", ""],
      {
        collect: ["c"],
        unknown(...question: unknown[]) {
          asked.push(question);
        },
      },
    );
    assertEquals<unknown>(parsed, {
      ...{ _: [""], c: [1, 2], e: "", f: "", g: "", h: 5, "=": true },
    });
    assertEquals(asked, [
      ["--e=", "e", ""],
      ["--no-f=", "f", ""],
      ["-g=", "g", ""],
      ["--h=5", "h", "5"],
      ["--=", "=", true],
      [""],
    ]);
  },
);

pureTest("parseArgs() changes no prototype by a flag that is named like one", () => {
  const names = ["__proto__", "__proto__.e", "constructor", "constructor.prototype.e"];
  const asked: unknown[] = [];
  const parsed = parseArgs(names.flatMap((name) => [`--${name}`, `--${name}=1`]), {
    unknown: (_argument: string, name?: string) => asked.push(name),
  });
  assertEquals(asked, names.flatMap((name) => [name, name]));
  assertEquals(Object.keys(parsed), ["_"]);
  assertEquals(Object.getPrototypeOf(parsed), Object.prototype);
  assertFalse("e" in {});
});

pureTest("parseArgs() gives typed values", () => {
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
});
