import { assert, assertEquals, assertMatch } from "@std/assert";
import { textWidth } from "../../lib/base/text_width.ts";
import { encodeMessage } from "../../lib/protocol/native/framing.ts";
import { encodeList, type ListPiece } from "../../lib/protocol/native/list.ts";
import type { ListEntry } from "../../lib/protocol/native/response.ts";
import { connect } from "../../mod.ts";
import { mediaFolder, pictures, tone } from "../support/media/media_folder.ts";
import { say, ScriptedServer, untilGone } from "../support/peers/scripted_server.ts";
import { testServer } from "../support/peers/test_server.ts";
import { at, runInside } from "../support/programs/run_inside.ts";

const media = mediaFolder();
const PNG = [...pictures({ seconds: 0.04 }), "-frames:v", "1"];

/** A folder with a film of two languages, a picture and a file that cannot be read. */
async function library(): Promise<string> {
  const both = [...pictures({ seconds: 0.2 }), ...tone({ seconds: 0.2 })];
  await media.make("library/film.mkv", [
    ...[...both, "-map", "0", "-map", "1", "-map", "1", "-c:v", "mpeg4", "-c:a", "ac3"],
    ...["-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu"],
    ...["-metadata:s:a:1", "title=Kommentar", "-disposition:a:1", "default"],
  ]);
  await media.make("library/日本語の長い長い長い名前のファイル.png", PNG);
  await media.write("library/broken.mp4", "");
  await media.write("library/notes.txt", "no media");
  return media.pathOf("library");
}

Deno.test("--list shows rows as wide as the terminal, and what cannot be read", async () => {
  await using server = await testServer({ media: await library() });
  const columns = 64;
  const environment = {
    ...{ stdoutIsTerminal: true, stderrIsTerminal: true },
    terminalSize: () => ({ columns, rows: 24 }),
  };
  const { status, stdout, stderr } = await runInside(["--list", ...at(server)], { environment });
  assertEquals(status, 0);
  const lines = stdout.trimEnd().split("\n");
  assert(lines.every((line) => textWidth(line) <= columns), stdout);
  assertEquals(lines.length, 5);
  assertMatch(lines[0], /^NAME +KIND +SIZE +DURATION +CODEC +PICTURE$/);
  assertMatch(lines[1], /^film\.mkv +video .* mpeg4\+ac3 +64x48$/);
  assertMatch(lines[2], /^日.*….*\.png +image .* png +64x48$/);
  // Wide characters do not shift what is behind them.
  assertEquals(textWidth(lines[2].split("image")[0]), lines[0].indexOf("KIND"));
  assertEquals(lines.slice(3), ["Cannot be read (1 file):", "  broken.mp4  it is empty"]);
  assertMatch(stderr, /\rListing… \d of 3/);
  assert(stderr.endsWith("\r\x1b[K"), JSON.stringify(stderr));
});

Deno.test("--list is whole and alone where there is no terminal", async () => {
  await using server = await testServer({ media: await library() });
  const environment = { terminalSize: () => ({ columns: 20, rows: 24 }) };
  const { stdout, stderr } = await runInside(["--list", ...at(server)], { environment });
  assertMatch(stdout, /\n日本語の長い長い長い名前のファイル\.png +image/);
  assertEquals(stderr, "");
});

Deno.test("--list --long shows tracks, --json all fields", async () => {
  await using server = await testServer({ media: await library() });
  const { stdout } = await runInside(["--list", "--long", ...at(server)]);
  const size = Deno.statSync(media.pathOf("library/film.mkv")).size.toLocaleString("en-US");
  const lines = stdout.split("\n").slice(2, 6).map((line) => line.trim());
  assertMatch(lines[0], new RegExp(`^${size} bytes, 0\\.\\d+ s$`));
  assertEquals(lines.slice(1), [
    "video 1: mpeg4",
    "audio 1: ac3, 2 channels, eng",
    'audio 2: ac3, 2 channels, deu, "Kommentar", default',
  ]);
  const { stdout: json } = await runInside(["--list", "--json", ...at(server)]);
  const { command, entries } = JSON.parse(json);
  assertEquals([command, entries.length], ["list_media", 3]);
  assertEquals(entries[0].problem, "it is empty");
  assertEquals(entries[1].tracks[2], {
    ...{ type: "audio", codec: "ac3", language: "deu", title: "Kommentar" },
    ...{ default: true, channels: 2 },
  });
});

Deno.test("--long and --follow are for --list", async () => {
  for (const flag of ["--long", "--follow"]) {
    const { status, stderr } = await runInside(["--video", "a.mp4", flag]);
    assertEquals(status, 2);
    assertEquals(stderr, `Cannot use ${flag} without --list: it is for the list\n`);
  }
});

