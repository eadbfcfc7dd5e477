import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";

// The rules of the code (docs/ARCHITECTURE.md), read from the sources.

const ROOT = new URL("../", import.meta.url);

/** The rooms of `lib/`, and which others each may import (docs/ARCHITECTURE.md). */
const ROOMS: Record<string, readonly string[]> = {
  base: [],
  cli: ["base"],
  net: ["base"],
  media: ["base"],
  containers: ["media", "base"],
  nut: ["media", "base"],
  ffmpeg: ["nut", "media", "base"],
  protocol: ["net", "media", "base"],
  sources: ["protocol", "ffmpeg", "nut", "containers", "net", "media", "base"],
  sinks: ["ffmpeg", "nut", "media", "base"],
  playback: ["sinks", "protocol", "media", "base"],
  web: ["playback", "sinks", "protocol", "ffmpeg", "net", "media", "base"],
  server: ["sources", "playback", "protocol", "web", "ffmpeg", "net", "cli", "media", "base"],
  client: [
    "sources",
    "sinks",
    "playback",
    "web",
    "protocol",
    "ffmpeg",
    "net",
    "cli",
    "media",
    "base",
  ],
};

const ENTRIES = ["server.ts", "client.ts"];

/** The functions that programs import, and the rooms that they come from. */
const MODULE = "mod.ts";
const MODULE_ROOMS = ["client", "server", "protocol", "net", "media", "base"];

/** Lines that a file may have. */
const LONGEST_ENTRY = 40;
const LONGEST_FILE = 400;

/** Files that a folder of `lib/` may have. */
const LARGEST_FOLDER = 15;

/** Codecs: bytes in, values out. */
const CODECS = /^lib\/(protocol|nut|containers)\//;

/** The modules beside the codecs that read and write streams. */
const NOT_PURE = [
  ...["protocol/script/message_reader.ts", "protocol/script/receiver.ts"],
  "protocol/script/replies.ts",
  ...["protocol/native/connection.ts", "protocol/native/client.ts"],
  "protocol/script/datagrams/receiver.ts",
  ...["nut/reader.ts", "nut/writer.ts"],
];

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
  return ["lib", "tests", "tools", "bench"].reduce<Source[]>(
    (sources, folder) => [...sources, ...readModules(folder, /\.ts$/)],
    [...ENTRIES, MODULE].map(readSource),
  );
}

function readModules(folder: string, names: RegExp): Source[] {
  return findFiles(folder, names).map(readSource);
}

