import { assert, assertEquals, assertMatch } from "@std/assert";
import { ListedMedia, type ListPiece } from "../../../lib/protocol/native/list.ts";
import type { MediaRequest } from "../../../lib/protocol/native/request.ts";
import { DEFAULT_TIMEOUTS } from "../../../lib/server/options.ts";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";
import type { NativeClient } from "../../support/peers/native_client.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { countedFfmpeg } from "../../support/programs/counted_ffmpeg.ts";
import { printedBy } from "../../support/programs/machine.ts";
import { standIn } from "../../support/programs/stand_in.ts";
import { PATIENCE } from "../../support/time/patience.ts";
import { linuxTest } from "../../support/test_if.ts";

const media = mediaFolder();

const LIST = { command: "list_media" } as const;
const PIECES = { command: "list_media", more: true } as const;
const H264 = [...pictures({ seconds: 0.2 }), "-c:v", "libx264", "-pix_fmt", "yuv420p"];
const PNG = [...pictures({ seconds: 0.04 }), "-frames:v", "1"];

/** Asks for the list and collects its pieces. */
async function piecesOf(
  peer: NativeClient<Deno.TcpConn>,
  request: MediaRequest = PIECES,
): Promise<ListPiece[]> {
  await peer.ask(request);
  const pieces: ListPiece[] = [];
  do pieces.push((await peer.until("list")).piece); while (pieces.at(-1)?.more);
  return pieces;
}

function sumOf(pieces: readonly ListPiece[]): ListedMedia {
  const list = new ListedMedia();
  for (const piece of pieces) list.add(piece);
  return list;
}

/** A folder of broken files beside whole ones and what is no media. */
async function troubledFolder(name: string): Promise<string> {
  const folder = await media.folder(name);
  const png = await media.make(`${name}/whole.png`, PNG);
  await Deno.copyFile(png, `${folder}/no extension`);
  await Deno.writeFile(`${folder}/empty.mp4`, new Uint8Array(0));
  await Deno.writeFile(`${folder}/zeros.mp3`, new Uint8Array(5000));
  await Deno.writeFile(`${folder}/cut.png`, (await Deno.readFile(png)).subarray(0, 100));
  const whole = await Deno.readFile(await media.make(`${name} whole.mp4`, H264));
  await Deno.writeFile(`${folder}/cut.mp4`, whole.subarray(0, 1000));
  await Deno.writeTextFile(`${folder}/words.jpg`, "Not a picture.\n".repeat(99));
  await Deno.writeTextFile(`${folder}/list.mkv`, "#EXTM3U\n#EXTINF:1,\nwhole.png\n");
  for (const name of ["README.txt", "film.srt", "data.json", "Makefile"]) {
    await Deno.writeTextFile(`${folder}/${name}`, "Words.\n");
  }
  return folder;
}

Deno.test("listPieces() gives names before any file is looked into, then details", async () => {
  await media.make("named/a.png", PNG);
  await media.make("named/b.avi", H264);
  // As long as a file is there, ffprobe does not answer.
  const gate = await media.write("gate", "");
  using _slow = await standIn(
    "ffprobe",
    `while [ -e ${gate} ]; do sleep 0.05; done; exec "$REAL" "$@"`,
  );
  await using server = await testServer({ media: media.pathOf("named") });
  using peer = await server.connect();
  await peer.ask(PIECES);
  const { piece } = await peer.until("list");
  const stateOf = (name: string) => {
    const { size, mtime } = Deno.statSync(media.pathOf(`named/${name}`));
    return { size, modified: mtime?.getTime() };
  };
  const pending = { live: false, codec: "", pending: true };
  assertEquals(JSON.parse(JSON.stringify(piece.entries)), [
    { name: "a.png", kind: "image", ...stateOf("a.png"), ...pending },
    { name: "b.avi", kind: "video", ...stateOf("b.avi"), ...pending },
  ]);
  assertEquals(piece.more, true);
  await Deno.remove(gate);
  const list = sumOf([piece]);
  while (!list.isComplete) list.add((await peer.until("list")).piece);
  assertEquals(
    list.entries.map(({ modified }) => modified),
    ["a.png", "b.avi"].map((name) => stateOf(name).modified),
  );
  assertEquals(
    list.entries.map(({ name, codec, width, tracks }) => [name, codec, width, tracks?.length]),
    [
      ["a.png", "png", 64, list.find("a.png")?.tracks?.length],
      ["b.avi", "h264", 64, 1],
    ],
  );
  // The second list is known at once.
  const again = await piecesOf(peer);
  assertEquals(again[0].entries.map(({ codec }) => codec), ["png", "h264"]);
});