Deno.test("Client.list() gives what cannot be read only if that is asked for", async () => {
  await using server = await testServer({ media: await library() });
  const client = connect({ host: server.address.hostname, port: server.address.port });
  assertEquals((await client.list()).map(({ name }) => name), [
    ...["film.mkv", "日本語の長い長い長い名前のファイル.png"],
  ]);
  const all = await client.list({ problems: true });
  assertEquals(all.map(({ problem }) => problem), ["it is empty", undefined, undefined]);
});

/** Runs the client with lines that can be waited for, until it is stopped. */
function following(args: readonly string[], server: { address: Deno.NetAddr }) {
  const stop = new AbortController();
  let text = "";
  let check = () => {};
  const run = runInside(["--list", "--follow", ...args, ...at(server)], {
    signal: stop.signal,
    environment: {
      print: (part) => {
        text += part;
        check();
      },
    },
  });
  return {
    get text() {
      return text;
    },
    /** Waits until the printed text matches. */
    printed: async (pattern: RegExp) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      check = () => pattern.test(text) && resolve();
      check();
      await Promise.race([
        promise,
        run.then(({ stderr }) => Promise.reject(new Error(`it ended: ${stderr}${text}`))),
      ]);
    },
    stop: async () => {
      stop.abort(new Error("stopped"));
      return await run;
    },
  };
}

Deno.test("--list --follow prints a line for each file that comes, changes and goes", async () => {
  const folder = await media.folder("followed");
  const png = await media.make("made/a.png", PNG);
  const wav = await media.make("made/a.wav", tone({ seconds: 0.1 }));
  await using server = await testServer({ media: folder });
  const client = following([], server);
  await client.printed(/^The server has no media\n/);
  await Deno.copyFile(png, `${folder}/a.png`);
  await client.printed(/\n[+~] a\.png {2}image {2}\d+ B {2}png {2}64x48\n/);
  await Deno.copyFile(wav, `${folder}/a.png`);
  await client.printed(/\n~ a\.png {2}audio .* pcm_s16le\n/);
  await Deno.rename(`${folder}/a.png`, `${folder}/b.png`);
  await client.printed(/\n- a\.png\n/);
  await client.printed(/\n\+ b\.png {2}audio .* pcm_s16le\n/);
  await Deno.remove(`${folder}/b.png`);
  await client.printed(/\n- b\.png\n/);
  const { status, stderr } = await client.stop();
  assertEquals([status, stderr], [130, ""]);
});

Deno.test("--list --follow --json prints one object a line", async () => {
  const folder = await media.folder("followed as json");
  await using server = await testServer({ media: folder });
  const client = following(["--json"], server);
  await client.printed(/^\{"command":"list_media","entries":\[\]\}\n/);
  await Deno.writeFile(`${folder}/empty.mp4`, new Uint8Array());
  await client.printed(/"problem":"it is empty"\}\n$/);
  await Deno.remove(`${folder}/empty.mp4`);
  await client.printed(/"change":"removed"/);
  await client.stop();
  const lines = client.text.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(lines.at(-1), { change: "removed", name: "empty.mp4" });
  assertEquals([lines[1].change, lines[1].name], ["added", "empty.mp4"]);
});

const ENTRY: ListEntry = { name: "a.mp4", kind: "video", live: false, size: 9, codec: "h264" };

function list(piece: ListPiece): Uint8Array {
  return encodeMessage("list", encodeList(piece));
}

Deno.test("--list and --follow get along with servers of earlier versions", async () => {
  await using server = new ScriptedServer((peer) => say(peer, list({ entries: [ENTRY] })));
  const { status, stdout } = await runInside(["--list", ...at(server)]);
  assertEquals([status, stdout.split("\n").length], [0, 3]);
  const followed = await runInside(["--list", "--follow", ...at(server)]);
  assertEquals([followed.status, followed.stdout], [1, stdout]);
  assertMatch(
    followed.stderr,
    /^Cannot follow the list: the server is of an earlier version, .*\n$/,
  );
});

Deno.test("--list --follow prints what has changed while the connection was lost", async () => {
  await using server = new ScriptedServer(async (peer, { index }) => {
    const others = [{ ...ENTRY, size: 9 + index }, { ...ENTRY, name: `${index}.mp4` }];
    await say(peer, list({ entries: others, more: true, follow: true }));
    await say(peer, list({ entries: [], follow: true }));
    if (index > 0) await untilGone(peer);
  });
  const client = following(["--retries", "3"], server);
  await client.printed(/\n- 0\.mp4\n\+ 1\.mp4 .*\n~ a\.mp4 {2}video {2}10 B {2}h264\n$/);
  assertEquals(client.text.match(/^NAME/gm)?.length, 1);
  assertEquals((await client.stop()).status, 130);
});
