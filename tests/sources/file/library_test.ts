import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { Library } from "../../../lib/sources/file/library.ts";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";

const media = mediaFolder();
const STILL = [...pictures({ size: "16x16", seconds: 0.04 }), "-frames:v", "1"];
const VIDEO = [...pictures({ size: "16x16", seconds: 0.2 }), "-c:v", "mjpeg"];

/** A folder of its own below the files' own one, with a still and a video in it. */
async function folderWith(folder: string, names: readonly string[] = []): Promise<string> {
  await media.make("made/still.png", STILL);
  await media.make("made/video.avi", VIDEO);
  const path = media.pathOf(folder);
  await Deno.mkdir(path);
  for (const name of names) {
    const parent = `${path}/${name}`.replace(/\/[^/]*$/, "");
    await Deno.mkdir(parent, { recursive: true });
    const source = name.endsWith(".png") ? "made/still.png" : "made/video.avi";
    await Deno.copyFile(media.pathOf(source), `${path}/${name}`);
  }
  return path;
}

/** The names that a library lists. */
async function namesIn(library: Library): Promise<string[]> {
  return (await library.list()).map(({ name }) => name);
}

/** The refusal of a name. */
async function refusalOf(library: Library, name: string): Promise<RequestError> {
  return await assertRejects(() => library.find(name), RequestError);
}

/** Unusual names of files. */
const STRANGE_NAMES = [
  "with spaces .png",
  `quotes ' " \` \\.png`,
  "ünïcödé 日本 😀.png",
  "line\nfeed.png",
  "-leading dash.png",
  "%03d.png",
  "frame%d.png",
  "[1].png",
  "star * and ?.png",
  "{a,b}.png",
  "c:olon.png",
  "http:host.png",
  "file:it.png",
  "pipe:0.png",
  "concat:a|b.png",
  "$(HOME) & ;.png",
  "~.png",
  "no extension",
  `${"long".repeat(48)} name.png`,
  "down/in/folders/deep.png",
  "down/-o/%d.png",
  "down/50% *.png",
  "down/%[0-9].png",
];

Deno.test("Library without a folder is empty", async () => {
  const library = new Library(undefined);
  assertEquals(await library.list(), []);
  assertEquals(await library.has(""), false);
  const { code } = await refusalOf(library, "a.png");
  assertEquals(code, "not_found");
});

Deno.test("Library.find() opens files of any name", async (t) => {
  const library = new Library(await folderWith("strange", STRANGE_NAMES));
  for (const name of STRANGE_NAMES) {
    await t.step(JSON.stringify(name), async () => {
      const file = await library.find(name);
      assertEquals([file.name, file.path], [name, `${media.path}/strange/${name}`]);
      const still = name.endsWith(".png");
      assertEquals(file.info.kind, still ? "image" : "video");
      assertEquals(file.info.video?.width, 16);
      assertEquals(file.size, (await Deno.stat(file.path)).size);
    });
  }
  assertEquals(new Set(await namesIn(library)), new Set(STRANGE_NAMES));
});

Deno.test("Library.list() gives files of sub-folders by relative name, in order", async () => {
  const names = ["b.png", "a/z.avi", "a/b/c.png", "c.avi"];
  const library = new Library(await folderWith("ordered", names));
  assertEquals(await namesIn(library), ["a/b/c.png", "a/z.avi", "b.png", "c.avi"]);
  assertEquals((await library.first("image")).name, "a/b/c.png");
  assertEquals((await library.first("video")).name, "a/z.avi");
});

Deno.test("Library.first() says that there is none", async () => {
  const library = new Library(await folderWith("stills only", ["a.png"]));
  const error = await assertRejects(() => library.first("video"), RequestError);
  assertEquals([error.code, error.message], ["not_found", "Cannot find any video on this server"]);
});

Deno.test("Library.find() takes no name for a path", async () => {
  await folderWith("outside", ["secret.png"]);
  const folder = await folderWith("inside", ["a.png", "sub/b.png"]);
  const library = new Library(folder);
  for (
    const name of [
      "../outside/secret.png",
      "sub/../../outside/secret.png",
      "sub/../a.png",
      "./a.png",
      "sub/./b.png",
      "sub//b.png",
      "/a.png",
      "a.png/",
      "sub",
      "sub/",
      "..",
      ".",
      "",
      "/",
      `${folder}/a.png`,
      "/etc/passwd",
      "file:a.png",
      "a.png\0",
      "a.png\0.jpg",
      "A.PNG",
      "a%2epng",
      "*.png",
      "sub\\b.png",
      "x/".repeat(40) + "a.png",
      "x".repeat(1000),
    ]
  ) {
    const error = await refusalOf(library, name);
    assertEquals(error.code, "not_found", JSON.stringify(name));
  }
});