function readSource(path: string): Source {
  const text = Deno.readTextFileSync(new URL(path, ROOT));
  const code = text.replaceAll(/\/\*[^]*?\*\//g, "").replaceAll(/(^|\s)\/\/.*$/gm, "");
  return { path, text, code };
}

function findFiles(folder: string, names: RegExp): string[] {
  const entries = [...Deno.readDirSync(new URL(folder, ROOT))];
  return entries.flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    return isDirectory ? findFiles(path, names) : names.test(name) ? [path] : [];
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

/** The documents, whose paths are checked. */
const DOCUMENTS = [
  ...["README.md", "CONTRIBUTING.md", "SECURITY.md", "deploy/README.md", "bench/README.md"],
  ...findFiles("docs", /\.md$/),
];

/** Words that the README may have. */
const LONGEST_README = 900;

/** Text in backticks that looks like a relative path; its first part is captured. */
const MAYBE_PATH = /^(\.?\w[\w.-]*)(\/[\w.-]+)*\/?$/;

/** Ends that make it a path: `lib/nut/`, `nut/reader.ts`, `relay.py`. */
const PATH_END = /(\/|\w\.(ts|js|css|html|md|json|sh|py|cfg|service))$/;

/** Paths of all files and folders of the repository; folders end in a slash. */
function allPaths(): string[] {
  const files = [...Deno.readDirSync(ROOT)].flatMap(({ name, isDirectory }) => {
    if (name === ".git" || name === "node_modules") return [];
    return isDirectory ? findFiles(name, /./) : [name];
  });
  const folders = files.flatMap((path) =>
    [...path.matchAll(/\//g)].map(({ index }) => path.slice(0, index + 1))
  );
  return [...new Set([...files, ...folders])];
}

const SOURCES = readSources();
const IN_LIB = SOURCES.filter(({ path }) => path.startsWith("lib/"));

/** All sources but this one, which has to name what it forbids. */
const OTHERS = SOURCES.filter(({ path }) => path !== "tests/repository_test.ts");

/** Paths of the sources in which a pattern is found. */
function findIn(sources: readonly Source[], pattern: RegExp, part: "text" | "code"): string[] {
  return sources.filter((source) => pattern.test(source[part])).map(({ path }) => path);
}

test("lib has the rooms of the table, and no others", () => {
  const entries = [...Deno.readDirSync(new URL("lib", ROOT))].map(({ name }) => name);
  assertEquals(entries.sort(), Object.keys(ROOMS).sort());
});

test("imports go one way", () => {
  const forbidden = IN_LIB.flatMap((source) => {
    const room = roomOf(source.path) ?? "";
    const allowed = [room, ...ROOMS[room]];
    return importsOf(source)
      .filter((target) => target.endsWith(".ts") && !allowed.includes(roomOf(target) ?? ""))
      .map((target) => `${source.path} imports ${target}`);
  });
  assertEquals(forbidden, []);
});

test("no imports form a circle", () => {
  const graph = new Map(
    readModules("lib", /\.(ts|js)$/).map((source) => [source.path, importsOf(source)]),
  );
  const done = new Set<string>();
  function follow(path: string, trail: readonly string[]): void {
    const start = trail.indexOf(path);
    assert(start < 0, `a circle: ${[...trail.slice(start), path].join(" -> ")}`);
    if (done.has(path)) return;
    for (const target of graph.get(path) ?? []) follow(target, [...trail, path]);
    done.add(path);
  }
  for (const path of graph.keys()) follow(path, []);
});

test("no folder of lib or of the Python package is large", () => {
  const files = [...findFiles("lib", /./), ...findFiles("python/stream_client", /\.py$/)];
  const folders = files.map((path) => path.slice(0, path.lastIndexOf("/")));
  for (const folder of new Set(folders)) {
    const size = folders.filter((other) => other === folder).length;
    assertLess(size, 1 + LARGEST_FOLDER, folder);
  }
});

test("the entries import from lib alone", () => {
  for (const source of SOURCES.filter(({ path }) => ENTRIES.includes(path))) {
    for (const target of importsOf(source)) assert(target.startsWith("lib/"), target);
  }
});

test("the module re-exports from lib, and adds nothing", () => {
  const { code, ...source } = readSource(MODULE);
  for (const target of importsOf({ ...source, code })) {
    assert(MODULE_ROOMS.includes(roomOf(target) ?? ""), target);
  }
  const rest = code.replaceAll(/^export (type )?\{[^}]*\} from "[^"]+";$/gm, "");
  assertEquals(rest.trim(), "");
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
  const page = readModules("lib/web/page", /\.(css|html|js)$/);
  const python = readModules("python", /\.py$/);
  for (const { path, text } of [...SOURCES, ...page, ...python]) {
    const lines = text.split("\n").length - 1;
    assertLess(lines, 1 + (ENTRIES.includes(path) ? LONGEST_ENTRY : LONGEST_FILE), path);
  }
});

const PURE = IN_LIB.filter(({ path }) =>
  CODECS.test(path) && !NOT_PURE.includes(path.slice("lib/".length))
);

test("codecs are pure", () => {
  assert(PURE.length > 10);
  assertEquals(findIn(PURE, IMPURE, "code"), []);
});

test("codecs import only what is pure too", () => {
  const beside = [
    ...["lib/base/errors.ts", "lib/media/frame.ts", "lib/media/tags.ts"],
    ...["lib/net/observer.ts", "lib/net/secret.ts"],
  ];
  const pure = [...PURE.map(({ path }) => path), ...beside];
  const forbidden = PURE.flatMap((source) =>
    importsOf(source)
      .filter((target) => !pure.includes(target))
      .map((target) => `${source.path} imports ${target}`)
  );
  assertEquals(forbidden, []);
});

test("tests mirror the rooms", () => {
  const beside = ["peers", "programs", "python", "support", "tools", "bench", "fuzz"];
  const folders = [...Deno.readDirSync(new URL("tests", ROOT))]
    .filter(({ isDirectory }) => isDirectory)
    .map(({ name }) => name);
  const rooms = folders.filter((name) => !beside.includes(name));
  assertEquals(rooms.sort(), Object.keys(ROOMS).sort());
});

test("a test of one module stands under its name in its own folder", () => {
  const folders = new Map<string, string[]>();
  for (const { path } of IN_LIB) {
    const [, folder, name] = path.match(/^lib\/(.+)\/(\w+)\.ts$/) ?? [];
    folders.set(name, [...folders.get(name) ?? [], folder]);
  }
  for (const { path } of SOURCES) {
    const [, folder, name] = path.match(/^tests\/(.+)\/(\w+)_test\.ts$/) ?? [];
    const homes = folders.get(name);
    if (homes === undefined || ROOMS[folder.split("/")[0]] === undefined) continue;
    assert(homes.includes(folder), `${path}, expected in ${homes.join(" or ")}`);
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
  compilerOptions: Record<string, unknown>;
  tasks: Record<string, { description: string; command: string }>;
  test: Record<string, boolean>;
  version: string;
}

function readConfig(): Config {
  return JSON.parse(Deno.readTextFileSync(new URL("deno.json", ROOT)));
}

test("deno.json has the agreed parts", () => {
  assertEquals(Object.keys(readConfig()), [
    ...["name", "version", "exports", "lock", "nodeModulesDir", "imports", "compilerOptions"],
    ...["tasks", "test", "fmt", "lint"],
  ]);
  assertEquals(Object.keys(readConfig().tasks), [
    ...["test", "check", "ok", "build", "demo", "bench", "fuzz", "soak", "media"],
  ]);
});

test("the types of the page's JavaScript are checked", () => {
  assertEquals(readConfig().compilerOptions, { checkJs: true });
});

test("the README is short", () => {
  const words = Deno.readTextFileSync(new URL("README.md", ROOT)).trim().split(/\s+/);
  assertLess(words.length, 1 + LONGEST_README);
});

test("each path that a document names exists", () => {
  const paths = allPaths();
  const missing = DOCUMENTS.flatMap((document) => {
    const text = Deno.readTextFileSync(new URL(document, ROOT)).replaceAll(/^```[^]*?^```/gm, "");
    const links = [...text.matchAll(/\]\(([^)#]+)[^)]*\)/g)]
      .filter(([, target]) => !/^\w+:/.test(target))
      .map(([, target]) => new URL(target, new URL(document, ROOT)).href.slice(ROOT.href.length))
      .filter((target) => !paths.includes(target));
    // The end of a path is enough: rooms stand without `lib/`, and files beside the document.
    const isPath = (name: string) => paths.some((path) => `/${path}`.endsWith(`/${name}`));
    const names = [...text.matchAll(/`([^`\n]+)`/g)].map(([, name]) => name).filter((name) => {
      const [, first, more] = name.match(MAYBE_PATH) ?? [];
      const isNamed = PATH_END.test(name) || (more !== undefined && isPath(`${first}/`));
      return first !== undefined && isNamed && !isPath(name) && !isPath(`${name}/`);
    });
    return [...links, ...names].map((path) => `${document}: ${path}`);
  });
  assertEquals(missing, []);
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
