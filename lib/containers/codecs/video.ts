/** Video whose headers state all that ffprobe reports. */
import type { PacketTrack } from "../packet_file.ts";
import { describeAv1 } from "./av1.ts";
import type { VideoFacts } from "./facts.ts";
import { describeH264 } from "./h264.ts";
import { describeHevc } from "./hevc.ts";
import { describeJpeg } from "./jpeg.ts";
import { describeVp8, describeVp9 } from "./vpx.ts";

/** Describes a codec by its configuration and its first packet. */
type Describe = (track: PacketTrack, packet: Uint8Array) => VideoFacts | undefined;

const DESCRIPTIONS: Readonly<Record<string, Describe>> = {
  h264: describeH264,
  hevc: describeHevc,
  vp8: describeVp8,
  vp9: describeVp9,
  av1: describeAv1,
  mjpeg: describeJpeg,
};

/** Pixels of a side at most: FFmpeg refuses some of what is larger, depending on the format. */
const MAX_SIDE = 2 ** 15;

/**
 * Describes video as ffprobe does.
 *
 * @param packet the first one, a keyframe
 * @returns `undefined` if FFmpeg would have to decode, or the codec is not known here
 */
export function describeVideo(track: PacketTrack, packet: Uint8Array): VideoFacts | undefined {
  if (!Object.hasOwn(DESCRIPTIONS, track.codec)) return undefined;
  const facts = DESCRIPTIONS[track.codec](track, packet);
  const isUsual = facts !== undefined && Math.max(facts.codedWidth, facts.codedHeight) <= MAX_SIDE;
  return isUsual ? facts : undefined;
}