Deno.test("Library.find() hints at the nearest name", async () => {
  const library = new Library(await folderWith("hints", ["holiday.avi", "sub/cat.png"]));
  assertStringIncludes((await refusalOf(library, "holidy.avi")).message, `"holiday.avi"?`);
  assertStringIncludes((await refusalOf(library, "sub/cat.jpg")).message, `"sub/cat.png"?`);
  assertStringIncludes((await refusalOf(library, "zzzzzzzzzzzz")).message, "see the list");
});

Deno.test("Library keeps hidden files and folders to itself", async () => {
  const library = new Library(await folderWith("hidden", [".a.png", ".git/b.png", "c.png"]));
  assertEquals(await namesIn(library), ["c.png"]);
  assertEquals((await refusalOf(library, ".a.png")).code, "not_found");
  assertEquals((await refusalOf(library, ".git/b.png")).code, "not_found");
});

Deno.test("Library serves a folder that is itself hidden, or a link", async () => {
  const folder = await folderWith(".hidden root", ["a.png"]);
  await Deno.symlink(folder, media.pathOf("link to it"));
  for (const root of [folder, media.pathOf("link to it"), `${folder}/`]) {
    assertEquals(await namesIn(new Library(root)), ["a.png"]);
  }
});

Deno.test("Library follows links within the folder and no others", async () => {
  await folderWith("foreign", ["secret.png"]);
  const folder = await folderWith("links", ["sub/a.png"]);
  const link = (name: string, target: string) => Deno.symlink(target, `${folder}/${name}`);
  await link("inside.png", "sub/a.png");
  await link("absolute.png", `${folder}/sub/a.png`);
  await link("twice.png", "inside.png");
  await link("out.png", "../foreign/secret.png");
  await link("out again.png", `${media.path}/foreign/secret.png`);
  await link("beside.png", `${folder} and more`);
  await Deno.copyFile(media.pathOf("made/still.png"), `${folder} and more`);
  await link("dangling.png", "nowhere.png");
  await link("loop.png", "loop.png");
  await link("folder", "sub");
  await link("foreign", "../foreign");
  await link("sub/up", "..");
  const library = new Library(folder);
  assertEquals(await namesIn(library), ["absolute.png", "inside.png", "sub/a.png", "twice.png"]);
  assertEquals((await library.find("folder/a.png")).path, `${folder}/sub/a.png`);
  const refused = ["out.png", "out again.png", "beside.png", "dangling.png", "loop.png"];
  for (const name of [...refused, "foreign/secret.png", "sub/up/sub/a.png", "folder"]) {
    assertEquals((await refusalOf(library, name)).code, "not_found", name);
  }
});

Deno.test("Library does not open what is no regular file", async () => {
  const folder = await folderWith("special", ["a.png"]);
  await new Deno.Command("mkfifo", { args: [`${folder}/pipe.png`] }).output();
  using listener = Deno.listen({ transport: "unix", path: `${folder}/socket.png` });
  await Deno.symlink("/dev/zero", `${folder}/zero.png`);
  const library = new Library(folder);
  assertEquals(await namesIn(library), ["a.png"]);
  for (const name of ["pipe.png", "socket.png", "zero.png"]) {
    assertEquals((await refusalOf(library, name)).code, "not_found", name);
  }
  assertEquals(listener.addr.transport, "unix");
});

Deno.test("Library looks into a file again when it has changed", async () => {
  const folder = await folderWith("changing", ["a.png"]);
  const library = new Library(folder);
  const before = await library.find("a.png");
  assertEquals([before.info.kind, before.info.video?.width], ["image", 16]);
  const larger = await media.make("made/larger.png", [
    ...pictures({ size: "32x24", seconds: 0.04 }),
    ...["-frames:v", "1"],
  ]);
  await Deno.copyFile(larger, `${folder}/a.png`);
  assertEquals((await library.find("a.png")).info.video?.width, 32);
  // One of the same size, written later.
  await Deno.writeFile(`${folder}/a.png`, new Uint8Array((await Deno.stat(larger)).size));
  await Deno.utime(`${folder}/a.png`, 1, 1);
  assertEquals((await refusalOf(library, "a.png")).code, "media_error");
  await Deno.copyFile(larger, `${folder}/a.png`);
  await Deno.utime(`${folder}/a.png`, 2, 2);
  assertEquals((await library.find("a.png")).info.video?.width, 32);
  await Deno.remove(`${folder}/a.png`);
  assertEquals((await refusalOf(library, "a.png")).code, "not_found");
});

