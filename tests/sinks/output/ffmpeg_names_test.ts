import { assertEquals, assertRejects } from "@std/assert";
import {
  checkCodecs,
  checkExtension,
  checkFormat,
  parseEncoders,
  parseMuxers,
} from "../../../lib/sinks/output/ffmpeg_names.ts";
import { pureTest } from "../../support/pure_test.ts";

const MUXERS = `File formats:
 D. = Demuxing supported
 .E = Muxing supported
 --
  E 3g2             3GP2 (3GPP2 file format)
 DE ac3             raw AC-3
  E stream_segment,ssegment streaming segment muxer
 D  aa              Audible AA format files
`;

const ENCODERS = `Encoders:
 V..... = Video
 A..... = Audio
 ------
 V....D libx264              libx264 H.264 / AVC / MPEG-4 AVC / MPEG-4 part 10 (codec h264)
 VFS..D ffv1                 FFmpeg video codec #1
 A....D aac                  AAC (Advanced Audio Coding)
`;

pureTest("parseMuxers() and parseEncoders() read FFmpeg's tables", () => {
  assertEquals(parseMuxers(MUXERS), ["3g2", "ac3", "stream_segment", "ssegment"]);
  assertEquals(parseEncoders(ENCODERS, "video"), ["libx264", "h264", "ffv1"]);
  assertEquals(parseEncoders(ENCODERS, "audio"), ["aac"]);
});

Deno.test("checkFormat() accepts FFmpeg's formats, extensions and image types", async () => {
  for (const format of ["matroska", "mkv", "y4m", "mpegts", "hls", "png", "rtsp"]) {
    await checkFormat(format);
  }
  await assertRejects(
    () => checkFormat("matroshka"),
    Error,
    'Cannot use --format "matroshka": did you mean matroska?',
  );
});

Deno.test("checkCodecs() accepts FFmpeg's encoders by stream type", async () => {
  await checkCodecs({ video: "ffv1", audio: "flac" });
  await checkCodecs({ video: "copy", audio: "none" });
  for (
    const [codec, reason] of [
      [{ video: "ffv2" }, "did you mean ffv1?, expected one of ffmpeg -encoders"],
      [{ video: "flac" }, "it is for sound, which stands behind a comma (,flac)"],
      [{ audio: "ffv1" }, "it is for pictures, which stand in front of the comma"],
    ] as const
  ) {
    await assertRejects(() => checkCodecs(codec), Error, reason);
  }
});

Deno.test("checkExtension() asks FFmpeg about unusual types", async () => {
  for (const name of ["x.mp4", "x.png", "x.mxf", "a b/x.caf"]) await checkExtension(name);
  await assertRejects(
    () => checkExtension("x.xyz"),
    Error,
    'Cannot write "x.xyz": FFmpeg knows no type .xyz, expected one such as .mp4 or .mkv, or --format',
  );
});
