import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../lib/base/errors.ts";
import {
  keepsTimestamps,
  parseCodecChoice,
  wantsEvenSizes,
} from "../../../lib/sinks/output/target.ts";
import { pureTest } from "../../support/pure_test.ts";

pureTest("parseCodecChoice() reads encoders of video, of audio, or of both", () => {
  for (
    const [text, video, audio] of [
      ["libx265", "libx265", undefined],
      ["libx265,", "libx265", undefined],
      [",flac", undefined, "flac"],
      ["libvpx-vp9,libopus", "libvpx-vp9", "libopus"],
      ["none,copy", "none", "copy"],
    ]
  ) {
    assertEquals(parseCodecChoice(`${text}`), { video, audio }, text);
  }
  for (const text of ["", ",", "a,b,c", "a b", "-x y,"]) {
    assertThrows(() => parseCodecChoice(text), UsageError, "Cannot use --codec");
  }
});

pureTest("keepsTimestamps() and wantsEvenSizes() know the limits of encoders", () => {
  const names = ["libx264", "libx265", "ffv1", "libvpx-vp9", "mpeg4", "mpeg2video", "h264_nvenc"];
  assertEquals(names.filter(keepsTimestamps), ["libx264", "libx265", "ffv1", "libvpx-vp9"]);
  assertEquals(names.filter(wantsEvenSizes), ["libx264", "libx265", "h264_nvenc"]);
});
