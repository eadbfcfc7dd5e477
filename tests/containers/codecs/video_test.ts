import { assertEquals } from "@std/assert";
import { describeVideo } from "../../../lib/containers/codecs/video.ts";
import {
  CODED_VIDEO,
  type CodedVideo,
  packetOf,
  trackOf,
} from "../../support/media/coded_streams.ts";
import { pureTest } from "../../support/pure_test.ts";

for (const stream of CODED_VIDEO) {
  pureTest(`describeVideo() reports what ffprobe does of ${stream.name}`, () => {
    const facts = describeVideo(trackOf(stream), packetOf(stream));
    const { codedWidth, codedHeight, sampleAspectRatio: _, ...reported } = facts!;
    const { colorRange, colorSpace } = stream.expected;
    assertEquals(reported, { ...stream.expected, colorRange, colorSpace });
    assertEquals([codedWidth, codedHeight], [32, 32]);
  });
}

pureTest("describeVideo() gives nothing, and does not fail, if bytes are missing", () => {
  for (const stream of CODED_VIDEO) {
    const track = trackOf(stream);
    const packet = packetOf(stream);
    for (let length = 0; length < track.extradata.byteLength; length++) {
      const cut = { ...track, extradata: track.extradata.subarray(0, length) };
      const facts = describeVideo(cut, packet);
      // AV1 needs nothing behind its colours, VP8 and JPEG have no configuration.
      if (stream.codec !== "av1" && facts !== undefined) {
        assertEquals(facts, describeVideo(track, packet), `${stream.name}, ${length} bytes`);
      }
    }
    for (let length = 0; length < packet.byteLength; length++) {
      const facts = describeVideo(track, packet.subarray(0, length));
      if (facts !== undefined) assertEquals(facts, describeVideo(track, packet), stream.name);
    }
  }
});

pureTest("describeVideo() leaves colours to FFmpeg that contradict those of the container", () => {
  for (const name of ["h264 colours", "hevc colours", "vp9 444", "av1 444", "mjpeg 420"]) {
    const stream = CODED_VIDEO.find((each) => each.name === name)!;
    const other = { ...trackOf(stream), colorSpace: "smpte240m" };
    assertEquals(describeVideo(other, packetOf(stream)), undefined, name);
    const same = { ...other, colorSpace: stream.expected.colorSpace };
    assertEquals(describeVideo(same, packetOf(stream))?.colorSpace, same.colorSpace, name);
  }
});

/** H.264 whose pictures may have two fields. */
const INTERLACED_H264: CodedVideo = {
  name: "h264 interlaced",
  codec: "h264",
  extradata: "AWQAFf/hACFnZAAVrNlK2AiAAAADAIAAABkwIAB6EgAPQlJhgHxQplgBAAdo+6PLMALA/fj4AA==",
  packet: "AAAAFGWIggsDP/b27L4FN1uRiMp7nPF9",
  expected: { width: 32, height: 32, pixelFormat: "yuv420p", decodeDelay: 2 },
};

pureTest("describeVideo() leaves H.264 to FFmpeg whose pictures may have two fields", () => {
  assertEquals(describeVideo(trackOf(INTERLACED_H264), packetOf(INTERLACED_H264)), undefined);
});

pureTest("describeVideo() takes the transfer of VP9 from the container, if it is HDR", () => {
  const stream = CODED_VIDEO.find((each) => each.name === "vp9 444")!;
  const hdr = { colorTransfer: "arib-std-b67", colorPrimaries: "bt2020" };
  const facts = describeVideo({ ...trackOf(stream), ...hdr }, packetOf(stream));
  const { colorTransfer, colorPrimaries } = facts!;
  assertEquals({ colorTransfer, colorPrimaries }, hdr);
});

pureTest("describeVideo() takes the colours of the container if H.264 or VP8 states none", () => {
  for (const name of ["h264 main", "vp8"]) {
    const stream = CODED_VIDEO.find((each) => each.name === name)!;
    const track = { ...trackOf(stream), colorRange: "tv", colorSpace: "bt709" };
    const { colorRange, colorSpace } = describeVideo(track, packetOf(stream))!;
    assertEquals([colorRange, colorSpace], ["tv", "bt709"], name);
  }
});

pureTest("describeVideo() leaves other codecs to FFmpeg", () => {
  const track = trackOf(CODED_VIDEO[0]);
  for (const codec of ["mpeg4", "prores", "rawvideo", "toString"]) {
    assertEquals(describeVideo({ ...track, codec }, packetOf(CODED_VIDEO[0])), undefined, codec);
  }
});
