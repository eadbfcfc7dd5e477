import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";

// The rules of the house (docs/ARCHITECTURE.md), read from the sources.

const ROOT = new URL("../", import.meta.url);

/** The rooms of `lib/`, and which others each may import. */
const ROOMS: Record<string, readonly string[]> = {
  server: ["wire", "media", "core"],
  client: ["wire", "viewers", "core"],
  viewers: ["media", "core"],
  wire: ["core"],
  media: ["core"],
  core: [],
};

const ENTRIES = ["server.ts", "client.ts"];

/** Lines that a file may have. */
const LONGEST_ENTRY = 40;
const LONGEST_FILE = 400;

/** Modules of `wire`, and those of NUT, that deal with streams; all others are pure. */
const NOT_PURE = ["wire/connection.ts", "media/nut_reader.ts", "media/nut_writer.ts"];

/** What pure code does without: the system, streams, clocks, chance. */
const IMPURE =
  /\b(Deno\.|fetch\(|new \w+Stream\b|(Read|Writ)ableStream|setTimeout|setInterval|performance\.|Date\b|Math\.random|crypto\.)/;

/** Names that say nothing of what is inside. */
const EMPTY_NAMES = /^(misc|utils?|helpers?|common)(_test)?\.ts$/;

interface Source {
  /** Path from the root of the repository. */
  path: string;
  text: string;
  /** The text without comments. */
  code: string;
}

function test(name: string, fn: () => void): void {
  Deno.test({ name, permissions: { read: true }, fn });
}

function readSources(): Source[] {
  const paths = [...ENTRIES, ...["lib", "tests", "tools", "bench"].flatMap(findModules)];
  return paths.map((path) => {
    const text = Deno.readTextFileSync(new URL(path, ROOT));
    const code = text.replaceAll(/\/\*[^]*?\*\//g, "").replaceAll(/(^|\s)\/\/.*$/gm, "");
    return { path, text, code };
  });
}

function findModules(folder: string): string[] {
  const entries = [...Deno.readDirSync(new URL(folder, ROOT))];
  return entries.flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    return isDirectory ? findModules(path) : name.endsWith(".ts") ? [path] : [];
  });
}

