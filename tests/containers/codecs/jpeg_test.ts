import { assertEquals } from "@std/assert";
import { describeJpeg } from "../../../lib/containers/codecs/jpeg.ts";
import { CODED_VIDEO, packetOf, trackOf } from "../../support/media/coded_streams.ts";
import { pureTest } from "../../support/pure_test.ts";

const STREAM = CODED_VIDEO.find(({ name }) => name === "mjpeg 420")!;
const PICTURE = packetOf(STREAM);

/** The picture with a segment behind the start. */
function withSegment(marker: number, text: string): Uint8Array {
  const body = new TextEncoder().encode(text);
  const segment = [0xff, marker, 0, body.length + 2, ...body];
  return Uint8Array.of(...PICTURE.subarray(0, 2), ...segment, ...PICTURE.subarray(2));
}

pureTest("describeJpeg() leaves pictures to FFmpeg that may be RGB, turned, or fields", () => {
  assertEquals(describeJpeg(trackOf(STREAM), withSegment(0xee, "Adobe"))?.pixelFormat, undefined);
  assertEquals(describeJpeg(trackOf(STREAM), withSegment(0xe1, "Exif"))?.pixelFormat, undefined);
  assertEquals(describeJpeg(trackOf(STREAM), withSegment(0xe0, "AVI1"))?.pixelFormat, undefined);
  const field = { ...trackOf(STREAM), height: 64 };
  assertEquals(describeJpeg(field, PICTURE), undefined);
});

pureTest("describeJpeg() takes the range from the comment that FFmpeg writes", () => {
  const limited = describeJpeg(trackOf(STREAM), withSegment(0xfe, "CS=ITU601"));
  assertEquals([limited?.pixelFormat, limited?.colorRange], ["yuv420p", "tv"]);
  const full = describeJpeg(trackOf(STREAM), withSegment(0xfe, "CS=ITU709"));
  assertEquals([full?.pixelFormat, full?.colorRange], ["yuvj420p", "pc"]);
});
