import { assert, assertEquals, assertMatch } from "@std/assert";
import { createLogger } from "../../lib/base/log.ts";
import { describeStart, reachLine } from "../../lib/server/startup.ts";
import { Library } from "../../lib/sources/file/library.ts";
import { parseLiveSource } from "../../lib/sources/live/source_spec.ts";
import { mediaFolder, pictures } from "../support/media/media_folder.ts";
import { startServerProgram } from "../support/programs/running_program.ts";
import { pureTest } from "../support/pure_test.ts";
import { linuxTest } from "../support/test_if.ts";

const media = mediaFolder();

const INTERFACES = () => [
  { family: "IPv4", address: "127.0.0.1" } as const,
  { family: "IPv6", address: "2001:db8::7" } as const,
  { family: "IPv4", address: "192.168.1.7" } as const,
  { family: "IPv4", address: "10.0.0.7" } as const,
];

pureTest("reachLine() names all addresses that other machines reach", () => {
  const lineOf = (hostname: string, isEncrypted = false) =>
    reachLine({ hostname, port: 7777 }, { isEncrypted, interfaces: INTERFACES });
  assertEquals(lineOf("127.0.0.1"), undefined);
  assertEquals(
    lineOf("0.0.0.0"),
    "Other machines find this server at stream://192.168.1.7:7777 stream://10.0.0.7:7777",
  );
  assertEquals(
    lineOf("::", true),
    "Other machines find this server at streams://192.168.1.7:7777 streams://10.0.0.7:7777 " +
      "streams://[2001:db8::7]:7777",
  );
  assertEquals(lineOf("10.0.0.7"), "Other machines find this server at stream://10.0.0.7:7777");
});

/** What is logged about a folder and live sources, without the time. */
async function linesOf(
  library: number | Library,
  ...sources: string[]
): Promise<string[]> {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line.slice(line.indexOf(" ") + 1, -1));
  await describeStart({
    folder: "./media",
    library: typeof library === "number" ? { count: () => Promise.resolve(library) } : library,
    sources: sources.map((source) => parseLiveSource(source)),
    logger: createLogger({ level: "info", write }),
    signal: new AbortController().signal,
  });
  return lines;
}

Deno.test("describeStart() names links and folders that are left out", async () => {
  await media.folder("linked");
  await media.folder("linked/locked");
  await media.make("linked/a.png", [...pictures(), "-frames:v", "1"]);
  for (const at of [1, 2, 3, 4]) {
    await Deno.symlink("/etc/hostname", media.pathOf(`linked/${at}.mp4`));
  }
  const { readDir } = Deno;
  Deno.readDir = (path) => {
    if (String(path).endsWith("/locked")) throw new Deno.errors.PermissionDenied("no");
    return readDir(path);
  };
  try {
    const lines = await linesOf(new Library(media.pathOf("linked")));
    const link = "(a link out of the folder, or to nothing)";
    assertEquals(lines, [
      'info  Serving "./media": 1 file (read in the background)',
      `warn  Left out of "./media": "1.mp4" ${link}, "2.mp4" ${link}, "3.mp4" ${link}, 2 more`,
    ]);
    for (const at of [1, 2, 3, 4]) await Deno.remove(media.pathOf(`linked/${at}.mp4`));
    const [, line] = await linesOf(new Library(media.pathOf("linked")));
    assertEquals(line, 'warn  Left out of "./media": "locked/" (not readable)');
  } finally {
    Deno.readDir = readDir;
  }
});

Deno.test("describeStart() tells what is served", async () => {
  assertEquals(await linesOf(0), [
    'warn  Serving "./media": there is no file in it, name another folder with --media',
  ]);
  assertEquals(await linesOf(1), [
    'info  Serving "./media": 1 file (read in the background)',
  ]);
  assertEquals(await linesOf(12), [
    'info  Serving "./media": 12 files (read in the background)',
  ]);
});

linuxTest("describeStart() tells which live inputs are not there", async () => {
  const path = await media.write("there.ts", "something");
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const [, ...lines] = await linesOf(
    1,
    "cam=v4l2:/dev/video99",
    `file=${path}`,
    `absent=mpegts:${media.path}/none.ts`,
    "door=rtsp://me:secret@127.0.0.1:1/door",
    "hub=stream://127.0.0.1:1/cam",
    `there=rtsp://127.0.0.1:${port}/cam`,
    "test=lavfi:testsrc",
    "screen=x11grab::0",
    "pushed=script::0",
  );
  const later = "name another with --live; it is opened when somebody watches";
  const lineOf = (name: string, reason: string, advice = "connect it, or ") =>
    `warn  Live source "${name}" cannot be opened now: ${reason}, ${advice}${later}`;
  assertEquals(lines, [
    lineOf("cam", '"/dev/video99" is not there'),
    lineOf("absent", `"${media.path}/none.ts" is not there`, ""),
    lineOf("door", '"rtsp://me:***@127.0.0.1:1/door" does not answer (nothing listens there)'),
    lineOf("hub", '"stream://127.0.0.1:1/cam" does not answer (nothing listens there)'),
  ]);
});

linuxTest("stream-server says at its start what it serves, and where", async () => {
  await media.make("served/still.png", [...pictures(), "-frames:v", "1"]);
  const { program, port } = await startServerProgram([
    ...["--media", media.pathOf("served"), "--host", "0.0.0.0"],
    ...["--live", "cam=v4l2:/dev/video99"],
  ]);
  await using server = program;
  await server.stderr.until(/Live source "cam" cannot be opened now: "\/dev\/video99" is not /);
  const { text } = server.stderr;
  assertMatch(text, /info {2}Serving "[^"]+\/served": 1 file \(/);
  const own = Deno.networkInterfaces().filter(({ family, address }) =>
    family === "IPv4" && !address.startsWith("127.")
  );
  for (const { address } of own) assert(text.includes(`stream://${address}:${port}`), text);
});
