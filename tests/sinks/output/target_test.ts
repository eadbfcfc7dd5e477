import { assertEquals } from "@std/assert";
import {
  extensionOf,
  fileTarget,
  isImageType,
  muxerOf,
  pipeTarget,
  typeOf,
  unknownName,
} from "../../../lib/sinks/output/target.ts";
import { pureTest } from "../../support/pure_test.ts";

pureTest("extensionOf() gives the part behind the last dot of the name", () => {
  for (
    const [path, expected, isPicture] of [
      ["a.mp4", "mp4", false],
      ["a.b.MKV", "mkv", false],
      ["a.PNG", "png", true],
      ["a.png.mp4", "mp4", false],
      ["a.gif", "gif", false],
      ["/x.y/a", "", false],
      ["../a", "", false],
      ["a.", "", false],
      [".png", "", false],
      ["", "", false],
    ] as const
  ) {
    assertEquals(extensionOf(path), expected, path);
    assertEquals(isImageType(extensionOf(path)), isPicture, path);
  }
});

pureTest("muxerOf() and typeOf() know formats by FFmpeg's name and by their extension", () => {
  for (
    const [format, muxer, type] of [
      ["y4m", "yuv4mpegpipe", "y4m"],
      ["yuv4mpegpipe", "yuv4mpegpipe", "y4m"],
      ["mkv", "matroska", "mkv"],
      ["matroska", "matroska", "mkv"],
      ["ts", "mpegts", "ts"],
      ["mpegts", "mpegts", "ts"],
      ["m4a", "ipod", "m4a"],
      ["hls", "hls", "hls"],
      ["mp4", "mp4", "mp4"],
      ["framemd5", "framemd5", "framemd5"],
    ]
  ) {
    assertEquals([muxerOf(format), typeOf(format)], [muxer, type], format);
  }
});

pureTest("fileTarget() takes the type from the extension, or from the format", () => {
  assertEquals(fileTarget("a/b.MP4"), { name: "file:a/b.MP4", type: "mp4" });
  assertEquals(fileTarget("a.bin", "mkv"), {
    name: "file:a.bin",
    type: "mkv",
    muxer: "matroska",
  });
  assertEquals(fileTarget("a.bin", "png"), { name: "file:a.bin", type: "png", muxer: "image2" });
});

pureTest("pipeTarget() fragments types that would need to seek", () => {
  const fragments = (format: string) => pipeTarget(format).options?.includes("-movflags");
  assertEquals(["mp4", "mov", "mkv", "mpegts"].map(fragments), [true, true, false, false]);
  assertEquals(pipeTarget("png").muxer, "image2pipe");
});

pureTest("unknownName() suggests a similar name", () => {
  assertEquals(unknownName("matroshka", ["matroska", "mp4"]), "did you mean matroska?");
  assertEquals(unknownName("q", ["matroska"]), "FFmpeg has none of this name");
});
