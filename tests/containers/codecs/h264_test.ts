import { assertEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../../lib/base/errors.ts";
import { describeH264, readSequenceParameters } from "../../../lib/containers/codecs/h264.ts";
import { CODED_VIDEO, packetOf, trackOf } from "../../support/media/coded_streams.ts";
import { pureTest } from "../../support/pure_test.ts";

const [MAIN, CROPPED] = ["h264 main", "h264 cropped"].map((name) =>
  CODED_VIDEO.find((stream) => stream.name === name)!
);

/** The sequence parameter set of a configuration: behind six bytes and its length. */
function sequenceOf({ extradata }: { extradata: Uint8Array }): Uint8Array {
  return extradata.subarray(8, 8 + extradata[7]);
}

pureTest("readSequenceParameters() reads sizes, cropping and reordering", () => {
  const { codedWidth, codedHeight, crop, reordered, subsampling, depth } = readSequenceParameters(
    sequenceOf(trackOf(CROPPED)),
  );
  assertEquals([codedWidth, codedHeight, subsampling, depth, reordered], [32, 32, "420", 8, 2]);
  assertEquals(crop, { left: 0, right: 2, top: 0, bottom: 6 });
});

pureTest("readSequenceParameters() refuses other NAL units", () => {
  assertThrows(() => readSequenceParameters(Uint8Array.of(0x68, 1)), FormatError, "type 8");
});

pureTest("describeH264() takes the size of a container that crops the last macroblocks", () => {
  const sized = (width: number, height: number) => {
    const facts = describeH264({ ...trackOf(MAIN), width, height }, packetOf(MAIN))!;
    return [facts.width, facts.height];
  };
  assertEquals(sized(20, 30), [20, 30]);
  // A whole macroblock less, and more than there is.
  assertEquals(sized(16, 30), [32, 32]);
  assertEquals(sized(40, 40), [32, 32]);
});

pureTest("describeH264() leaves streams to FFmpeg that it would have to decode", () => {
  const track = trackOf(MAIN);
  const packet = packetOf(MAIN);
  const [sizeByte, type] = [7, 4];
  const withByte = (bytes: Uint8Array<ArrayBuffer>, at: number, byte: number) => {
    const changed = bytes.slice();
    changed[at] = byte;
    return changed;
  };
  const extradata = Uint8Array.from(track.extradata);
  // No slice, another set of parameters in the packet, a slice of another picture.
  assertEquals(describeH264(track, withByte(packet, type, 6)), undefined);
  assertEquals(describeH264(track, withByte(packet, type, 7)), undefined);
  assertEquals(describeH264(track, withByte(packet, type + 1, 0x40)), undefined);
  // Without information about reordering: the parameters end before.
  const short = withByte(extradata, sizeByte, extradata[sizeByte] - 6);
  assertEquals(describeH264({ ...track, extradata: short }, packet), undefined);
});