/** The room that a path below `lib/` belongs to. */
function roomOf(path: string): string | undefined {
  return path.match(/^lib\/([^/]+)\//)?.[1];
}

/** What a module imports: paths from the root for its neighbours, names for packages. */
function importsOf({ path, code }: Source): string[] {
  const found = code.matchAll(
    /(?:^(?:import|export)\s(?:[^"';]*?\sfrom\s)?|\bimport\(\s*)"([^"\n]+)"/gm,
  );
  return [...found].map(([, specifier]) =>
    specifier.startsWith(".")
      ? new URL(specifier, new URL(path, ROOT)).href.slice(ROOT.href.length)
      : specifier
  );
}

const SOURCES = readSources();
const IN_LIB = SOURCES.filter(({ path }) => path.startsWith("lib/"));

/** All sources but this one, which has to name what it forbids. */
const OTHERS = SOURCES.filter(({ path }) => path !== "tests/repository_test.ts");

/** Paths of the sources in which a pattern is found. */
function findIn(sources: readonly Source[], pattern: RegExp, part: "text" | "code"): string[] {
  return sources.filter((source) => pattern.test(source[part])).map(({ path }) => path);
}

test("lib has the rooms of the house, and nothing beside them", () => {
  const entries = [...Deno.readDirSync(new URL("lib", ROOT))].map(({ name }) => name);
  assertEquals(entries.sort(), Object.keys(ROOMS).sort());
});

test("imports go one way, and wire and media never meet", () => {
  const forbidden = IN_LIB.flatMap((source) => {
    const room = roomOf(source.path) ?? "";
    const allowed = [room, ...ROOMS[room]];
    return importsOf(source)
      .filter((target) => target.endsWith(".ts") && !allowed.includes(roomOf(target) ?? ""))
      .map((target) => `${source.path} imports ${target}`);
  });
  assertEquals(forbidden, []);
});

test("the entries import from lib alone", () => {
  for (const source of SOURCES.filter(({ path }) => ENTRIES.includes(path))) {
    for (const target of importsOf(source)) assert(target.startsWith("lib/"), target);
  }
});

test("packages are imported by the names that deno.json gives them", () => {
  const { imports } = readConfig();
  const names = Object.keys(imports);
  for (const source of SOURCES) {
    const packages = importsOf(source).filter((target) =>
      !/\.(ts|json|js|css|html|svg)$/.test(target)
    );
    for (const name of packages.filter((name) => !name.startsWith("node:"))) {
      const known = names.some((known) => name === known || name.startsWith(`${known}/`));
      assert(known, `${source.path} imports ${name}`);
    }
  }
});

test("only entries and tools end the process or read its arguments", () => {
  const programs = /^(server\.ts|client\.ts|tools\/|bench\/|tests\/)/;
  const others = SOURCES.filter(({ path }) => !programs.test(path));
  assertEquals(findIn(others, /\bDeno\.(exit|args)\b/, "code"), []);
});

test("entries are short, and no file is long", () => {
  for (const { path, text } of SOURCES) {
    const lines = text.split("\n").length - 1;
    assertLess(lines, 1 + (ENTRIES.includes(path) ? LONGEST_ENTRY : LONGEST_FILE), path);
  }
});

test("codecs are pure", () => {
  const codecs = IN_LIB.filter(({ path }) => /^lib\/(wire\/|media\/nut_)/.test(path))
    .filter(({ path }) => !NOT_PURE.includes(path.slice("lib/".length)));
  assert(codecs.length > 10);
  assertEquals(findIn(codecs, IMPURE, "code"), []);
});

test("codecs import only what is pure too", () => {
  const pure = /^lib\/(core\/(errors|frame)\.ts|wire\/|media\/nut_)/;
  for (const source of IN_LIB.filter(({ path }) => /^lib\/(wire\/|media\/nut_)/.test(path))) {
    if (NOT_PURE.includes(source.path.slice("lib/".length))) continue;
    for (const target of importsOf(source)) {
      const isPure = pure.test(target) && !NOT_PURE.includes(target.slice("lib/".length));
      assert(isPure, `${source.path} imports ${target}`);
    }
  }
});

test("tests mirror the rooms", () => {
  const beside = ["peers", "programs", "support", "tools", "bench", "fuzz"];
  const folders = [...Deno.readDirSync(new URL("tests", ROOT))]
    .filter(({ isDirectory }) => isDirectory)
    .map(({ name }) => name);
  const rooms = folders.filter((name) => !beside.includes(name));
  assertEquals(rooms.sort(), Object.keys(ROOMS).sort());
});

test("a test of one module stands under its name in its own room", () => {
  const modules = new Map(IN_LIB.map(({ path }) => [path.split("/").at(-1) ?? "", path]));
  const names = IN_LIB.map(({ path }) => path.split("/").at(-1));
  for (const { path } of SOURCES.filter(({ path }) => path.endsWith("_test.ts"))) {
    const [, room, name] = path.match(/^tests\/(\w+)\/(\w+)_test\.ts$/) ?? [];
    const module = modules.get(`${name}.ts`);
    // Some names occur in several rooms: flags, request.
    const isUnique = names.filter((other) => other === `${name}.ts`).length === 1;
    if (module === undefined || !isUnique || ROOMS[room] === undefined) continue;
    assertEquals(roomOf(module), room, path);
  }
});

test("files have names in snake_case that say something", () => {
  for (const { path } of SOURCES) {
    const name = path.split("/").at(-1) ?? "";
    assert(/^[a-z0-9]+(_[a-z0-9]+)*\.ts$/.test(name) && !EMPTY_NAMES.test(name), path);
  }
});

test("nothing is left open, and no check is turned off", () => {
  assertEquals(findIn(OTHERS, /\b(TODO|FIXME|XXX)\b/, "text"), []);
  assertEquals(
    findIn(OTHERS, /deno-(lint|fmt)-ignore|@ts-(ignore|expect-error|nocheck)/, "text"),
    [],
  );
  assertEquals(findIn(OTHERS, /(:|<|\bas)\s*any\b(\[\])?\s*[;,)>=|&{}]/, "code"), []);
  assertEquals(findIn(OTHERS, /\bcatch\s*(\([^)]*\))?\s*\{\s*\}/, "text"), []);
  assertEquals(findIn(OTHERS, /Deno\.test\.(only|ignore)|\bonly:\s*true/, "code"), []);
});

test("whatever lib exports is documented", () => {
  for (const { path, text } of IN_LIB) {
    const lines = text.split("\n");
    for (const [at, line] of lines.entries()) {
      const isDeclaration = /^export (async |abstract )?(function|class|const|interface|type) \w/;
      if (isDeclaration.test(line)) {
        assert(lines[at - 1]?.endsWith("*/"), `${path}:${at + 1}: ${line}`);
      }
    }
  }
});

interface Config {
  imports: Record<string, string>;
  tasks: Record<string, { description: string; command: string }>;
  test: Record<string, boolean>;
  version: string;
}

function readConfig(): Config {
  return JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT)));
}

test("deno.json has the agreed parts", () => {
  assertEquals(Object.keys(readConfig()), [
    ...["version", "lock", "nodeModulesDir", "imports", "tasks", "test", "fmt", "lint"],
  ]);
  assertEquals(Object.keys(readConfig().tasks), [
    ...["test", "check", "ok", "build", "demo", "bench", "fuzz", "soak", "media"],
  ]);
});

test("the version is one, and the changelog begins with it", () => {
  const { version } = readConfig();
  assertMatch(version, /^\d+\.\d+\.\d+$/);
  const changelog = Deno.readTextFileSync(new URL("CHANGELOG.md", ROOT));
  const [, newest] = changelog.match(/^## \[(\d[^\]]*)\]/m) ?? [];
  assertEquals(newest, version);
});

test("deno.json pins every package, and keeps the sanitizers on", () => {
  const { imports, test: settings } = readConfig();
  for (const [name, target] of Object.entries(imports)) {
    const registry = name.startsWith("@std/") ? "jsr" : "npm";
    assert(new RegExp(`^${registry}:${name}@\\d+\\.\\d+\\.\\d+$`).test(target), target);
  }
  assertEquals(settings, { sanitizeOps: true, sanitizeResources: true });
});
