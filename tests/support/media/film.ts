/** Films with several tracks. */
import type { Cue } from "../../../lib/media/subtitles.ts";
import { type MediaFolder, pictures, tone } from "./media_folder.ts";

/** The subtitles of a film by their language. */
export const FILM_CUES: Readonly<Record<"eng" | "deu", readonly Cue[]>> = {
  eng: [
    { start: 0.2, end: 0.6, text: "Hello" },
    { start: 0.8, end: 1.4, text: "How are\nyou?" },
    { start: 1.6, end: 1.9, text: "Bye" },
  ],
  deu: [{ start: 0.5, end: 1.5, text: "Grüße & <Küsse>" }],
};

const SECONDS = 2;
const SRT = {
  eng: `1
00:00:00,200 --> 00:00:00,600
<b>Hello</b>

2
00:00:00,800 --> 00:00:01,400
<i>How</i> are
you?

3
00:00:01,600 --> 00:00:01,900
{\\an8}Bye
`,
  deu: "1\n00:00:00,500 --> 00:00:01,500\nGrüße & <Küsse>\n",
};

/**
 * Makes a film of two seconds: pictures with a keyframe every half second, German sound on two channels
 * and French sound on one, English and German subtitles, which it recommends, and cover art.
 *
 * @param name ends with `.mkv` or `.mp4`
 */
export async function makeFilm(folder: MediaFolder, name: string): Promise<string> {
  const [english, german, cover] = await Promise.all([
    folder.write("eng.txt", SRT.eng),
    folder.write("deu.txt", SRT.deu),
    folder.make("cover/cover.png", [...pictures(), "-frames:v", "1"]),
  ]);
  const isMp4 = name.endsWith(".mp4");
  const length = { seconds: SECONDS };
  const inputs = [
    ...[...pictures(length), ...tone(length), ...tone({ ...length, layout: "mono" })],
    ...["-f", "srt", "-i", english, "-f", "srt", "-i", german],
    ...(isMp4 ? ["-i", cover] : ["-attach", cover, "-metadata:s:t:0", "mimetype=image/png"]),
  ];
  const maps = [0, 1, 2, 3, 4, ...(isMp4 ? [5] : [])].flatMap((at) => ["-map", `${at}`]);
  return await folder.make(name, [
    ...[...inputs, ...maps, "-c:v:0", "libx264", "-pix_fmt:v:0", "yuv420p"],
    // Matroska has no time below 0: a delay of the sound would move all that is shown.
    ...["-g", "12", ...(isMp4 ? ["-c:a", "aac"] : ["-c:a", "flac", "-sample_fmt", "s16"])],
    ...["-c:s", isMp4 ? "mov_text" : "subrip"],
    ...["-metadata:s:a:0", "language=ger", "-metadata:s:a:1", "language=fra"],
    ...["-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=deu"],
    ...["-disposition:a:0", "default", "-disposition:a:1", "0"],
    ...["-disposition:s:0", "0", "-disposition:s:1", "default"],
    ...(isMp4 ? ["-c:v:1", "png", "-disposition:v:1", "attached_pic"] : []),
  ]);
}
