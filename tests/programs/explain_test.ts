/** `--explain` of both programs, and the document about its states. */
import { assert, assertEquals, assertFalse, assertMatch } from "@std/assert";
import { ConversationState, type State, STATES } from "../../lib/protocol/explainer.ts";
import { mediaFolder, pictures } from "../support/media/media_folder.ts";
import { makeCertificate } from "../support/programs/certificates.ts";
import {
  type Ending,
  pathOf,
  runProgram,
  startServerProgram,
} from "../support/programs/running_program.ts";
import { tlsTest } from "../support/test_if.ts";

const media = mediaFolder();

/** Beside the media. */
const keys = await Deno.makeTempDir();
addEventListener("unload", () => Deno.removeSync(keys, { recursive: true }));

const TOKEN = "open-sesame-4711";
const DOCUMENT = "docs/protocol/states.md";

/** A line of `--explain`. */
interface Line {
  /** Of a server's line. */
  peer: string | undefined;
  seconds: number;
  sign: string;
  kind: string;
  bytes: number | undefined;
  words: string;
  state: string;
}

const LINE = new RegExp(
  /^(?:(\S+:\d+) {2})? *(\d+\.\d{3}) s {2}(->|<-|--) {2}(\S+(?: out)?) +/.source +
    /(?:(\d+) bytes? {2})?\s*(.*?) +(waiting|describing|streaming|ended)$/.source,
);

/** The lines of `--explain` among others. Pings and pongs, which depend on time, are left out. */
function explained(text: string): Line[] {
  const lines = text.split("\n").flatMap((line) => {
    const [match, peer, seconds, sign, kind, bytes, words, state] = line.match(LINE) ?? [];
    if (match === undefined) return [];
    const size = bytes === undefined ? undefined : Number(bytes);
    return [{ peer, seconds: Number(seconds), sign, kind, bytes: size, words, state }];
  });
  return lines.filter(({ kind }) => kind !== "ping" && kind !== "pong");
}

/** Messages and events in order, the same in a row once: `-> request waiting`. */
function shapes(lines: readonly Line[]): string[] {
  return lines.map(({ sign, kind, state }) => `${sign} ${kind} ${state}`)
    .filter((shape, at, all) => shape !== all[at - 1]);
}

/** The messages as the peer sees them. */
function mirrored(lines: readonly Line[]) {
  const signs: Record<string, string> = { "->": "<-", "<-": "->" };
  return messages(lines).map(({ sign, ...rest }) => ({ ...rest, sign: signs[sign] }));
}

function messages(lines: readonly Line[]) {
  return lines.filter(({ sign }) => sign !== "--")
    .map(({ sign, kind, bytes, words, state }) => ({ sign, kind, bytes, words, state }));
}

/** Runs a client at a server that explains as well; gives the lines of both. */
async function both(
  args: readonly string[],
  serverArgs: readonly string[] = [],
): Promise<{ ending: Ending; client: Line[]; server: Line[]; log: string }> {
  const quiet = ["--media", media.path, "--log-level", "error"];
  const { program, port } = await startServerProgram([...quiet, "--explain", ...serverArgs]);
  await using server = program;
  const where = ["--host", "127.0.0.1", "--port", port];
  const ending = await runProgram("client", [...args, "--explain", ...where]);
  await server.stderr.until(/ -- {2}(closed|cut) .*\n/);
  return {
    ending,
    client: explained(ending.stderr),
    server: explained(server.stderr.text),
    log: server.stderr.text,
  };
}

async function clip(): Promise<string> {
  await media.make("clip.mkv", [...pictures({ rate: "10", seconds: 0.5 }), "-c:v", "ffv1"]);
  return "clip.mkv";
}

