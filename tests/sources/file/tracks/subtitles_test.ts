import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { RequestError } from "../../../../lib/base/errors.ts";
import type { MediaTrack } from "../../../../lib/media/frame.ts";
import { Library } from "../../../../lib/sources/file/library.ts";
import type { MediaInfo } from "../../../../lib/sources/file/probe.ts";
import { chooseSubtitles, SubtitleTexts } from "../../../../lib/sources/file/tracks/subtitles.ts";
import { FILM_CUES, makeFilm } from "../../../support/media/film.ts";
import { mediaFolder } from "../../../support/media/media_folder.ts";
import { mediaChildren } from "../../../support/programs/machine.ts";
import { standIn } from "../../../support/programs/stand_in.ts";
import { pureTest } from "../../../support/pure_test.ts";

const media = mediaFolder();
const never = new AbortController().signal;

async function film() {
  await makeFilm(media, "film.mkv");
  return await new Library(media.path).find("film.mkv");
}

/** A file with these subtitles, by codec and language. */
function fileWith(...subtitles: [codec: string, language?: string, isDefault?: boolean][]) {
  const tracks = subtitles.map(([codec, language, isDefault]): MediaTrack => ({
    ...{ type: "subtitles", codec, language, default: isDefault },
  }));
  const info: MediaInfo = { kind: "video", format: "matroska", tracks };
  return { name: "a.mkv", info };
}

pureTest("chooseSubtitles() prefers texts, and what the file recommends", () => {
  const file = fileWith(["hdmv_pgs_subtitle", "deu", true], ["subrip", "eng"], ["ass", "ger"]);
  assertEquals(chooseSubtitles(file, true), 1);
  assertEquals(chooseSubtitles(file, "de"), 2);
  assertEquals(chooseSubtitles(file, "deu"), 2);
  assertEquals(chooseSubtitles(file, 3), 2);
  const two = fileWith(["subrip", "eng"], ["subrip", "eng", true], ["subrip"]);
  assertEquals([chooseSubtitles(two, true), chooseSubtitles(two, "eng")], [1, 1]);
  const refusals: [ReturnType<typeof fileWith>, true | number | string, RegExp][] = [
    [file, 1, /^Cannot send subtitles 1 of "a.mkv": they are pictures \(hdmv_pgs_subtitle\)/],
    [file, 4, /^Cannot find subtitles 4 in "a.mkv": it has 1 \(deu\), 2 \(eng\), 3 \(ger\)$/],
    [file, "fr", /^Cannot find subtitles "fr" in/],
    [fileWith(["dvd_subtitle"]), true, /^Cannot send subtitles 1 of .* pictures/],
    [fileWith(), true, /^Cannot find subtitles in "a.mkv": it has none$/],
  ];
  for (const [from, wanted, reason] of refusals) {
    assertMatch(assertThrows(() => chooseSubtitles(from, wanted), RequestError).message, reason);
  }
});

Deno.test("SubtitleTexts.read() reads a track once for all who want it", async () => {
  const file = await film();
  const texts = new SubtitleTexts();
  const [first, second] = await Promise.all([
    texts.read(file, 0, never),
    texts.read(file, 0, never),
  ]);
  assertEquals(first, [...FILM_CUES.eng]);
  assert(first === second);
  using _ffmpeg = await standIn("ffmpeg", "exit 1");
  assert(await texts.read(file, 0, never) === first);
  const changed = { ...file, state: { ...file.state!, stamp: "other" } };
  await assertRejects(() => texts.read(changed, 0, never), RequestError, "Cannot read subtitles 1");
});

Deno.test("SubtitleTexts.read() ends FFmpeg when the last of those who wait leaves", async () => {
  const file = await film();
  const texts = new SubtitleTexts();
  {
    using _ffmpeg = await standIn("ffmpeg", "exec sleep 60");
    const [one, other] = [new AbortController(), new AbortController()];
    const readings = [one, other].map(({ signal }) => texts.read(file, 0, signal));
    const gone = readings.map((reading) => assertRejects(() => reading, Error, "left"));
    one.abort(new Error("left"));
    await gone[0];
    other.abort(new Error("left"));
    await gone[1];
  }
  // The next one begins again.
  assertEquals(await texts.read(file, 0, never), [...FILM_CUES.eng]);
  assertEquals(await mediaChildren(), []);
});

Deno.test("SubtitleTexts.read() refuses texts without an end", async () => {
  const file = await film();
  using _ffmpeg = await standIn(
    "ffmpeg",
    "exec yes aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
  );
  const texts = new SubtitleTexts();
  await assertRejects(() => texts.read(file, 0, never), RequestError, "more than 4194304 bytes");
});
