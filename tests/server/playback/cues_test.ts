/** Subtitles through a real connection. */
import { assertAlmostEquals, assertEquals, assertMatch } from "@std/assert";
import { type Cue, parseCue } from "../../../lib/media/subtitles.ts";
import type { MediaRequest, ResumePoint } from "../../../lib/protocol/native/request.ts";
import { FILM_CUES, makeFilm } from "../../support/media/film.ts";
import { mediaFolder, pictures } from "../../support/media/media_folder.ts";
import { ask, type NativeClient, watch } from "../../support/peers/native_client.ts";
import { type TestServer, testServer } from "../../support/peers/test_server.ts";

const media = mediaFolder();

/** A text as it came, and its time on the timeline of the frames. */
interface Came extends Cue {
  shown: number;
  /** Number of frames of video before it. */
  after: number;
}

/**
 * A server that has read the texts of `film.mkv` in a language, for which a response waits for a
 * limited time.
 */
async function serverOfTexts(subtitles: MediaRequest["subtitles"]): Promise<TestServer> {
  await makeFilm(media, "film.mkv");
  const server = await testServer({ media: media.path });
  await ask(server, { command: "get_video", name: "film.mkv", data: "only", subtitles });
  return server;
}

async function cuesOf(server: TestServer, wishes: Partial<MediaRequest>): Promise<Came[]> {
  const came: Came[] = [];
  let after = 0;
  const request: MediaRequest = { command: "get_video", ...wishes };
  const response = await ask(server, request, {
    onFrame: ({ type, data, seconds }) => {
      if (type === "video") after++;
      if (type === "data") came.push({ ...parseCue(data), shown: seconds, after });
    },
  });
  assertEquals(response.error, undefined);
  assertEquals(response.description?.data?.map(({ codec }) => codec), ["subtitle"]);
  const { streams = [] } = response.end!;
  assertEquals(streams.find(({ id }) => id === 2)?.frames, came.length);
  return came;
}

function textsOf(cues: readonly Cue[]): Cue[] {
  return cues.map(({ start, end, text }) => ({ start, end, text }));
}

for (const [name, codec] of [["film.mkv", "subrip"], ["film.mp4", "mov_text"]]) {
  Deno.test(`get_video sends subtitles of ${codec} beside the frames if they are asked for`, async () => {
    await makeFilm(media, name);
    await using server = await testServer({ media: media.path });
    for (const encoding of ["raw", "copy"] as const) {
      const cues = await cuesOf(server, { name, encoding, subtitles: "eng" });
      assertEquals(textsOf(cues), [...FILM_CUES.eng]);
      assertEquals(cues.map(({ shown }) => shown), [0.2, 0.8, 1.6]);
      // The first two are shown within the first second, the last one is not.
      assertEquals(cues.slice(0, 2).map(({ after }) => after), [0, 0]);
      assertEquals(cues[2].after > 0 && cues[2].after < 40, true);
    }
    const recommended = await cuesOf(server, { name, encoding: "copy", subtitles: true });
    assertEquals(textsOf(recommended), [...FILM_CUES.deu]);
    const none = await ask(server, { command: "get_video", name, encoding: "copy" });
    const sent = await ask(server, { command: "get_video", name, encoding: "copy", subtitles: 1 });
    assertEquals([none, sent].map(({ description }) => description?.notes), [
      ["Further streams are dropped: 1 of sound, 2 of subtitles"],
      ["Further streams are dropped: 1 of sound, 1 of subtitles"],
    ]);
    assertEquals([none.description?.data, none.end?.streams?.length], [undefined, 2]);
  });
}

Deno.test("get_video begins with the text that is shown at the start", async () => {
  await using server = await serverOfTexts(1);
  const wishes = { name: "film.mkv", encoding: "copy", subtitles: 1 } as const;
  const part = await cuesOf(server, { ...wishes, start: 1, duration: 0.5 });
  assertEquals(textsOf(part), [FILM_CUES.eng[1]]);
  assertAlmostEquals(part[0].shown, -0.2);
  assertEquals(part[0].after, 0);
});