Deno.test("--explain shows a video on both sides, state by state, and no token", async () => {
  const file = `${keys}/token`;
  await Deno.writeTextFile(file, `${TOKEN}\n`, { mode: 0o600 });
  const { ending, client, server, log } = await both([
    ...["--video", await clip(), "--view", "none", "--speed", "max", "--token-file", file],
  ], ["--token-file", file]);
  assertEquals(ending.code, 0, ending.stderr);
  assertEquals(shapes(client), [
    ...["-- connect waiting", "-- connected waiting", "-> request waiting"],
    ...["<- describe describing", "<- frame streaming", "<- end ended", "-- closed ended"],
  ]);
  assertEquals(shapes(server), [
    ...["-- connected waiting", "<- request waiting"],
    ...["-> describe describing", "-> frame streaming", "-> end ended", "-- closed ended"],
  ]);
  assertEquals(messages(client), mirrored(server));
  const [request, describe, ...frames] = messages(client);
  assertMatch(request.words, /^get_video "clip\.mkv", encoding raw, .*, with a token$/);
  assertMatch(describe.words, /^"clip\.mkv"; 0\.5 s; stream 0 video rawvideo, 64x48, /);
  assertEquals(frames.length, 6);
  assertMatch(frames[3].words, /^stream 0, video at 0\.300 s, keyframe, \d+ bytes$/);
  assertMatch(frames[5].words, /^reason end, 5 frames of video, 0 of audio, \d+ bytes of data, /);
  assertEquals(new Set(server.map(({ peer }) => peer)).size, 1);
  assert(server.every(({ seconds }, at) => seconds >= (server[at - 1]?.seconds ?? 0)));
  for (const text of [ending.stderr, ending.stdout, log]) assertFalse(text.includes(TOKEN));
});

Deno.test("--explain shows an image, a list and a refusal", async () => {
  const name = await clip();
  const image = await both(["--image", name, "--view", "none"]);
  assertEquals(
    [messages(image.client).map(({ kind }) => kind), messages(image.client)],
    [["request", "describe", "frame", "end"], mirrored(image.server)],
  );
  const list = await both(["--list"]);
  assertMatch(list.ending.stdout, /^NAME /);
  // On a busy machine, a list without details comes first.
  assertEquals(shapes(list.client).slice(2).filter((shape) => shape !== "<- list waiting"), [
    ...["-> request waiting", "<- list ended", "-- closed ended"],
  ]);
  const pieces = messages(list.client).slice(1).map(({ words }) => words);
  assert(pieces.some((words) => words.startsWith('1 entry, video "clip.mkv"')), pieces.join("; "));
  const refused = await both(["--video", "clop\n.mkv", "--view", "none"]);
  assertEquals(refused.ending.code, 1);
  assertEquals(shapes(refused.server), [
    ...["-- connected waiting", "<- request waiting", "-> error ended", "-- closed ended"],
  ]);
  assertEquals(messages(refused.client), mirrored(refused.server));
  assertMatch(messages(refused.client)[1].words, /^not_found: Cannot find "clop\?\.mkv"/);
});

Deno.test("--explain shows a publisher on both sides", async () => {
  await clip();
  const args = ["--publish", "cam", "--input", media.pathOf("clip.mkv")];
  const { ending, client, server } = await both(args);
  assertEquals(ending.code, 0, ending.stderr);
  assertEquals(
    shapes(messages(client).map((line) => ({ ...line, peer: undefined, seconds: 0 }))),
    [
      ...["-> request waiting", "<- accept waiting", "-> describe describing"],
      ...["-> frame streaming", "-> end ended", "<- end ended"],
    ],
  );
  assertEquals(messages(client), mirrored(server));
  assertMatch(messages(client)[3].words, /^stream 0, video at \S+ s, keyframe, captured \S+ UTC, /);
});

Deno.test("--explain shows a script's protocol on both sides", async () => {
  await clip();
  const { ending, client, server } = await both(["--video", "--classic", "--view", "none"]);
  assertEquals(ending.code, 0, ending.stderr);
  const framing = "4-byte length (little-endian), then a pickle";
  const pixels = 64 * 48 * 3;
  const sent = messages(server);
  assertEquals(sent.map(({ sign, kind, words, state }) => [sign, kind, words, state]), [
    ["<-", "request", '"get_video", as text', "waiting"],
    ...Array.from({ length: 5 }, () => ["->", "frame", `64x48 bgr24: ${framing}`, "streaming"]),
    ["->", "end", `the end: ${framing}`, "ended"],
  ]);
  assertEquals(sent[0].bytes, 9);
  assert((sent[1].bytes ?? 0) > pixels && (sent[1].bytes ?? 0) < pixels + 256);
  assertEquals(messages(client), mirrored(server));
});

