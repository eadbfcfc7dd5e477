/** Tracks that programs and pages choose. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/base/errors.ts";
import { parseClientFlags } from "../../lib/client/options.ts";
import { parseCue } from "../../lib/media/subtitles.ts";
import type { MediaRequest } from "../../lib/protocol/native/request.ts";
import { concat } from "../support/media/bytes.ts";
import { FILM_CUES, makeFilm } from "../support/media/film.ts";
import { mediaFolder, run } from "../support/media/media_folder.ts";
import { clientOf } from "../support/peers/module_client.ts";
import { testServer } from "../support/peers/test_server.ts";
import { pureTest } from "../support/pure_test.ts";
import { testPage } from "../support/screens/page.ts";

const media = mediaFolder();

Deno.test("watch() gives the audio track and the subtitles that it is asked for", async () => {
  await makeFilm(media, "film.mkv");
  await using server = await testServer({ media: media.path });
  const options = { encoding: "copy", audioTrack: "fra", subtitles: "eng", speed: 0 } as const;
  await using watch = clientOf(server).watch("film.mkv", options);
  const channels = new Set<number>();
  const cues: unknown[] = [];
  for await (const { stream, data, time } of watch) {
    if (stream.type === "audio") channels.add(stream.channels);
    if (stream.type === "data") cues.push([time, parseCue(data)]);
  }
  assertEquals([...channels], [1]);
  assertEquals(cues, FILM_CUES.eng.map((cue) => [cue.start, cue]));
});

Deno.test("a play over a WebSocket has the subtitles and the audio that the page asks for", async () => {
  await makeFilm(media, "film.mp4");
  await using server = await testServer({ media: media.path });
  await using page = await testPage(server);
  const query = "name=film.mp4&start=1&can=h264,aac&track=2&subtitles=1";
  const socket = new WebSocket(`ws://${page.host}/api/play?${query}`);
  socket.binaryType = "arraybuffer";
  const closed = new Promise((resolve) => socket.addEventListener("close", resolve));
  const events: { kind: string; [field: string]: unknown }[] = [];
  const parts: Uint8Array[] = [];
  let taken = 0;
  socket.addEventListener("message", ({ data }) => {
    if (typeof data === "string") return void events.push(JSON.parse(data));
    parts.push(new Uint8Array(data));
    socket.send(`${taken += data.byteLength}`);
  });
  await closed;
  assertEquals(events.filter(({ kind }) => kind === "subtitle"), [
    { kind: "subtitle", start: 0.8, end: 1.4, text: "How are\nyou?" },
    { kind: "subtitle", start: 1.6, end: 1.9, text: "Bye" },
  ]);
  const path = await media.write("out/film.mp4", concat(...parts));
  const args = ["-select_streams", "a", "-show_entries", "stream=channels", "-of", "csv=p=0"];
  assertEquals(new TextDecoder().decode(await run("ffprobe", [...args, path])).trim(), "1");
});

const REQUESTS: Record<string, Partial<MediaRequest>> = {
  "--video --audio-track deu --subtitles": {
    command: "get_video",
    audioTrack: "deu",
    subtitles: true,
    speed: 1,
    late: "drop",
  },
  "--video --audio-track 2 --subtitles=3 --output x.mkv": {
    command: "get_video",
    audioTrack: 2,
    subtitles: 3,
    data: true,
    metadata: true,
    speed: 0,
  },
  "--video --output x.srt": { command: "get_video", subtitles: true, data: "only", speed: 0 },
  "--video --output x --format webvtt --subtitles eng": {
    command: "get_video",
    subtitles: "eng",
    data: "only",
    speed: 0,
  },
  "--video --output x.vtt --view terminal": {
    command: "get_video",
    subtitles: true,
    speed: 1,
  },
};

const WRONG: Record<string, string> = {
  "--video --audio-track 0":
    'Cannot use --audio-track "0": expected a number from 1 on, or a language such as deu',
  "--video --no-audio --audio-track 1":
    "Cannot use --audio-track with --no-audio: it says which audio is sent",
  "--video --subtitles --data -":
    "Cannot use --subtitles with --data: they are no messages, expected --output FILE.srt",
  "--video --subtitles --view browser":
    "Cannot use --subtitles with --view browser: the page has a choice of them",
  "--video --loop --output x.srt": 'Cannot write "x.srt" with --loop: it would have no end',
};

pureTest("toTracks() maps flags to tracks, and a file of subtitles to nothing else", () => {
  for (const [line, expected] of Object.entries(REQUESTS)) {
    const action = parseClientFlags(line.split(" "));
    assert(action.kind === "media");
    const { redescribe: _, ...request } = JSON.parse(JSON.stringify(action.request));
    assertEquals(request, expected, line);
  }
});

pureTest("checkTracks() refuses flags that contradict each other", () => {
  for (const [line, message] of Object.entries(WRONG)) {
    const error = assertThrows(() => parseClientFlags(line.split(" ")), UsageError);
    assertEquals(error.message, message);
  }
});