Deno.test("a resumed response has all texts, or those from the last one on if that is named", async () => {
  await makeFilm(media, "film.mkv");
  await using server = await testServer({ media: media.path });
  const wishes = { name: "film.mkv", encoding: "copy", subtitles: 1 } as const;
  const picture = { id: 0, after: 1000 };
  const resumed = async (...resume: ResumePoint[]) =>
    textsOf(await cuesOf(server, { ...wishes, resume }));
  assertEquals(await resumed(picture), [...FILM_CUES.eng]);
  // Another text might begin at the same time.
  assertEquals(await resumed(picture, { id: 2, after: 800 }), FILM_CUES.eng.slice(1));
  assertEquals(await resumed({ id: 2, after: 801 }), FILM_CUES.eng.slice(2));
  assertEquals(await resumed({ ...picture, after: 1960 }, { id: 2, after: 1601 }), []);
  const refusals: [resume: ResumePoint[], wishes: Partial<MediaRequest>, reason: RegExp][] = [
    [[picture, { id: 2, next: 800 }], {}, /stream 2 has texts, expected after, the last one's/],
    [[picture, { id: 2, after: 800 }], { subtitles: undefined }, /there is no stream 2/],
  ];
  for (const [resume, more, reason] of refusals) {
    const { error } = await ask(server, { command: "get_video", ...wishes, ...more, resume });
    assertEquals(error?.code, "bad_request");
    assertMatch(error!.message, reason);
  }
});

Deno.test("a resumed loop goes on with the texts of its round", async () => {
  await using server = await serverOfTexts(1);
  using client = await server.connect();
  const part = { start: 1, duration: 0.5, loop: true, audio: false };
  const resume = [{ id: 0, after: 1200 }, { id: 2, after: 800 }];
  await client.ask({ command: "get_video", name: "film.mkv", subtitles: 1, ...part, resume });
  const texts = await client.frames(2, 2);
  assertEquals(texts.map(({ seconds }) => seconds), [0.8, 1.3]);
  await client.control("stop");
  await client.rest();
});

Deno.test("a seek is followed by the texts from its target on", async () => {
  await using server = await serverOfTexts(1);
  using client: NativeClient = await server.connect();
  await client.ask({ command: "get_video", name: "film.mkv", subtitles: 1, speed: 1 });
  await client.until("frame");
  await client.control("pause");
  await client.seek(1.2, 1);
  await client.control("resume");
  const cues: Came[] = [];
  while (true) {
    const received = await client.next();
    if (received.kind === "end") break;
    if (received.kind !== "frame" || received.frame.type !== "data") continue;
    cues.push({ ...parseCue(received.frame.data), shown: received.frame.seconds, after: 0 });
  }
  assertEquals(textsOf(cues), FILM_CUES.eng.slice(1));
  assertEquals(cues.map(({ shown }) => shown), [0.8, 1.6]);
});

Deno.test("each round of a loop has its texts", async () => {
  await using server = await serverOfTexts(2);
  using client = await server.connect();
  const part = { start: 0.5, duration: 1, loop: true };
  await client.ask({ command: "get_video", name: "film.mkv", subtitles: 2, ...part });
  const [first, second, third] = await client.frames(3, 2);
  assertEquals([first.seconds, second.seconds, third.seconds], [0, 1, 2]);
  assertEquals(parseCue(third.data), FILM_CUES.deu[0]);
  await client.control("stop");
  await client.rest();
});

Deno.test("get_video sends nothing but texts if nothing else is asked for", async () => {
  await makeFilm(media, "film.mkv");
  await using server = await testServer({ media: media.path });
  const wishes = { name: "film.mkv", data: "only", subtitles: "eng" } as const;
  const cues = await cuesOf(server, { ...wishes, start: 0.7, speed: 1 });
  assertEquals(textsOf(cues), FILM_CUES.eng.slice(1));
  const late = await ask(server, { command: "get_video", ...wishes, start: 10 });
  assertEquals(late.error?.code, "bad_request");
});

Deno.test("get_video refuses subtitles that are pictures, and tracks of live sources", async () => {
  const text = await media.write("text.txt", "1\n00:00:00,000 --> 00:00:00,200\nhello\n");
  const args = [...pictures({ seconds: 0.4 }), "-f", "srt", "-i", text, "-c:v", "mpeg2video"];
  // FFmpeg makes no pictures of texts, so the file is made to say that they are.
  const bytes = await Deno.readFile(await media.make("text.mkv", [...args, "-c:s", "ass"]));
  const named = new TextDecoder("latin1").decode(bytes);
  bytes.set(new TextEncoder().encode("S_HDMV/PGS"), named.indexOf("S_TEXT/ASS"));
  await media.write("bitmaps.mkv", bytes);
  await using server = await testServer({ media: media.path });
  const { error } = await ask(server, {
    ...{ command: "get_video", name: "bitmaps.mkv", subtitles: 1 },
  });
  assertEquals(error?.code, "unsupported");
  assertMatch(
    error!.message,
    /^Cannot send subtitles 1 of "bitmaps.mkv": they are pictures \(hdmv/,
  );
});

Deno.test("a seek to the end sends none of the texts before it", async () => {
  await makeFilm(media, "film.mkv");
  await using server = await testServer({ media: media.path });
  const request = { name: "film.mkv", subtitles: "eng", speed: 0.1 } as const;
  using viewer = await watch(server, request);
  await viewer.frames(1);
  await viewer.seek(1e6, 1);
  assertEquals((await viewer.rest()).frames, []);
});

Deno.test("the round of a loop behind a seek to the end has its texts", async () => {
  await using server = await serverOfTexts("eng");
  const request = { name: "film.mkv", subtitles: "eng", loop: true } as const;
  using viewer = await watch(server, request);
  await viewer.frames(1);
  await viewer.seek(1e6, 1);
  // The text comes in front of the pictures that it is shown with.
  const [text] = await viewer.frames(1);
  assertEquals(parseCue(text.data!).text, FILM_CUES.eng[0].text);
});
