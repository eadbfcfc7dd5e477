import { assertEquals, assertGreater } from "@std/assert";
import { SERVED_FORMATS } from "../../../lib/sources/file/formats.ts";
import { run } from "../../support/media/media_folder.ts";

/** Demuxers that are excluded on purpose: lists, session descriptions, subtitles, data, discs. */
const LEFT_OUT = new Set(
  ("ac4 aqtitle ass bitpacked concat dash data dvbsub dvbtxt dvdvideo ffmetadata hls image2pipe imf " +
    "jacosub lrc mcc microdvd mlv mpl2 mpsub pjs rcwt realtext rtp rtsp sami sap scc sdp srt stl " +
    "subviewer subviewer1 sup tedcaptions tty vobsub vplayer webm_dash_manifest webvtt").split(" "),
);

/** Names of demuxers in what `ffmpeg -demuxers` or `ffmpeg -devices` prints: ` D   matroska,webm …`. */
async function listed(what: "-demuxers" | "-devices"): Promise<string[]> {
  const text = new TextDecoder().decode(await run("ffmpeg", ["-hide_banner", what]));
  const [, lines = ""] = text.split(/^ --+$/m);
  return [...lines.matchAll(/^ D[E ]?d? +(\S+) /gm)].map(([, names]) => names);
}

Deno.test("SERVED_FORMATS knows of every demuxer that this FFmpeg has", async () => {
  const devices = await listed("-devices");
  const demuxers = (await listed("-demuxers")).filter((names) => !devices.includes(names));
  assertGreater(demuxers.length, 200);
  const known = (name: string) => SERVED_FORMATS.includes(name) || LEFT_OUT.has(name);
  assertEquals(demuxers.filter((names) => !names.split(",").some(known)), []);
});
