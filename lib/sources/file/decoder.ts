/** Opens a file of the library as a source of frames. */
import { NothingToSendError, RequestError } from "../../base/errors.ts";
import type { StreamDescription } from "../../media/frame.ts";
import type { FrameSource, TimedFrame } from "../../media/source.ts";
import type { TrackInput } from "./ffmpeg_args.ts";
import { merge } from "./interleave.ts";
import type { MediaFile } from "./library.ts";
import { type MediaOptions, planTracks, refuseContradictions, refuseCopiedStill } from "./plan.ts";
import { openPackets } from "./packets/open.ts";
import type { AudioInfo, VideoInfo } from "./ffprobe_streams.ts";
import {
  sizeNotes,
  toAudioStream,
  toPcmStream,
  toVideoStream,
  type VideoDescriptionOptions,
} from "./stream_info.ts";
import { FrameTrack, type TrackLimits } from "./track.ts";

/** Options of {@linkcode openDecoder}. */
export interface DecoderOptions extends MediaOptions, TrackLimits {}

/** Frames of a file: video and audio from an FFmpeg each. */
export class Decoder implements FrameSource {
  readonly streams: readonly StreamDescription[];
  readonly notes: readonly string[];
  #tracks: readonly FrameTrack[];
  #file: MediaFile;
  #options: DecoderOptions;

  constructor(tracks: readonly FrameTrack[], { file, plan }: TrackInput, options: DecoderOptions) {
    this.#tracks = tracks;
    this.#file = file;
    this.#options = options;
    this.streams = tracks.map((track) => track.description);
    this.notes = plan.notes;
  }

  get warning(): string | undefined {
    return this.#tracks.map((track) => track.warning).find((warning) => warning !== undefined);
  }

  async *frames(): AsyncGenerator<TimedFrame> {
    let isEmpty = true;
    for await (const frame of merge(this.#tracks)) {
      isEmpty = false;
      yield frame;
      this.#tracks.find((track) => track.description.id === frame.streamId)?.recycle(frame);
    }
    // FFmpeg writes headers, and succeeds, even if no frame follows.
    if (isEmpty) throw nothingToSend(this.#file, this.#options);
  }

  /** Ends FFmpeg and waits until it has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#tracks.map((track) => track[Symbol.asyncDispose]()));
  }
}

/**
 * Opens a file in the encoding that is asked for and waits for the first of its output. Packets that
 * are copied are read without FFmpeg if the index of the file is understood.
 *
 * @throws {RequestError} if the file cannot be sent as asked
 */
export async function openDecoder(
  file: MediaFile,
  options: DecoderOptions,
): Promise<FrameSource> {
  const indexed = await openIndexed(file, options);
  if (indexed !== undefined) return indexed;
  const input: TrackInput = { file, options, plan: planTracks(file, options) };
  const tracks: FrameTrack[] = [];
  try {
    const { audio } = file.info;
    const video = options.video === false ? undefined : file.info.video;
    if (video !== undefined) await openVideo(tracks, input, { options, video });
    if (audio !== undefined && input.plan.audio !== undefined) {
      await openAudio(tracks, input, { options, audio });
    }
    if (tracks.length > 0) return new Decoder(tracks, input, options);
    const wanted = options.still ? "picture" : "picture, and sound was not wanted";
    throw new RequestError("unsupported", `Cannot send "${file.name}": it has no ${wanted}`);
  } catch (error) {
    await Promise.all(tracks.map((track) => track[Symbol.asyncDispose]()));
    throw error;
  }
}

/**
 * Opens a file without FFmpeg, if all that is asked for are packets that its index tells.
 *
 * @throws {RequestError} if the file cannot be sent as asked
 */
export async function openIndexed(
  file: MediaFile,
  options: DecoderOptions,
): Promise<FrameSource | undefined> {
  refuseContradictions(options);
  refuseCopiedStill(options, file);
  if (options.encoding !== "copy") return undefined;
  const plan = planTracks(file, options);
  const toEmptyError = () => nothingToSend(file, options);
  const reopen = () => openDecoder({ ...file, packets: undefined }, options);
  return await openPackets(file, { options, plan, limits: { ...options, reopen }, toEmptyError });
}

async function openVideo(
  tracks: FrameTrack[],
  input: TrackInput,
  { options, video }: { options: DecoderOptions; video: VideoInfo },
): Promise<void> {
  const track = new FrameTrack("video", input, options);
  tracks.push(track);
  const nut = await track.readStream();
  if (nut === undefined) throw nothingToSend(input.file, options);
  const { video: encoding = "raw", notes } = input.plan;
  const wanted: VideoDescriptionOptions = { info: video, options, encoding };
  const description = toVideoStream(nut, wanted);
  track.describe(description);
  const { width, height } = options;
  const requested = width === undefined && height === undefined ? video : { width, height };
  notes.push(...sizeNotes(description, requested, encoding));
}

async function openAudio(
  tracks: FrameTrack[],
  input: TrackInput,
  { options, audio }: { options: DecoderOptions; audio: AudioInfo },
): Promise<void> {
  const track = new FrameTrack("audio", input, options);
  tracks.push(track);
  const { audio: codec } = input.plan;
  if (codec === "pcm") {
    // Described before FFmpeg writes headers, so that the first video frame need not wait for them.
    track.describe(toPcmStream(audio));
    return;
  }
  const nut = await track.readStream();
  if (nut !== undefined) {
    track.describe(toAudioStream(nut, audio, codec === "copy" ? audio.codec : codec ?? ""));
  } else {
    // The audio ends before the start; the video may not.
    tracks.splice(tracks.indexOf(track), 1);
    await track[Symbol.asyncDispose]();
    if (tracks.length === 0) throw nothingToSend(input.file, options);
  }
}

function nothingToSend(
  { name }: MediaFile,
  { start = 0, duration }: MediaOptions,
): RequestError {
  const part = duration !== undefined
    ? `that begins within ${duration} s from ${start} s on`
    : start > 0
    ? `at ${start} s or later`
    : "that can be decoded";
  return new NothingToSendError("media_error", `Cannot send "${name}": there is nothing ${part}`);
}
