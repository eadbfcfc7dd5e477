/** Motion JPEG: the frame header (ITU-T T.81, B.2.2). */
import type { Rational } from "../../media/frame.ts";
import type { PacketTrack } from "../packet_file.ts";
import { agree, readOrNothing, type Subsampling, type VideoFacts } from "./facts.ts";
import { ConfigurationReader } from "./nal_units.ts";
import { lowestRatio } from "./usability.ts";

const START = 0xffd8;

/** Markers of frames with Huffman codes: baseline, extended and progressive. */
const FRAMES = [0xffc0, 0xffc1, 0xffc2];

/** Application segments from which FFmpeg takes colours, fields, or turns of the picture. */
const MEANINGFUL = [0xffe0, 0xffe1, 0xffee];

/** Application segment that states the aspect ratio, behind its version and the unit. */
const JFIF = "JFIF\0";
const JFIF_ASPECT = 8;

const COMMENT = 0xfffe;

/** A comment that means the limited range to FFmpeg. */
const LIMITED = "CS=ITU601";

/** Subsampling by the sampling factors of the three components, in lowest terms. */
const SUBSAMPLINGS: Readonly<Record<string, Subsampling>> = {
  "22 11 11": "420",
  "21 11 11": "422",
  "11 11 11": "444",
};

/**
 * Describes Motion JPEG.
 *
 * @param picture the first packet
 * @returns `undefined` if FFmpeg would have to decode
 */
export function describeJpeg(track: PacketTrack, picture: Uint8Array): VideoFacts | undefined {
  return readOrNothing(() => {
    const reader = new ConfigurationReader(picture);
    const number = () => reader.byte() * 256 + reader.byte();
    if (number() !== START) return undefined;
    let colorRange = "pc";
    let sampleAspectRatio: Rational | undefined;
    for (;;) {
      const marker = number();
      // Nothing but segments with a length comes before the frame.
      if (marker < 0xffc0 || (marker >= 0xffd0 && marker <= 0xffda)) return undefined;
      const length = number() - 2;
      if (length < 0) return undefined;
      const segment = reader.take(length);
      if (FRAMES.includes(marker)) {
        return describeFrame(track, segment, { colorRange, sampleAspectRatio });
      }
      const text = String.fromCharCode(...segment.subarray(0, LIMITED.length));
      if (marker === COMMENT && text === LIMITED) colorRange = "tv";
      if (!MEANINGFUL.includes(marker)) continue;
      if (!text.startsWith(JFIF)) return undefined;
      sampleAspectRatio = readAspect(segment);
    }
  });
}

function readAspect(segment: Uint8Array): Rational | undefined {
  const reader = new ConfigurationReader(segment.subarray(JFIF_ASPECT));
  return lowestRatio(reader.byte() * 256 + reader.byte(), reader.byte() * 256 + reader.byte());
}

function describeFrame(
  track: PacketTrack,
  segment: Uint8Array,
  { colorRange, sampleAspectRatio }: { colorRange: string; sampleAspectRatio?: Rational },
): VideoFacts | undefined {
  const reader = new ConfigurationReader(segment);
  const depth = reader.byte();
  const height = reader.byte() * 256 + reader.byte();
  const width = reader.byte() * 256 + reader.byte();
  // Fields have half of the height.
  if (depth !== 8 || width !== track.width || height !== track.height) return undefined;
  if (reader.byte() !== 3) return undefined;
  const components = Array.from({ length: 3 }, () => reader.take(3));
  // Components of other names may be RGB.
  if (!components.every(([id], at) => id === at + 1)) return undefined;
  const subsampling = SUBSAMPLINGS[lowestFactors(components.map(([, factors]) => factors))];
  const colors = { colorRange, colorSpace: "bt470bg" };
  if (subsampling === undefined || !agree(track, colors)) return undefined;
  const pixelFormat = `yuv${colorRange === "pc" ? "j" : ""}${subsampling}p`;
  const coded = { codedWidth: width, codedHeight: height };
  return { width, height, ...coded, pixelFormat, sampleAspectRatio, ...colors, decodeDelay: 0 };
}

/** Horizontal and vertical factors of each component, without a factor that is 2 for all. */
function lowestFactors(factors: readonly number[]): string {
  const columns = factors.map((both) => both >> 4);
  const rows = factors.map((both) => both & 15);
  const lowest = [columns, rows].map((all) =>
    all.every((factor) => factor === 2) ? [1, 1, 1] : all
  );
  return factors.map((_, at) => lowest.map((all) => all[at]).join("")).join(" ");
}
