/** Sample descriptions of video. */
import type { Rational } from "../../../media/frame.ts";
import type { PacketTrack } from "../../packet_file.ts";
import {
  allowBoxes,
  type Box,
  boxesIn,
  bytesOf,
  needBox,
  needBytes,
  onlyBox,
  printable,
  typeAt,
  UnindexedError,
} from "../boxes.ts";
import { hdrColors, MATRICES } from "../../codecs/facts.ts";
import { reduced } from "../../fractions.ts";
import { readDecoderConfig } from "./descriptors.ts";
import type { Track } from "../track.ts";

/** Bytes of an entry before its boxes (ISO/IEC 14496-12, 12.1.3). */
const ENTRY = 78;

/** Bits a pixel for which QuickTime has palettes, as FFmpeg reads them: the lower five bits. */
const PALETTE_DEPTHS = [1, 2, 4, 8];

/** Largest term of a sample aspect ratio. */
const MAX_ASPECT = 32_767;

const IN_ENTRY = new Set([
  ...["avcC", "hvcC", "esds", "av1C", "vpcC", "pasp", "colr", "btrt", "fiel", "clap", "gama"],
  ...["chrm", "SmDm", "mdcv", "clli", "CoLL", "cclv", "st3d", "sv3d", "dvcC", "dvvC", "amve"],
  ...["free", "skip", "wide", "uuid"],
]);

/** FFmpeg's names of codecs, and the boxes of their extradata; others have none. */
const FORMATS: Readonly<Record<string, { codec: string; configuration?: string }>> = {
  avc1: { codec: "h264", configuration: "avcC" },
  avc3: { codec: "h264", configuration: "avcC" },
  hvc1: { codec: "hevc", configuration: "hvcC" },
  hev1: { codec: "hevc", configuration: "hvcC" },
  av01: { codec: "av1", configuration: "av1C" },
  vp09: { codec: "vp9" },
  jpeg: { codec: "mjpeg" },
  ...Object.fromEntries(
    ["apch", "apcn", "apcs", "apco", "ap4h", "ap4x"].map((format) => [format, { codec: "prores" }]),
  ),
};

/** Codecs of "mp4v" by object type (ISO/IEC 14496-1, table 5). */
const OBJECT_TYPES: Readonly<Record<number, string>> = { 0x20: "mpeg4", 0x6c: "mjpeg" };

/** Codecs whose packets are all keyframes, whatever the container says. */
export const INTRA_CODECS: ReadonlySet<string> = new Set(["mjpeg", "prores"]);

/** Facts of a sample description about video. */
export type VideoFacts =
  & Pick<PacketTrack, "codec" | "extradata" | "width" | "height">
  & Pick<PacketTrack, "sampleAspectRatio" | "rotation" | keyof Colors>;

/**
 * Reads the sample description of a video track.
 *
 * @throws {UnindexedError} for what FFmpeg has to read
 * @throws {FormatError} for broken boxes
 */
export function readVideoEntry({ type, body }: Box, track: Track): VideoFacts {
  needBytes(body, ENTRY);
  const boxes = boxesIn(body, ENTRY);
  allowBoxes(boxes, printable(type), IN_ENTRY);
  const width = body.getUint16(24);
  const height = body.getUint16(26);
  if (width === 0 || height === 0) throw new UnindexedError("its picture has no size");
  if (PALETTE_DEPTHS.includes(body.getUint16(74) & 0x1f)) {
    throw new UnindexedError("its picture has a palette");
  }
  return {
    ...readCodec(type, boxes),
    width,
    height,
    sampleAspectRatio: aspectOf(boxes, { width, height, shown: track.shown }),
    rotation: rotationOf(track.matrix),
    ...readColors(boxes),
  };
}

