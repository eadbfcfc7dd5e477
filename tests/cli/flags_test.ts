import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/base/errors.ts";
import {
  choice,
  describeFlags,
  list,
  number,
  optionalText,
  parseArguments,
  parseFlags,
  parseTime,
  text,
  toggle,
  toNumber,
} from "../../lib/cli/flags.ts";
import { pureTest } from "../support/pure_test.ts";

const TABLE = {
  host: text("ADDRESS", "where", "localhost"),
  output: text("FILE", "whereto", undefined),
  image: optionalText("NAME", "which"),
  view: choice(["window", "none"], "how", undefined),
  level: choice(["low", "high"], "how much", "low"),
  port: number("PORT", "door", { absent: 7777, bounds: { min: 0, max: 65535, integer: true } }),
  start: number("S", "when", { absent: undefined, bounds: { min: -10, max: Infinity } }),
  json: toggle("as JSON"),
};

const parse = (...args: string[]) => parseFlags(TABLE, args);

/** The message of the refusal of a command line. */
function refusal(...args: string[]): string {
  return assertThrows(() => parse(...args), UsageError).message;
}

pureTest("parseFlags() gives absent flags their values", () => {
  assertEquals(parse(), {
    host: "localhost",
    output: undefined,
    image: undefined,
    view: undefined,
    level: "low",
    port: 7777,
    start: undefined,
    json: false,
  });
});

pureTest("parseFlags() collects flags that may stand several times, in their order", () => {
  const table = { part: list("A=B", "some, several times", (value) => value.split("=")), ...TABLE };
  assertEquals(parseFlags(table, []).part, []);
  const { part, host } = parseFlags(table, ["--part", "a=1", "--host", "h", "--part=b=--x"]);
  assertEquals([part, host], [[["a", "1"], ["b", "--x"]], "h"]);
  assertThrows(() => parseFlags(table, ["--part", "a", "--part"]), UsageError, "expected A=B");
});

pureTest("parseFlags() takes --flag value and --flag=value alike", () => {
  const spaced = parse("--host", "h", "--view", "none", "--port", "0", "--json", "--image", "a b");
  const joined = parse("--host=h", "--view=none", "--port=0", "--json", "--image=a b");
  assertEquals(spaced, joined);
  assertEquals([joined.host, joined.view, joined.port], ["h", "none", 0]);
  assertEquals([joined.json, joined.image], [true, "a b"]);
});

pureTest("parseFlags() keeps values as they are written", () => {
  assertStrictEquals(parse("--output", "-").output, "-");
  assertStrictEquals(parse("--output=--odd=name").output, "--odd=name");
  assertStrictEquals(parse("--output", "a=b").output, "a=b");
  assertStrictEquals(parse("--host", "007").host, "007");
  assertStrictEquals(parse("--host", "1e3").host, "1e3");
  assertStrictEquals(parse("--host", "true").host, "true");
  assertStrictEquals(parse("--image", "line\nbreak").image, "line\nbreak");
  assertStrictEquals(parse("--image=line\nbreak").image, "line\nbreak");
  assertStrictEquals(parse("--host", "false").host, "false");
  assertStrictEquals(parse("--host=false").host, "false");
  assertStrictEquals(parse("--host==").host, "=");
  assertStrictEquals(parse("--start", "-2.5").start, -2.5);
  assertStrictEquals(parse("--start", "-.5").start, -0.5);
  assertStrictEquals(parse("--start=-2.5").start, -2.5);
});

pureTest("parseFlags() lets the last of several win", () => {
  assertStrictEquals(parse("--port", "1", "--port", "2").port, 2);
  assertStrictEquals(parse("--host=a", "--host=b").host, "b");
});

pureTest("parseFlags() returns an omitted optional value as an empty text", () => {
  assertStrictEquals(parse("--image").image, "");
  assertEquals(parse("--image", "--json"), { ...parse("--json"), image: "" });
});

pureTest("parseFlags() refuses a flag whose value is missing", () => {
  for (const args of [["--host"], ["--host="], ["--host", ""], ["--host", "--json"]]) {
    assertStrictEquals(refusal(...args), "Cannot use --host: expected ADDRESS after it");
  }
  assertStrictEquals(refusal("--output", "-x"), "Cannot use --output: expected FILE after it");
  assertStrictEquals(refusal("--port", "--5"), "Cannot use --port: expected PORT after it");
  assertStrictEquals(refusal("--port", "1", "--port"), "Cannot use --port: expected PORT after it");
});

