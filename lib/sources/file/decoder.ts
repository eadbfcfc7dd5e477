import { NothingToSendError, RequestError } from "../../base/errors.ts";
import type { StreamDescription } from "../../media/frame.ts";
import type { FrameSource, TimedFrame } from "../../media/source.ts";
import type { TrackInput } from "./ffmpeg_args.ts";
import { merge } from "./interleave.ts";
import type { MediaFile } from "./library.ts";
import { type MediaOptions, planTracks, refuseContradictions, refuseCopiedStill } from "./plan.ts";
import type { AudioInfo, VideoInfo } from "./probe.ts";
import {
  type PictureDescription,
  sizeNotes,
  toAudioStream,
  toPcmStream,
  toVideoStream,
} from "./stream_info.ts";
import { FrameTrack, type TrackLimits } from "./track.ts";

/** Options of {@linkcode openDecoder}: what is wanted of the file, and limits. */
export interface DecoderOptions extends MediaOptions, TrackLimits {}

/** A file on its way to frames: pictures by one FFmpeg, sound by another. */
export class Decoder implements FrameSource {
  /** What the frames are, picture before sound. */
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

  /** What FFmpeg has complained about so far while it went on; the media is damaged then. */
  get warning(): string | undefined {
    return this.#tracks.map((track) => track.warning).find((warning) => warning !== undefined);
  }

  /**
   * Gives all frames in the order in which they are due. A frame is good until the next one is
   * asked for.
   *
   * @throws {RequestError} `media_error` where FFmpeg fails
   */
  async *frames(): AsyncGenerator<TimedFrame> {
    let isEmpty = true;
    for await (const frame of merge(this.#tracks)) {
      isEmpty = false;
      yield frame;
      this.#tracks.find((track) => track.description.id === frame.streamId)?.recycle(frame);
    }
    // FFmpeg writes headers, and succeeds, even where nothing follows them.
    if (isEmpty) throw nothingToSend(this.#file, this.#options);
  }

  /** Ends FFmpeg and waits until it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#tracks.map((track) => track[Symbol.asyncDispose]()));
  }
}

/**
 * Opens a file, to be sent in the encoding that is wanted, and waits for the first of it.
 *
 * @throws {RequestError} where the file cannot be sent as wanted
 */
export async function openDecoder(file: MediaFile, options: DecoderOptions): Promise<Decoder> {
  refuseContradictions(options);
  refuseCopiedStill(options, file);
  const input: TrackInput = { file, options, plan: planTracks(file, options) };
  const tracks: FrameTrack[] = [];
  try {
    const { audio } = file.info;
    const video = options.pictures === false ? undefined : file.info.video;
    if (video !== undefined) await openPictures(tracks, input, { options, video });
    if (audio !== undefined && input.plan.sound !== undefined) {
      await openSound(tracks, input, { options, audio });
    }
    if (tracks.length > 0) return new Decoder(tracks, input, options);
    const wanted = options.still ? "picture" : "picture, and sound was not wanted";
    throw new RequestError("unsupported", `Cannot send "${file.name}": it has no ${wanted}`);
  } catch (error) {
    await Promise.all(tracks.map((track) => track[Symbol.asyncDispose]()));
    throw error;
  }
}

async function openPictures(
  tracks: FrameTrack[],
  input: TrackInput,
  { options, video }: { options: DecoderOptions; video: VideoInfo },
): Promise<void> {
  const track = new FrameTrack("picture", input, options);
  tracks.push(track);
  const nut = await track.readStream();
  if (nut === undefined) throw nothingToSend(input.file, options);
  const { pictures: encoding = "raw", notes } = input.plan;
  const wanted: PictureDescription = { info: video, options, encoding };
  const description = toVideoStream(nut, wanted);
  track.describe(description);
  const { width, height } = options;
  const asked = width === undefined && height === undefined ? video : { width, height };
  notes.push(...sizeNotes(description, asked, encoding));
}

async function openSound(
  tracks: FrameTrack[],
  input: TrackInput,
  { options, audio }: { options: DecoderOptions; audio: AudioInfo },
): Promise<void> {
  const track = new FrameTrack("sound", input, options);
  tracks.push(track);
  const { sound } = input.plan;
  if (sound === "pcm") {
    // Known beforehand, so that the first picture need not wait until the sound is open.
    track.describe(toPcmStream(audio));
    return;
  }
  const nut = await track.readStream();
  if (nut !== undefined) {
    track.describe(toAudioStream(nut, audio, sound === "copy" ? audio.codec : sound ?? ""));
  } else {
    // It is over before the start, and the pictures are not.
    tracks.splice(tracks.indexOf(track), 1);
    await track[Symbol.asyncDispose]();
    if (tracks.length === 0) throw nothingToSend(input.file, options);
  }
}

function nothingToSend(
  { name }: MediaFile,
  { start = 0, duration }: MediaOptions,
): RequestError {
  const place = duration !== undefined
    ? `that begins within ${duration} s from ${start} s on`
    : start > 0
    ? `at ${start} s or later`
    : "that can be decoded";
  return new NothingToSendError("media_error", `Cannot send "${name}": there is nothing ${place}`);
}