Deno.test("Library.list() looks into a file once", async () => {
  const folder = await folderWith("remembered", ["a.png", "b.avi"]);
  const library = new Library(folder);
  const [first, second] = [await library.list(), await library.list()];
  assertEquals(first.length, 2);
  assertEquals(first.every(({ info }, index) => info === second[index].info), true);
});

Deno.test("Library.list() lists audio as audio", async () => {
  await folderWith("sounds");
  await media.make("sounds/tone.wav", tone({ seconds: 0.1 }));
  const [entry] = await new Library(media.pathOf("sounds")).list();
  assertEquals([entry.name, entry.info.kind, entry.info.video], ["tone.wav", "audio", undefined]);
});

Deno.test("Library.list() leaves out what is no media", async () => {
  const folder = await folderWith("mixed", ["a.png"]);
  await Deno.writeTextFile(`${folder}/readme.txt`, "Words that FFmpeg would draw.\n".repeat(99));
  await Deno.writeTextFile(`${folder}/list.ffconcat`, "ffconcat version 1.0\nfile a.png\n");
  await Deno.writeTextFile(`${folder}/list.m3u8`, "#EXTM3U\n#EXTINF:1,\na.png\n");
  await Deno.writeFile(`${folder}/empty.mp4`, new Uint8Array(0));
  await Deno.writeFile(`${folder}/zeros.mp4`, new Uint8Array(5000));
  const library = new Library(folder);
  assertEquals(await namesIn(library), ["a.png"]);
  assertStringIncludes((await refusalOf(library, "empty.mp4")).message, "it is empty");
  for (const name of ["readme.txt", "list.ffconcat", "list.m3u8", "empty.mp4", "zeros.mp4"]) {
    assertEquals((await refusalOf(library, name)).code, "media_error", name);
  }
});

Deno.test("Library.list() of two thousand files does not look into the same one twice", async () => {
  const folder = await folderWith("many", ["0.png"]);
  const links = Array.from({ length: 2000 }, (_, at) => `${at + 1}`.padStart(4, "0"));
  await Deno.mkdir(`${folder}/links`);
  for (const name of links) Deno.symlinkSync("../0.png", `${folder}/links/${name}`);
  const library = new Library(folder);
  const names = await namesIn(library);
  assertEquals(names, ["0.png", ...links.map((name) => `links/${name}`)]);
});

Deno.test("Library takes a sub-folder that it cannot look into for an empty one", async () => {
  const names = ["a.png", "b/b.png", "c/c.png", "d/d.png", "e.png"];
  const folder = await folderWith("out of reach", names);
  const library = new Library(folder);
  await library.list();
  const readDir = Deno.readDir;
  // Changes of a folder after it is listed and before its files are probed.
  Deno.readDir = (path) => {
    if (path === `${folder}/b`) Deno.removeSync(path, { recursive: true });
    if (path === `${folder}/c`) throw new Deno.errors.PermissionDenied("not this one");
    if (path === `${folder}/d`) {
      Deno.removeSync(path, { recursive: true });
      Deno.writeTextFileSync(path, "");
    }
    return readDir(path);
  };
  try {
    assertEquals(await namesIn(library), ["a.png", "e.png"]);
    assertEquals((await library.first("image")).name, "a.png");
    assertEquals((await refusalOf(library, "c/c.png")).code, "not_found");
    assertEquals((await refusalOf(library, "b/b.png")).code, "not_found");
  } finally {
    Deno.readDir = readDir;
  }
});

Deno.test("Library says that its folder is gone, and not where it was", async () => {
  const folder = await folderWith("leaving", ["a.png"]);
  const library = new Library(folder);
  await Deno.remove(folder, { recursive: true });
  const tries = [() => library.list(), () => library.find("a.png"), () => library.first("image")];
  for (const attempt of tries) {
    const { code, message } = await assertRejects(attempt, RequestError);
    assertEquals(code, "not_found");
    assertEquals(message, "Cannot look into the media folder: it is gone, or not readable");
  }
});

