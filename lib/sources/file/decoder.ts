import { NothingToSendError, RequestError } from "../../base/errors.ts";
import type { StreamDescription } from "../../media/frame.ts";
import type { FrameSource, TimedFrame } from "../../media/source.ts";
import type { LaneInput } from "./ffmpeg_args.ts";
import { merge } from "./interleave.ts";
import type { MediaFile } from "./library.ts";
import { type MediaOptions, planLanes, refuseContradictions, refuseCopiedStill } from "./plan.ts";
import type { AudioInfo, VideoInfo } from "./probe.ts";
import {
  type PictureDescription,
  sizeNotes,
  toAudioStream,
  toPcmStream,
  toVideoStream,
} from "./stream_info.ts";
import { FrameLane, type LaneLimits } from "./track.ts";

/** Options of {@linkcode openDecoder}: what is wanted of the file, and limits. */
export interface DecoderOptions extends MediaOptions, LaneLimits {}

/** A file on its way to frames: pictures by one FFmpeg, sound by another. */
export class Decoder implements FrameSource {
  /** What the frames are, picture before sound. */
  readonly streams: readonly StreamDescription[];
  readonly notes: readonly string[];
  #lanes: readonly FrameLane[];
  #file: MediaFile;
  #options: DecoderOptions;

  constructor(lanes: readonly FrameLane[], { file, plan }: LaneInput, options: DecoderOptions) {
    this.#lanes = lanes;
    this.#file = file;
    this.#options = options;
    this.streams = lanes.map((lane) => lane.description);
    this.notes = plan.notes;
  }

  /** What FFmpeg has complained about so far while it went on; the media is damaged then. */
  get warning(): string | undefined {
    return this.#lanes.map((lane) => lane.warning).find((warning) => warning !== undefined);
  }

  /**
   * Gives all frames in the order in which they are due. A frame is good until the next one is
   * asked for.
   *
   * @throws {RequestError} `media_error` where FFmpeg fails
   */
  async *frames(): AsyncGenerator<TimedFrame> {
    let isEmpty = true;
    for await (const frame of merge(this.#lanes)) {
      isEmpty = false;
      yield frame;
      this.#lanes.find((lane) => lane.description.id === frame.streamId)?.recycle(frame);
    }
    // FFmpeg writes headers, and succeeds, even where nothing follows them.
    if (isEmpty) throw nothingToSend(this.#file, this.#options);
  }

  /** Ends FFmpeg and waits until it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => lane[Symbol.asyncDispose]()));
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
  const input: LaneInput = { file, options, plan: planLanes(file, options) };
  const lanes: FrameLane[] = [];
  try {
    const { audio } = file.info;
    const video = options.pictures === false ? undefined : file.info.video;
    if (video !== undefined) await openPictures(lanes, input, { options, video });
    if (audio !== undefined && input.plan.sound !== undefined) {
      await openSound(lanes, input, { options, audio });
    }
    if (lanes.length > 0) return new Decoder(lanes, input, options);
    const wanted = options.still ? "picture" : "picture, and sound was not wanted";
    throw new RequestError("unsupported", `Cannot send "${file.name}": it has no ${wanted}`);
  } catch (error) {
    await Promise.all(lanes.map((lane) => lane[Symbol.asyncDispose]()));
    throw error;
  }
}

async function openPictures(
  lanes: FrameLane[],
  input: LaneInput,
  { options, video }: { options: DecoderOptions; video: VideoInfo },
): Promise<void> {
  const lane = new FrameLane("picture", input, options);
  lanes.push(lane);
  const nut = await lane.readStream();
  if (nut === undefined) throw nothingToSend(input.file, options);
  const { pictures: encoding = "raw", notes } = input.plan;
  const wanted: PictureDescription = { info: video, options, encoding };
  const description = toVideoStream(nut, wanted);
  lane.describe(description);
  const { width, height } = options;
  const asked = width === undefined && height === undefined ? video : { width, height };
  notes.push(...sizeNotes(description, asked, encoding));
}

async function openSound(
  lanes: FrameLane[],
  input: LaneInput,
  { options, audio }: { options: DecoderOptions; audio: AudioInfo },
): Promise<void> {
  const lane = new FrameLane("sound", input, options);
  lanes.push(lane);
  const { sound } = input.plan;
  if (sound === "pcm") {
    // Known beforehand, so that the first picture need not wait until the sound is open.
    lane.describe(toPcmStream(audio));
    return;
  }
  const nut = await lane.readStream();
  if (nut !== undefined) {
    lane.describe(toAudioStream(nut, audio, sound === "copy" ? audio.codec : sound ?? ""));
  } else {
    // It is over before the start, and the pictures are not.
    lanes.splice(lanes.indexOf(lane), 1);
    await lane[Symbol.asyncDispose]();
    if (lanes.length === 0) throw nothingToSend(input.file, options);
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
