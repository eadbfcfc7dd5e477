/** Opens files for copying by their index, without FFmpeg. */
import type { PacketFile, PacketTrack } from "../../../containers/packet_file.ts";
import type { MediaFile } from "../library.ts";
import type { MediaOptions, TrackPlan } from "../plan.ts";
import { AUDIO_WARM_UP } from "../track.ts";
import type { MediaInfo } from "../probe.ts";
import { planCopying } from "../seek.ts";
import { type PacketEntry, PacketSource, type PacketSourceLimits } from "./packet_source.ts";
import { NONE, sampleCounter } from "./samples.ts";
import { describeAsNut, PacketTrackReader } from "./packet_track.ts";

/** Seconds of audio that are read before the start: with what times are off that were rounded. */
const WARM_UP = AUDIO_WARM_UP + 0.001;

/** Seconds by which FFmpeg seeks earlier in files with reordered video, if it seeks by decode times. */
const SEEK_DELAY = 3 / 23;

/** Options of {@linkcode openPackets}. */
export interface PacketOpenOptions {
  options: MediaOptions;
  plan: TrackPlan;
  limits: PacketSourceLimits;
  /** Makes the error for a source without any frame. */
  toEmptyError: () => Error;
}

/**
 * Opens a file by its index if all wanted streams are copied and the frames are known to be those
 * that FFmpeg would copy.
 *
 * @returns `undefined` if FFmpeg has to do it
 */
export async function openPackets(
  file: MediaFile,
  { options, plan, limits, toEmptyError }: PacketOpenOptions,
): Promise<PacketSource | undefined> {
  const { info, name } = file;
  const types = wantedTypes(file, { options, plan });
  if (types === undefined || file.packets === undefined) return undefined;
  await using stack = new AsyncDisposableStack();
  const packets = await file.packets.use(file);
  if (packets === undefined) return undefined;
  stack.use(packets);
  limits.signal.throwIfAborted();
  const input = { file: packets.file, memory: packets.memory, info, options };
  const readers: PacketTrackReader[] = [];
  for (const type of types) {
    const track = trackOf(packets.file, info, type);
    const nut = track && describeAsNut(track, info);
    if (nut === undefined || !isExact(packets.file, track!, options, info.video?.decodeDelay)) {
      return undefined;
    }
    readers.push(new PacketTrackReader(track!, nut, input));
  }
  const entry = entryOf(packets.file, types, { options, info });
  if (entry === undefined) return undefined;
  stack.move();
  return new PacketSource(packets, readers, {
    ...limits,
    ...{ name, notes: plan.notes, entry, toEmptyError },
  });
}

/** The chosen track of a type, if it is understood. */
function trackOf(
  { tracks }: PacketFile,
  info: MediaInfo,
  type: PacketTrack["type"],
): PacketTrack | undefined {
  const number = info[type]?.number ?? 0;
  return tracks.find((track) => track.type === type && track.number === number);
}

/** Types of the streams to send; `undefined` unless all are copied packets of a video or of sound. */
function wantedTypes(
  { info }: MediaFile,
  { options, plan }: Pick<PacketOpenOptions, "options" | "plan">,
): PacketTrack["type"][] | undefined {
  if (options.still || info.kind === "image") return undefined;
  const isVideoWanted = options.video !== false && info.video !== undefined;
  const encodings = [...(isVideoWanted ? [plan.video] : []), ...(plan.audio ? [plan.audio] : [])];
  if (encodings.length === 0 || encodings.some((encoding) => encoding !== "copy")) return undefined;
  return [...(isVideoWanted ? ["video" as const] : []), ...(plan.audio ? ["audio" as const] : [])];
}

/**
 * Whether the end of a part is known. FFmpeg ends a stream by decode timestamps, which Matroska does
 * not have; those that FFmpeg makes up depend on what it has decoded of the file.
 */
function isExact(
  { format }: PacketFile,
  { type }: PacketTrack,
  { duration }: MediaOptions,
  decodeDelay = 0,
): boolean {
  const isByDecodeTime = duration !== undefined && type === "video" && decodeDelay > 0;
  return !isByDecodeTime || !format.startsWith("matroska");
}

/**
 * The position from which a file is read, so that the same frames come out as with FFmpeg.
 *
 * If the timestamps of audio are coarser than its samples, FFmpeg counts the samples from the packet
 * on that it has read first, so that reading begins there: in Matroska, at a keyframe of the video.
 *
 * @returns `undefined` if that is not known
 */
function entryOf(
  file: PacketFile,
  types: readonly PacketTrack["type"][],
  { options: { start = 0 }, info }: { options: MediaOptions; info: MediaInfo },
): PacketEntry | undefined {
  const audio = trackOf(file, info, "audio");
  if (!types.includes("audio") || audio === undefined) return { from: file.start + start };
  if (isCounted(audio, info) === false) return { from: file.start + start - WARM_UP };
  const video = trackOf(file, info, "video");
  const { seek } = planCopying(info.format, start);
  if (seek === 0) return { from: -Infinity };
  const isKnown = file.format.startsWith("matroska") && isCounted(audio, info) !== undefined;
  if (!isKnown || video === undefined) return undefined;
  const delay = (info.video?.decodeDelay ?? 0) > 0 ? SEEK_DELAY : 0;
  return { from: file.start + seek - delay, first: video.index };
}

/** Whether FFmpeg counts the samples of a track; `undefined` if it is not known how. */
function isCounted(track: PacketTrack, { audio }: MediaInfo): boolean | undefined {
  const [numerator, denominator] = track.timeBase;
  if (audio === undefined || numerator * audio.sampleRate <= denominator) return false;
  const counter = sampleCounter(track, audio);
  return counter && counter !== NONE;
}
