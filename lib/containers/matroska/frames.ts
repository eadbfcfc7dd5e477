/** Turns the blocks of a track into packets. */
import type { Packet, PacketTrack } from "../packet_file.ts";
import { framesOf } from "./blocks.ts";
import type { Block } from "./clusters.ts";
import { broken } from "./ebml.ts";
import { type KeyframeRule, keyframeRule } from "./tracks/keyframes.ts";
import type { TrackEntry } from "./tracks/entries.ts";

/** A track with what its packets are made by. */
export interface PacketMaker {
  /** Number in blocks. */
  number: number;
  track: PacketTrack;
  /** Ticks that are subtracted from timestamps. */
  delay: number;
  /** Nanoseconds of a frame; 0 if unknown. */
  frameDuration: number;
  /** Nanoseconds of a tick. */
  scale: number;
  isKey: KeyframeRule;
}

/** Makes the packets of a track. */
export function packetMaker(
  { number, codecDelay, defaultDuration }: TrackEntry,
  track: PacketTrack,
  scale: number,
): PacketMaker {
  const [delay, frameDuration] = [delayTicks(codecDelay, scale), defaultDuration];
  return { number, track, delay, frameDuration, scale, isKey: keyframeRule(track) };
}

/** Ticks of a codec's delay in nanoseconds, as FFmpeg rounds. */
export function delayTicks(codecDelay: number, scale: number): number {
  return Math.round(codecDelay / scale);
}

/**
 * Adds the packets of a block to a list. Frames that share a block are spread over its duration.
 *
 * @throws {FormatError} if it has several frames without a duration
 */
export function addPackets(packets: Packet[], block: Block, maker: PacketMaker): void {
  const { track: { index }, isKey } = maker;
  const frames = framesOf(block.data, block.flags);
  const count = frames.length;
  const duration = block.duration || Math.floor(maker.frameDuration * count / maker.scale);
  const start = block.time - maker.delay;
  frames.forEach((data, at) => {
    if (at > 0 && duration < count) throw broken("lacing", "frames without times", "a duration");
    const timestamp = start + Math.floor(duration * at / count);
    if (data.byteLength === 0) return;
    packets.push({ track: index, timestamp, keyframe: isKey(data, block.isKey), data });
  });
}
