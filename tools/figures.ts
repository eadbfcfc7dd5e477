/**
 * Prints the figures of the code base as a table: `deno run --allow-read tools/figures.ts [FOLDER]`,
 * where FOLDER is a checkout, this one by default.
 */

interface TextFile {
  path: string;
  text: string;
  lines: number;
}

function readFiles(root: URL, folder: string, names: RegExp): TextFile[] {
  const found: TextFile[] = [];
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, root))) {
    const path = `${folder}/${name}`;
    if (isDirectory) found.push(...readFiles(root, path, names));
    else if (names.test(name)) {
      const text = Deno.readTextFileSync(new URL(path, root));
      found.push({ path, text, lines: text.split("\n").length - 1 });
    }
  }
  return found;
}

/** Number of entries in the largest folder. */
function largestFolder(files: readonly TextFile[]): number {
  const folders = files.map(({ path }) => path.slice(0, path.lastIndexOf("/")));
  return Math.max(
    ...Object.values(Object.groupBy(folders, (folder) => folder)).map(
      (entries) => entries?.length ?? 0,
    ),
  );
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] +
    sorted[Math.ceil((sorted.length - 1) / 2)]) /
    2;
}

/** The paths that a module imports, from the root. */
function importsOf({ path, text }: TextFile, root: URL): string[] {
  const code = text.replaceAll(/\/\*[^]*?\*\//g, "").replaceAll(/^\s*\/\/.*$/gm, "");
  const found = code.matchAll(
    /(?:^(?:import|export)\s(?:[^"';]*?\sfrom\s)?|\bimport\(\s*)"(\.[^"\n]+)"/gm,
  );
  return [...found].map(([, specifier]) =>
    new URL(specifier, new URL(path, root)).href.slice(root.href.length)
  );
}

/** Groups of modules with circular imports. */
function countCircles(files: readonly TextFile[], root: URL): number {
  const reachable = new Map<string, Set<string>>();
  const graph = new Map(files.map((file) => [file.path, importsOf(file, root)]));
  for (const path of graph.keys()) {
    const seen = new Set<string>();
    const waiting = [path];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      for (const target of graph.get(next) ?? []) {
        if (!seen.has(target)) {
          seen.add(target);
          waiting.push(target);
        }
      }
    }
    reachable.set(path, seen);
  }
  const circles = new Set<string>();
  for (const [path, seen] of reachable) {
    if (!seen.has(path)) continue;
    circles.add([...seen].filter((other) => reachable.get(other)?.has(path)).sort().join());
  }
  return circles.size;
}

/** The comments of a module, each as one text without its markers. */
function commentsOf({ text }: TextFile): string[] {
  const found = text.matchAll(/\/\*\*?([^]*?)\*\/|(?:^[ \t]*\/\/.*\n?)+/gm);
  return [...found].map(([whole, block]) =>
    (block ?? whole.replaceAll(/^[ \t]*\/\//gm, "")).replaceAll(/^\s*\* ?/gm, "").trim()
  );
}

/** Occurrences per 1,000 words. */
function perThousand(count: number, words: number): string {
  return (1000 * count / words).toFixed(2);
}

function main([folder]: readonly string[]): void {
  const root = folder === undefined
    ? new URL("../", import.meta.url)
    : new URL(`file://${Deno.realPathSync(folder)}/`);
  const lib = readFiles(root, "lib", /./);
  const code = lib.filter(({ path }) => /\.(ts|js)$/.test(path));
  const tests = readFiles(root, "tests", /\.ts$/);
  const comments = code.flatMap(commentsOf);
  const words = comments.join(" ").split(/\s+/).length;
  const cases = tests.map(({ text }) =>
    text.match(/^\s*(Deno\.test|pureTest|test|await t\.step)\(/gm)
  )
    .reduce((sum, found) => sum + (found?.length ?? 0), 0);
  const rows: [string, string | number][] = [
    ["files in lib", lib.length],
    ["files in its largest folder", largestFolder(lib)],
    ["median of their lines", median(lib.map(({ lines }) => lines))],
    ["files of at most 30 lines", lib.filter(({ lines }) => lines <= 30).length],
    ["longest file, lines", Math.max(...lib.map(({ lines }) => lines))],
    ["circles of imports", countCircles(code, root)],
    ["lines of lib", lib.reduce((sum, { lines }) => sum + lines, 0)],
    ["lines of tests", tests.reduce((sum, { lines }) => sum + lines, 0)],
    ["test cases and steps in the source", cases],
    [
      'comments that open with "What", per 1,000 words',
      perThousand(comments.filter((text) => /^What\b/.test(text)).length, words),
    ],
    [
      '"where" in comments, per 1,000 words',
      perThousand(comments.join(" ").match(/\bwhere\b/gi)?.length ?? 0, words),
    ],
    ["words of README", Deno.readTextFileSync(new URL("README.md", root)).split(/\s+/).length],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const text = rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join("");
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

if (import.meta.main) main(Deno.args);
