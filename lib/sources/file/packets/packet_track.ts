/** One stream of a file that is read by its index, from packets to frames in decode order. */
import type { Packet, PacketFile, PacketTrack } from "../../../containers/packet_file.ts";
import { DecodeOrder, type Due } from "../../../media/pacer.ts";
import { type Rational, type StreamDescription, toSeconds } from "../../../media/frame.ts";
import type { TimedFrame } from "../../../media/source.ts";
import type { NutStream } from "../../../nut/demuxer.ts";
import { copiedFourcc } from "../../../nut/fourccs.ts";
import type { MediaOptions } from "../plan.ts";
import type { BatchMemory } from "./batch_memory.ts";
import type { MediaInfo } from "../probe.ts";
import { planCopying } from "../seek.ts";
import { toAudioStream, toVideoStream } from "../stream_info.ts";
import { AudioPreroll, trimEnd, VideoPreroll } from "../track.ts";
import { WaitingFrames } from "./waiting_frames.ts";
import { DecodeTimes } from "./decode_times.ts";
import { NONE, sampleCounter } from "./samples.ts";
import { nutTimeBase, PacketTiming } from "./packet_timing.ts";

/** A file, and the part of it to read. */
export interface PacketInput {
  file: PacketFile;
  info: MediaInfo;
  options: MediaOptions;
  /** Memory that the packets lie in. */
  memory: Pick<BatchMemory, "hold" | "release">;
}

/** Frames of one stream. Packets are added batch by batch, frames taken as they are due. */
export class PacketTrackReader {
  /** Number of the track in the file. */
  readonly index: number;
  readonly description: StreamDescription;
  /** All packets of the part have been added. */
  isOver = false;
  /** Seconds of the latest packet. */
  time = -Infinity;
  #timing: PacketTiming;
  /** Absent for sound, whose timestamps are moved as FFmpeg moves them. */
  #decodeTimes: DecodeTimes | undefined;
  #preroll: VideoPreroll<TimedFrame> | AudioPreroll<TimedFrame>;
  #order: DecodeOrder<TimedFrame>;
  #memory: PacketInput["memory"];
  /** Frames whose due time is known. */
  #queue: WaitingFrames;
  #reached = -Infinity;
  /** A packet has been a keyframe. */
  #isStarted = false;
  #wasInBatch = true;
  /** Seconds at which the part ends; absent if packets come out of order. */
  #end: number | undefined;