tlsTest("--explain shows the handshake of TLS on both sides", async () => {
  const { cert, key, fingerprint } = await makeCertificate(keys, "explained");
  const { client, server } = await both(
    ["--list", "--tls-fingerprint", fingerprint],
    ["--tls-cert", cert, "--tls-key", key],
  );
  assertEquals(shapes(client).slice(0, 3), [
    ...["-- connect waiting", "-- connected waiting", "-- tls waiting"],
  ]);
  assertEquals(shapes(server).slice(0, 2), ["-- connected waiting", "-- tls waiting"]);
  assertMatch(client[2].words, /trusted by its fingerprint$/);
});

Deno.test("without --explain neither program explains anything", async () => {
  const quiet = ["--media", media.path, "--log-level", "debug"];
  const { program, port } = await startServerProgram(quiet);
  await using server = program;
  const where = ["--host", "127.0.0.1", "--port", port];
  const { stderr } = await runProgram("client", ["--list", ...where]);
  await server.stderr.until(/ disconnected\n/);
  assertEquals([stderr, explained(server.stderr.text)], ["", []]);
});

/** A line without what differs from run to run. */
function shapeOf(line: string): string {
  return line.replace(/etag \S+/, "etag 0").replaceAll(/\d+/g, "0").replaceAll(/ +/g, " ").trim();
}

Deno.test(`${DOCUMENT} shows what the client prints`, async () => {
  const text = await Deno.readTextFile(pathOf(DOCUMENT));
  const [, command, block] = text.match(/^```\n\$ \.\/stream-client (.*)\n([^]*?)^```$/m) ?? [];
  const { program, port } = await startServerProgram(["--media", pathOf("media")]);
  await using _server = program;
  const { code, stderr } = await runProgram("client", [...command.split(" "), "--port", port]);
  assertEquals(code, 0, stderr);
  const isSteady = (line: string) => !/ (ping|pong) /.test(line);
  const [shown, printed] = [block, stderr].map((lines) =>
    lines.split("\n").filter(isSteady).map(shapeOf)
  );
  assertEquals(printed, shown);
});

/** Messages that lead to a state, from the beginning of a conversation. */
const PATHS: Record<State, readonly Step[]> = {
  waiting: [],
  describing: ["request", "describe"],
  streaming: ["request", "frame"],
  ended: ["request", "end"],
};

type Step = Parameters<ConversationState["take"]>[0];

Deno.test(`${DOCUMENT} draws the transitions that the programs make`, async () => {
  const text = await Deno.readTextFile(pathOf(DOCUMENT));
  const diagrams = [...text.matchAll(/^```mermaid\nstateDiagram-v2\n([^]*?)^```$/gm)];
  assertEquals(diagrams.length, 3);
  for (const [, diagram] of diagrams) {
    const found = new Set<string>();
    for (const line of diagram.trimEnd().split("\n")) {
      const [, from, to, label] = line.match(/^ {2}(\S+) --> (\S+): ([a-z, ]+)$/) ?? [];
      const begin = STATES.find((state) => state === from);
      if (begin === undefined || to === "[*]") {
        const ends = ["  [*] --> waiting: connect", "  ended --> [*]: closed"];
        assert(ends.includes(line), line);
        continue;
      }
      for (const kind of label.split(", ") as Step[]) {
        const state = new ConversationState();
        PATHS[begin].forEach((step) => state.take(step));
        assertEquals(state.name, begin);
        state.take(kind);
        assertEquals<string>(state.name, to, line);
        found.add(to);
      }
    }
    for (const state of ["waiting", "streaming", "ended"]) assert(found.has(state), diagram);
  }
});