function readCodec(type: string, boxes: readonly Box[]): Pick<VideoFacts, "codec" | "extradata"> {
  const format = Object.hasOwn(FORMATS, type) ? FORMATS[type] : undefined;
  const configurations = boxes.filter((box) => ["avcC", "hvcC", "esds", "av1C"].includes(box.type));
  if (format) {
    const { codec, configuration } = format;
    if (configurations.some((box) => box.type !== configuration)) {
      throw new UnindexedError(`its ${codec} has the configuration of another codec`);
    }
    const extradata = configuration ? bytesOf(needBox(boxes, configuration)) : new Uint8Array(0);
    if (configuration && extradata.byteLength < 4) {
      throw new UnindexedError(`its ${codec} has no configuration`);
    }
    return { codec, extradata };
  }
  if (type !== "mp4v") throw new UnindexedError(`it has video of type "${printable(type)}"`);
  if (configurations.length > 1) throw new UnindexedError("it has several configurations");
  const { objectType, info } = readDecoderConfig(needBox(boxes, "esds"));
  const codec = OBJECT_TYPES[objectType];
  if (codec === undefined) throw new UnindexedError(`it has video of object type ${objectType}`);
  return { codec, extradata: info };
}

/** Reads "pasp", or compares the size of the picture with that of the track, as FFmpeg does. */
function aspectOf(
  boxes: readonly Box[],
  { width, height, shown }: { width: number; height: number; shown: Track["shown"] },
): Rational | undefined {
  const pixel = onlyBox(boxes, "pasp");
  if (pixel) {
    needBytes(pixel, 8);
    const [numerator, denominator] = [pixel.getInt32(0), pixel.getInt32(4)];
    if (numerator < 0 || denominator < 0) throw new UnindexedError("its pixels have no size");
    if (numerator > 0 && denominator > 0) {
      return reduced(BigInt(numerator), BigInt(denominator), MAX_ASPECT);
    }
  }
  if (shown.width <= 0 || shown.height <= 0) return undefined;
  if (width === shown.width && height === shown.height) return undefined;
  return reduced(BigInt(height * shown.width), BigInt(width * shown.height));
}

/** Degrees clockwise of the matrix of a track. */
function rotationOf(matrix: readonly number[]): 0 | 90 | 180 | 270 {
  const [a, b, u, c, d, v, , , w] = matrix;
  const one = 1 << 16;
  const turns = [[one, 0, 0, one], [0, one, -one, 0], [-one, 0, 0, -one], [0, -one, one, 0]];
  const turn = turns.findIndex((turn) => `${turn}` === `${[a, b, c, d]}`);
  if (turn < 0 || u !== 0 || v !== 0 || w !== 1 << 30) {
    throw new UnindexedError("its matrix is no quarter turn");
  }
  return ([0, 90, 180, 270] as const)[turn];
}

/** Colours and fields. */
type Colors = Pick<
  PacketTrack,
  "colorRange" | "colorSpace" | "colorTransfer" | "colorPrimaries" | "isInterlaced"
>;

function withoutHdr({ colorTransfer: _, colorPrimaries: __, ...others }: Colors): Colors {
  return others;
}

/** Reads "colr" or "vpcC", whichever comes last, as FFmpeg does. */
function readColors(boxes: readonly Box[]): Colors {
  let colors: Colors = {};
  for (const { type, body } of boxes) {
    if (type === "colr") {
      needBytes(body, 4);
      const kind = typeAt(body, 0);
      if (kind !== "nclx" && kind !== "nclc") continue;
      needBytes(body, kind === "nclx" ? 11 : 10);
      const range = hdrColors(body.getUint16(4), body.getUint16(6));
      colors = { ...withoutHdr(colors), colorSpace: MATRICES[body.getUint16(8)], ...range };
      if (kind === "nclx") colors.colorRange = body.getUint8(10) & 0x80 ? "pc" : "tv";
    } else if (type === "vpcC") {
      needBytes(body, 12);
      if (body.getUint8(0) !== 1 || body.getUint16(10) !== 0) {
        throw new UnindexedError("its VP9 has an unknown configuration");
      }
      const range = hdrColors(body.getUint8(7), body.getUint8(8));
      colors = { ...withoutHdr(colors), colorSpace: MATRICES[body.getUint8(9)], ...range };
      colors.colorRange = body.getUint8(6) & 1 ? "pc" : "tv";
    } else if (type === "fiel") {
      needBytes(body, 2);
      // Two fields a frame.
      if (body.getUint8(0) === 2) colors.isInterlaced = true;
    }
  }
  return colors;
}