pureTest("parseFlags() refuses an optional value that is empty, instead of leaving it out", () => {
  for (const args of [["--image="], ["--image", ""]]) {
    assertStrictEquals(refusal(...args), "Cannot use --image: expected NAME after it");
  }
});

pureTest("parseFlags() refuses a value of a flag without one", () => {
  for (const value of ["", "0", "1", "true", "false", "yes", "no", "\n"]) {
    assertStrictEquals(
      refusal(`--json=${value}`),
      `Cannot use "--json=${value}": --json takes no value`,
    );
  }
  for (const value of ["0", "true", "false", "yes", ""]) {
    assertStrictEquals(
      refusal("--json", value),
      `Cannot use "${value}": expected a flag such as --host`,
    );
  }
});

pureTest("parseFlags() refuses unknown flags and offers the nearest", () => {
  assertStrictEquals(
    refusal("--prot", "1"),
    'Cannot use "--prot": no such flag, did you mean --port?',
  );
  assertStrictEquals(refusal("--colour"), 'Cannot use "--colour": no such flag');
  assertStrictEquals(
    refusal("--PORT=1"),
    'Cannot use "--PORT=1": no such flag, did you mean --port?',
  );
});

pureTest("parseFlags() refuses single dashes, and reads them as a whole word", () => {
  assertStrictEquals(
    refusal("-port", "1"),
    'Cannot use "-port": no such flag, did you mean --port?',
  );
  for (const flag of ["-p", "-p=1", "-p1", "-jv", "-jxyz", "-7", "-=", "-=1", "-p\n"]) {
    assertStrictEquals(refusal(flag, "1"), `Cannot use "${flag}": no such flag`);
  }
  assertStrictEquals(refusal("-"), 'Cannot use "-": expected a flag such as --host');
});

pureTest("parseFlags() refuses the opposite of a flag, whatever it is given", () => {
  for (const flag of ["--no-json", "--no-json=", "--no-json=1", "--no-json=false"]) {
    assertStrictEquals(
      refusal(flag),
      `Cannot use "${flag}": no such flag, leave out --json instead`,
    );
  }
  for (const flag of ["--no-host", "--no-host=", "--no-host=h", "--no-host=a\nb"]) {
    assertStrictEquals(
      refusal(flag),
      `Cannot use "${flag}": no such flag, did you mean --host?`,
    );
  }
  const table = { part: list("A", "some", (value) => value), "no-audio": toggle("silent") };
  for (const flag of ["--no-part=a", "--no-part", "--no-no-audio", "--audio"]) {
    assertThrows(() => parseFlags(table, [flag]), UsageError, `Cannot use "${flag}": no such flag`);
  }
  assertEquals(parseFlags(table, ["--no-audio"]), { part: [], "no-audio": true });
});

pureTest("parseFlags() refuses flags without a name", () => {
  for (const flag of ["--=", "--=1", "--=host", "---", "--no-", "--no-=", "--e=", "--no-=json"]) {
    assertStrictEquals(refusal(flag), `Cannot use "${flag}": no such flag`);
  }
});

pureTest("parseFlags() refuses the names of Object's properties, and changes no object", () => {
  const before = Reflect.ownKeys(Object.prototype);
  for (const name of ["__proto__", "constructor", "hasOwnProperty", "toString", "valueOf"]) {
    for (const flag of [name, `no-${name}`, `${name}.json`, `constructor.prototype.${name}`]) {
      for (const argument of [`--${flag}`, `--${flag}=1`, `--${flag}=`, `-${flag}`]) {
        assertStrictEquals(refusal(argument, "x"), `Cannot use "${argument}": no such flag`);
      }
    }
  }
  assertEquals(Reflect.ownKeys(Object.prototype), before);
  assertStrictEquals(Reflect.get({}, "json"), undefined);
});

pureTest("parseFlags() refuses the parts of a flag", () => {
  for (const flag of ["--host.x", "--host.x=1", "--json.x", "--host."]) {
    assert(refusal(flag).startsWith(`Cannot use "${flag}": no such flag`), refusal(flag));
  }
});

pureTest("parseFlags() refuses stray arguments", () => {
  for (const args of [["video"], ["--json", "video"], ["--", "video"], ["--host", "a", "video"]]) {
    assertStrictEquals(refusal(...args), 'Cannot use "video": expected a flag such as --host');
  }
  assertStrictEquals(
    refusal("--", "--json"),
    'Cannot use "--json": expected a flag such as --host',
  );
  assertStrictEquals(parse("--json", "--").json, true);
});