linuxTest("a server that ends while files are looked into leaves no process", async () => {
  await media.make("left/a.avi", H264);
  const begun = media.pathOf("begun");
  await printedBy("mkfifo", [begun]);
  using _hanging = await standIn("ffprobe", `echo > ${begun}; exec sleep 1000`);
  {
    const timeouts = { ...DEFAULT_TIMEOUTS, probe: 1e9 };
    await using server = await testServer({ media: media.pathOf("left"), timeouts });
    using peer = await server.connect();
    await peer.ask(PIECES);
    await peer.until("list");
    await Deno.readTextFile(begun);
  }
  // It would wait for ever, and the sanitizers find a process that still runs.
});

Deno.test("listPieces() gives the reason of each file of media that cannot be read", async () => {
  await using server = await testServer({ media: await troubledFolder("troubled") });
  using peer = await server.connect();
  const { entries } = sumOf(await piecesOf(peer));
  const found = Object.fromEntries(
    entries.map(({ name, kind, problem }) => [name, [kind, problem]]),
  );
  assertEquals(Object.keys(found), [
    ...["cut.mp4", "cut.png", "empty.mp4", "list.mkv", "no extension", "whole.png", "words.jpg"],
    "zeros.mp3",
  ]);
  assertEquals(found["cut.mp4"], ["video", "it is damaged, or not complete (moov atom not found)"]);
  assertMatch(found["cut.png"][1] ?? "", /^it is damaged, or the installed FFmpeg cannot decode/);
  assertEquals(found["empty.mp4"], ["video", "it is empty"]);
  assertEquals(found["whole.png"], ["image", undefined]);
  for (const name of ["zeros.mp3", "words.jpg", "list.mkv"]) {
    assertMatch(found[name][1] ?? "", /^it is damaged, or of a format that this FFmpeg/, name);
  }
});

linuxTest("listPieces() says which files the server may not read", async () => {
  await media.make("locked/a.avi", H264);
  await Deno.chmod(media.pathOf("locked/a.avi"), 0o000);
  // Root may read all files, unless it gives that right up.
  const less = 'exec setpriv --bounding-set=-dac_override,-dac_read_search "$REAL" "$@"';
  using _less = await standIn("sh", `[ "$(id -u)" != 0 ] || ${less}\nexec "$REAL" "$@"`);
  await using server = await testServer({ media: media.pathOf("locked") });
  using peer = await server.connect();
  const { entries } = sumOf(await piecesOf(peer));
  assertEquals(
    entries.map(({ name, problem }) => [name, problem]),
    [["a.avi", "the server may not read it: permission denied"]],
  );
});

Deno.test("sendList() sends one list of what can be read to clients that do not ask for pieces", async () => {
  await using server = await testServer({ media: await troubledFolder("troubled too") });
  using peer = await server.connect();
  await peer.ask(LIST);
  const { piece } = await peer.until("list");
  assertEquals(piece.entries.map(({ name }) => name), ["no extension", "whole.png"]);
  assertEquals(piece.more, undefined);
  assert(
    piece.entries.every(({ tracks, pending, modified }) =>
      tracks === undefined && pending === undefined && modified === undefined
    ),
  );
});

Deno.test("listPieces() of two thousand files starts few processes", async () => {
  const made = await Promise.all([
    media.make("kinds/a.mp4", [...tone({ seconds: 0.2 }), ...H264, "-c:a", "aac"]),
    media.make("kinds/b.mkv", H264),
    media.make("kinds/c.jpg", [...PNG, "-pix_fmt", "yuvj420p"]),
    media.make("kinds/d.png", PNG),
    media.make("kinds/e.mp3", tone({ seconds: 0.2 })),
    media.make("kinds/f.wav", tone({ seconds: 0.2 })),
    media.make("kinds/g.flac", tone({ seconds: 0.2 })),
    media.make("kinds/h.ogg", [...tone({ seconds: 0.2 }), "-c:a", "libvorbis"]),
  ]);
  const folder = await media.folder("thousands");
  for (let at = 0; at < 2000; at++) {
    const path = made[at % made.length];
    // A file of its own, whose content is read.
    Deno.copyFileSync(path, `${folder}/${at}${path.slice(path.lastIndexOf("."))}`);
  }
  using counted = await countedFfmpeg("ffprobe");
  // The peer answers no ping, and a busy machine takes long.
  const timeouts = { request: PATIENCE, stall: PATIENCE, ping: PATIENCE, life: PATIENCE };
  await using server = await testServer({ media: folder, timeouts });
  using peer = await server.connect();
  const pieces = await piecesOf(peer);
  const { entries } = sumOf(pieces);
  assertEquals(entries.length, 2000);
  assertEquals(entries.filter(({ codec, problem }) => codec === "" || problem !== undefined), []);
  // Those of one kind are alike, so one of them is asked about.
  assertEquals(counted.starts.length, 6);
  // Names come in few messages, not one for each file.
  const named = pieces.filter(({ entries }) => entries.some(({ pending }) => pending));
  assert(named.length > 0 && named.length < 10, `${named.length} pieces`);
});