/** Stands in for ffprobe while something is tried. */
async function withProbe<T>(script: string, attempt: () => Promise<T>): Promise<T> {
  const program = await media.write("bin/ffprobe", `#!/bin/sh\n${script}\n`);
  await Deno.chmod(program, 0o755);
  const path = Deno.env.get("PATH") ?? "";
  Deno.env.set("PATH", `${media.pathOf("bin")}:${path}`);
  try {
    return await attempt();
  } finally {
    Deno.env.set("PATH", path);
  }
}

/** An ffprobe that refuses with one of FFmpeg's error codes. */
function refusing(code: number): string {
  return `echo '{"error": {"code": ${code}}}'; echo refused >&2; exit 1`;
}

const INVALID_DATA = -1094995529;

Deno.test("Library does not remember a refusal that may pass", async (t) => {
  const library = new Library(await folderWith("passing", ["a.avi"]));
  const passing = {
    "permission denied": refusing(-13),
    "too many open files": refusing(-24),
    "nothing said": "exit 1",
    "ended by a signal": "kill -9 $$",
    "ended by a signal after its answer": `echo '{"error": {"code": ${INVALID_DATA}}}'; kill -9 $$`,
  };
  for (const [reason, script] of Object.entries(passing)) {
    await t.step(reason, async () => {
      const folder = media.pathOf("passing");
      await Deno.copyFile(`${folder}/a.avi`, `${folder}/${reason}.avi`);
      const error = await withProbe(script, () => refusalOf(library, `${reason}.avi`));
      assertEquals(error.code, "media_error");
      assertEquals((await library.find(`${reason}.avi`)).info.kind, "video");
    });
  }
});

Deno.test("Library remembers bad data until the file or who may read it changes", async () => {
  const folder = await folderWith("lasting", ["a.png"]);
  const library = new Library(folder);
  const again = () => refusalOf(library, "a.png");
  assertStringIncludes((await withProbe(refusing(INVALID_DATA), again)).message, "refused");
  assertStringIncludes((await again()).message, "refused");
  await Deno.chmod(`${folder}/a.png`, 0o640);
  assertEquals((await library.find("a.png")).info.kind, "image");
});

Deno.test("Library.find() hints without a look at each file", async () => {
  const folder = await folderWith("crowded", ["holiday.png"]);
  await Deno.mkdir(`${folder}/sub`);
  await Deno.symlink("../crowded outside.png", `${folder}/birthday.png`);
  for (let at = 0; at < 1100; at++) Deno.writeFileSync(`${folder}/sub/${at}`, new Uint8Array(1));
  await Deno.mkdir(`${folder}/zoo`);
  await Deno.writeFile(`${folder}/zoo/elephant.png`, new Uint8Array(1));
  const library = new Library(folder);
  const stat = Deno.stat;
  let looks = 0;
  Deno.stat = (path) => {
    looks++;
    return stat(path);
  };
  try {
    assertStringIncludes((await refusalOf(library, "holidy.png")).message, `"holiday.png"?`);
    assert(looks <= 2, `${looks} files looked at`);
  } finally {
    Deno.stat = stat;
  }
  // A link out of the folder is as if not there, and so is what lies beyond the thousandth name.
  assertStringIncludes((await refusalOf(library, "birthdy.png")).message, "see the list");
  assertStringIncludes((await refusalOf(library, "zoo/elephnt.png")).message, "see the list");
});

Deno.test("Library.first() looks no further than it has to", async () => {
  const names = Array.from({ length: 30 }, (_, at) => `${at + 10}.png`);
  const library = new Library(await folderWith("first of many", names));
  const stat = Deno.stat;
  const looked = new Set<string>();
  Deno.stat = (path) => {
    looked.add(String(path));
    return stat(path);
  };
  try {
    assertEquals((await library.first("image")).name, "10.png");
  } finally {
    Deno.stat = stat;
  }
  assertEquals(looked.size, 1);
});

Deno.test("Library refuses what is no folder", () => {
  assertThrows(() => new Library(media.pathOf("nowhere")), Error, "no such folder");
  Deno.writeTextFileSync(media.pathOf("a file"), "");
  assertThrows(() => new Library(media.pathOf("a file")), Error, "it is not a folder");
});