pureTest("parseFlags() refuses words that are not among the choices", () => {
  assertStrictEquals(refusal("--view", "tv"), 'Cannot use --view "tv": expected window, none');
  assertStrictEquals(refusal("--level=LOW"), 'Cannot use --level "LOW": expected low, high');
});

pureTest("toNumber() takes decimal numbers within the bounds", () => {
  const bounds = { min: -1, max: 10 };
  const read = ["-1", "10", "0.5", ".5", "5.", "007"].map((value) => toNumber(value, "n", bounds));
  assertEquals(read, [-1, 10, 0.5, 0.5, 5, 7]);
});

pureTest("toNumber() refuses everything else and names what it expects", () => {
  const bounds = { min: 0, max: 10, integer: true };
  for (const value of ["", "a", "1e1", "0x1", "1 ", "+1", "NaN", "Infinity", "1.5", "11", "-1"]) {
    assertThrows(
      () => toNumber(value, "n", bounds),
      UsageError,
      `Cannot use --n "${value}": expected a whole number from 0 to 10`,
    );
  }
  const open = { min: 1, max: Infinity };
  assertThrows(() => toNumber("0", "n", open), UsageError, "expected a number of at least 1");
  assertThrows(() => toNumber("9".repeat(400), "n", { min: 0, max: 1e9 }), UsageError);
});

pureTest("toNumber() names the word that a flag takes besides numbers", () => {
  const bounds = { min: 0.25, max: 8, word: "max" };
  assertThrows(
    () => toNumber("100", "speed", bounds),
    UsageError,
    'Cannot use --speed "100": expected a number from 0.25 to 8, or max',
  );
});

pureTest("parseTime() takes seconds, minutes and hours", () => {
  const bounds = { min: 0, max: 1e8 };
  const forms = { "90": 90, ".5": 0.5, "1.5": 1.5, "1:30": 90, "90:05.25": 5405.25, "0:00": 0 };
  for (const [text, seconds] of Object.entries({ ...forms, "1:02:03.5": 3723.5, "1:2:3": 3723 })) {
    assertStrictEquals(parseTime(text, "start", bounds), seconds, text);
  }
});

pureTest("parseTime() refuses everything else and shows the forms", () => {
  const wrong = [
    "",
    "soon",
    "1:60",
    "1:2:60",
    "1:60:00",
    ":30",
    "1:",
    "1:2:3:4",
    "-1",
    "1e3",
    "1 :2",
  ];
  for (const text of [...wrong, "11"]) {
    const { message } = assertThrows(
      () => parseTime(text, "start", { min: 0, max: 10 }),
      UsageError,
      `Cannot use --start "${text}": expected seconds from 0 to 10, or a time such as 1:30 or`,
    );
    assert(message.endsWith("1:02:03.5"), message);
  }
});

pureTest("parseArguments() separates flags and words", () => {
  const { flags, words } = parseArguments(TABLE, ["a.mp4", "--json", "b c", "--image", "d"]);
  assertEquals([flags.json, flags.image, words], [true, "d", ["a.mp4", "b c"]]);
});

pureTest("parseArguments() takes no word for the value of a flag without one", () => {
  for (const word of ["true", "False", "0", "1", "yes", "no", "on", "off"]) {
    assertThrows(() => parseArguments(TABLE, ["--json", word]), UsageError, `"${word}"`);
  }
  assertEquals(parseArguments(TABLE, ["1", "--json"]).words, ["1"]);
});

pureTest("parseFlags() takes the short form of a flag", () => {
  const table = { help: toggle("text", { short: "h" }), host: text("NAME", "where", undefined) };
  assertEquals(parseFlags(table, ["-h"]), { help: true, host: undefined });
  assertThrows(() => parseFlags(table, ["-h=1"]), UsageError, 'Cannot use "-h=1": no such flag');
  assertThrows(() => parseFlags(table, ["-H"]), UsageError, 'Cannot use "-H": no such flag');
  assert(describeFlags(table, { "All": ["help", "host"] }).includes("\n  --help, -h  "));
});

pureTest("describeFlags() shows every flag with its value under its title, in 80 columns", () => {
  const shown = describeFlags(TABLE, {
    "First": ["host", "output", "image", "view"],
    "Second": ["level", "port", "start", "json"],
  });
  assertEquals(shown.split("\n").slice(0, 4), [
    "First:",
    "  --host ADDRESS          where",
    "  --output FILE           whereto",
    "  --image [NAME]          which",
  ]);
  assert(shown.includes("\n\nSecond:\n  --level low|high        how much\n"), shown);
  assert(shown.endsWith("  --json                  as JSON\n"), shown);
  for (const line of shown.split("\n")) assert(line.length <= 80, line);
});