  constructor(
    track: PacketTrack,
    nut: NutStream,
    { file, info, options, memory }: PacketInput,
  ) {
    const isVideo = track.type === "video";
    this.index = track.index;
    this.description = isVideo
      ? toVideoStream(nut, { info: info.video!, options, encoding: "copy" })
      : toAudioStream(nut, info.audio!, track.codec);
    this.#memory = memory;
    this.#queue = new WaitingFrames(this.description.id);
    const drop = ({ data }: TimedFrame) => memory.release(data.buffer);
    this.#preroll = isVideo ? new VideoPreroll(drop) : new AudioPreroll(drop);
    this.#order = new DecodeOrder(nut.decodeDelay);
    this.#end = isVideo ? undefined : options.duration;
    if (isVideo) this.#decodeTimes = decodeTimesOf(track, nut.decodeDelay);
    this.#timing = new PacketTiming({
      ...{ source: track.timeBase, nut: nut.timeBase, target: this.description.timeBase },
      ...{ fileStart: file.start, options },
      samplesOf: isVideo ? undefined : sampleCounter(track, info.audio!) ?? NONE,
      plan: planCopying(info.format, options.start ?? 0, isVideo ? info.video : undefined),
    });
  }

  /** Whether the latest batch had packets of it. */
  get wasInBatch(): boolean {
    return this.#wasInBatch;
  }

  /** Whether its next frame is in a batch to come, and may be due before those of other tracks. */
  get isAwaited(): boolean {
    return this.continues && this.#queue.isEmpty;
  }

  /** Whether the next batch is likely to have packets of it. */
  get continues(): boolean {
    return this.#wasInBatch && !this.isOver;
  }

  /** Seconds at which its last frame at hand is due; those to come are due no earlier. */
  get lastDue(): number {
    return this.#queue.lastDue;
  }

  /** Seconds at which the last frame that was taken is due: those to come are due no earlier. */
  get reached(): number {
    return this.#reached;
  }

  /** Seconds at which the next frame is due; `Infinity` without any. */
  get due(): number {
    return this.#queue.due;
  }

  /** Takes the next frame. */
  take(): TimedFrame {
    const frame = this.#queue.take();
    this.#reached = frame.due;
    return frame;
  }

  /** Says that the packets of another batch follow. */
  beginBatch(): void {
    this.#queue.compact();
    this.#wasInBatch = false;
  }

  /**
   * Adds a packet, in decode order, and holds its memory if it becomes a frame.
   *
   * @throws {FormatError} if FFmpeg would change its timestamp
   */
  add({ timestamp: ticks, decodeTimestamp, keyframe, data }: Packet): void {
    this.#wasInBatch = true;
    if (this.isOver) return;
    this.#isStarted ||= keyframe;
    if (!this.#isStarted) return;
    if (this.#timing.isBehind(decodeTimestamp ?? ticks)) return this.end();
    this.#decodeTimes?.add(ticks, decodeTimestamp);
    const { id: streamId, timeBase } = this.description;
    const timestamp = this.#timing.next(ticks, data.byteLength);
    const frame: TimedFrame = { streamId, timestamp, keyframe, data, borrowed: true, due: 0 };
    if (this.#end !== undefined) {
      const trimmed = trimEnd(this.#end, frame, this.description);
      if (trimmed === undefined) return this.end();
      frame.data = trimmed.data;
    }
    this.#memory.hold(frame.data.buffer);
    this.time = toSeconds(timestamp, timeBase);
    for (const sent of this.#preroll.add(frame, this.time)) this.#push(sent);
  }

  /** Gives what was held back for packets that come so late that they decide nothing. */
  endPreroll(): void {
    for (const frame of this.#preroll.end()) this.#push(frame);
  }

  /** Says that no packets follow. */
  end(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.endPreroll();
    this.#queueAll(this.#order.end());
  }

  #push(frame: TimedFrame): void {
    this.#queueAll(this.#order.add(frame, toSeconds(frame.timestamp, this.description.timeBase)));
  }

  #queueAll(frames: readonly Due<TimedFrame>[]): void {
    for (const { item, due } of frames) this.#queue.add(item, due);
  }
}

function decodeTimesOf(
  { timeBase: [numerator, denominator], frameRate }: PacketTrack,
  decodeDelay: number,
): DecodeTimes {
  const seconds = frameRate === undefined ? 0 : frameRate[1] / frameRate[0];
  return new DecodeTimes({ decodeDelay, frameTicks: seconds * denominator / numerator });
}

/**
 * Describes a track as FFmpeg's NUT would.
 *
 * @returns `undefined` if that is not known
 */
export function describeAsNut(track: PacketTrack, info: MediaInfo): NutStream | undefined {
  const { index: id, type, codec, tag, extradata, timeBase, sampleAspectRatio } = track;
  const fourcc = copiedFourcc(codec, tag);
  if (fourcc === undefined) return undefined;
  const { video, audio } = info;
  if (type === "audio") {
    if (audio === undefined || audio.codec !== codec) return undefined;
    const { sampleRate, channels } = audio;
    const own: Rational = [1, sampleRate];
    return { id, type, fourcc, timeBase: own, decodeDelay: 0, extradata, sampleRate, channels };
  }
  if (video === undefined || video.codec !== codec) return undefined;
  const isTurned = video.rotation === 90 || video.rotation === 270;
  return {
    ...{ id, type, fourcc, timeBase: nutTimeBase(timeBase), extradata },
    decodeDelay: video.decodeDelay ?? 0,
    width: isTurned ? video.height : video.width,
    height: isTurned ? video.width : video.height,
    sampleAspectRatio: video.sampleAspectRatio ?? sampleAspectRatio,
  };
}
