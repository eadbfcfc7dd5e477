/** The streams that a program publishes, as a server gets them described. */
import { checkNumbers } from "../../base/options.ts";
import type {
  AudioStream,
  DataStream,
  Description,
  Rational,
  StreamDescription,
  VideoStream,
} from "../../media/frame.ts";
import { MAX_PUBLISHED_NAME } from "../../protocol/native/request.ts";

/** Time base of all streams: microseconds. */
export const TIME_BASE: Rational = [1, 1_000_000];

/** Ids of the streams. */
export const PUBLISHED_IDS = { video: 0, audio: 1, data: 2 };

/** The video that is published. */
export interface PublishedVideo {
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  /** FFmpeg's name of the pixel format, such as `bgr24`; required for raw frames. */
  pixelFormat?: string;
  /** FFmpeg's name of the codec, such as `h264` or `mjpeg`. @default "rawvideo" */
  codec?: string;
  /** Configuration of the decoder, if the packets have none in themselves. @default none */
  extradata?: Uint8Array;
  /** Nominal frames per second; viewers go by the time of each frame. @default unknown */
  frameRate?: number;
}

/** The audio that is published. */
export interface PublishedAudio {
  /** Samples per second and channel. */
  sampleRate: number;
  /** Channels, which are interleaved in PCM. */
  channels: number;
  /** FFmpeg's name of the codec. @default "pcm_s16le" */
  codec?: string;
  /** Configuration of the decoder, if the packets have none in themselves. @default none */
  extradata?: Uint8Array;
}

/** The streams of a publication; at least one. */
export interface PublishedStreams {
  /** Frames or packets of video. @default no video */
  video?: PublishedVideo;
  /** Samples or packets of audio. @default no audio */
  audio?: PublishedAudio;
  /** Encoding of messages: JSON values, or any bytes. @default no messages */
  data?: "json" | "bytes";
}

const ENCODINGS: readonly PublishedStreams["data"][] = ["json", "bytes"];

/** @throws {TypeError} if a source cannot have that name */
function checkName(name: string): void {
  const isName = name !== "" && name.length <= MAX_PUBLISHED_NAME && !/\p{Cc}/u.test(name);
  if (isName) return;
  throw new TypeError(
    `Cannot publish ${JSON.stringify(name.slice(0, 100))}: expected a name of 1 to ` +
      `${MAX_PUBLISHED_NAME} characters without control characters`,
  );
}

/**
 * Describes the streams of a publication.
 *
 * @throws {TypeError} if a source cannot have that name, there are no streams, or one is wrong
 */
export function describePublished(
  name: string,
  { video, audio, data }: PublishedStreams,
): Description {
  checkName(name);
  if (video === undefined && audio === undefined && data === undefined) {
    throw new TypeError(`Cannot publish "${name}": expected video, audio or data in the options`);
  }
  if (data !== undefined && !ENCODINGS.includes(data)) {
    throw new TypeError(
      `Cannot publish "${name}": data ${data}, expected ${ENCODINGS.join(" or ")}`,
    );
  }
  const streams: StreamDescription[] = [
    ...(video === undefined ? [] : [toVideo(name, video)]),
    ...(audio === undefined ? [] : [toAudio(name, audio)]),
  ];
  const messages: DataStream[] = data === undefined
    ? []
    : [{ id: PUBLISHED_IDS.data, type: "data", codec: data, timeBase: TIME_BASE }];
  return { name, live: true, streams, data: messages };
}

function toVideo(name: string, video: PublishedVideo): VideoStream {
  const { width, height, pixelFormat, codec = "rawvideo", extradata, frameRate } = video;
  checkCounts(name, { width, height });
  checkExtradata(name, extradata);
  if (codec === "rawvideo" && pixelFormat === undefined) {
    throw new TypeError(
      `Cannot publish "${name}": no pixelFormat and no codec, expected one, such as bgr24`,
    );
  }
  checkNumbers({ frameRate }, { min: 0.001, max: 1_000_000 });
  return {
    ...{ id: PUBLISHED_IDS.video, type: "video", codec, fourcc: "", timeBase: TIME_BASE },
    ...{ extradata: extradata ?? new Uint8Array(0), width, height, pixelFormat },
    frameRate: frameRate === undefined ? undefined : [Math.round(frameRate * 1000), 1000],
  };
}

function toAudio(name: string, audio: PublishedAudio): AudioStream {
  const { sampleRate, channels, codec = "pcm_s16le", extradata } = audio;
  checkCounts(name, { sampleRate, channels });
  checkExtradata(name, extradata);
  return {
    ...{ id: PUBLISHED_IDS.audio, type: "audio", codec, fourcc: "", timeBase: TIME_BASE },
    ...{ extradata: extradata ?? new Uint8Array(0), sampleRate, channels },
  };
}

function checkExtradata(name: string, extradata: unknown): void {
  if (extradata === undefined || extradata instanceof Uint8Array) return;
  throw new TypeError(`Cannot publish "${name}": expected a Uint8Array as extradata`);
}

function checkCounts(name: string, counts: Record<string, number>): void {
  for (const [option, value] of Object.entries(counts)) {
    if (Number.isInteger(value) && value > 0) continue;
    throw new TypeError(
      `Cannot publish "${name}": ${option} ${value}, expected an integer above 0`,
    );
  }
}
