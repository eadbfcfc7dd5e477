/** Checks what a publisher describes and sends, and numbers its streams as viewers get them. */
import { RequestError } from "../../base/errors.ts";
import { bitsPerPixel } from "../../ffmpeg/pixel_formats.ts";
import {
  type AnyStream,
  type DataStream,
  type Description,
  type Frame,
  MAX_FRAME_SIZE,
  type Rational,
  type StreamDescription,
  toSeconds,
} from "../../media/frame.ts";
import type { TimedFrame } from "../../media/source.ts";
import { fourccOf } from "../live/stream_info.ts";
import type { SourceStreams } from "../live/source_streams.ts";

/** Streams of messages that one publisher may send. */
const MAX_DATA_STREAMS = 16;

/** Bytes of the largest message of a data stream, and of the largest frame of audio. */
const MAX_MESSAGE_SIZE = 2 ** 20;

/** Bytes of the largest frame of compressed video, whatever its size. */
const MIN_PACKET_LIMIT = 4 * 2 ** 20;

/** Bytes per pixel of a larger frame of compressed video; lossless codecs may need that. */
const PACKET_BYTES_PER_PIXEL = 4;

/** Frames of a publisher that are in memory at once: received, waiting, and kept for reuse. */
const HELD_FRAMES = 4;

/** Ids of the first video, the first audio and the first data stream, as viewers get them. */
const FIRST_IDS = { video: 0, audio: 1, data: 2 };

/** The finest time base that is passed on, seconds per tick: 2^53 ticks of it last 285 years. */
const FINEST: Rational = [1, 1_000_000];

/** Seconds that timestamps of one run may differ: ten years. */
const LONGEST_RUN = 3e8;

/** Codecs of which each frame is a keyframe, whatever its flag says. */
const INTRA_CODECS: readonly string[] = ["rawvideo", "mjpeg"];

/** A stream as its publisher describes it, and as viewers get it. */
interface PublishedStream {
  /** The publisher's time base. */
  timeBase: Rational;
  stream: AnyStream;
  isIntra: boolean;
  /** Bytes that a frame may have. */
  sizes: { min: number; max: number };
}

/** A frame in any memory. */
type FrameIn<Bytes extends Uint8Array> = Omit<Frame, "data"> & { data: Bytes };

/** The streams of one run of a publisher: from one description to the next. */
export class PublishedRun implements SourceStreams {
  readonly streams: readonly StreamDescription[];
  readonly data: readonly DataStream[];
  #byId = new Map<number, PublishedStream>();
  /** Seconds of the first frame. */
  #first: number | undefined;

  /**
   * @param maxPixels pixels of the largest picture
   * @throws {RequestError} `bad_request` for streams that cannot be passed on
   */
  constructor(description: Description, { maxPixels }: { maxPixels: number }) {
    const { data = [] } = description;
    for (const type of ["video", "audio"] as const) {
      if (description.streams.filter((stream) => stream.type === type).length > 1) {
        throw refused(`two streams of ${type}, expected one at most`);
      }
    }
    if (data.length > MAX_DATA_STREAMS) {
      throw refused(`${data.length} streams of data, expected at most ${MAX_DATA_STREAMS}`);
    }
    for (const stream of description.streams) this.#add(stream, describeStream(stream, maxPixels));
    for (const [index, stream] of data.entries()) {
      if (stream.codec === "subtitle") throw refused("subtitles, expected data of json or bytes");
      const timeBase = coarse(stream.timeBase);
      this.#add(stream, { ...stream, timeBase, id: FIRST_IDS.data + index });
    }
    const all = [...this.#byId.values()].map(({ stream }) => stream);
    this.streams = all.filter((stream) => stream.type !== "data").toSorted((a, b) => a.id - b.id);
    this.data = all.filter((stream) => stream.type === "data");
  }

  /** Whether a viewer who joins has to wait for a keyframe. */
  get needsKeyframe(): boolean {
    return [...this.#byId.values()].some(({ isIntra }) => !isIntra);
  }

  /** Bytes that frames take on their way to viewers. */
  get memory(): number {
    return HELD_FRAMES * Math.max(...[...this.#byId.values()].map(({ sizes }) => sizes.max));
  }

  /**
   * Converts a frame to the stream as viewers get it.
   *
   * @throws {RequestError} `bad_request` for a frame that does not fit the description
   */
  accept<Bytes extends Uint8Array>(
    frame: FrameIn<Bytes>,
  ): FrameIn<Bytes> & Pick<TimedFrame, "due"> {
    const known = this.#byId.get(frame.streamId);
    if (known === undefined) throw refused(`a frame of stream ${frame.streamId}, not described`);
    const { stream, timeBase, sizes, isIntra } = known;
    const size = frame.data.byteLength;
    if (size < sizes.min || size > sizes.max) {
      const expected = sizes.min === sizes.max ? sizes.min : `${sizes.min} to ${sizes.max}`;
      throw refused(`a frame of ${size} bytes in stream ${frame.streamId}, expected ${expected}`);
    }
    const due = toSeconds(frame.timestamp, timeBase);
    this.#first ??= due;
    if (Math.abs(due - this.#first) > LONGEST_RUN) {
      throw refused(`timestamp ${frame.timestamp} in stream ${frame.streamId} is years off`);
    }
    const scale = (timeBase[0] * stream.timeBase[1]) / (timeBase[1] * stream.timeBase[0]);
    return {
      ...frame,
      due,
      streamId: stream.id,
      keyframe: isIntra || frame.keyframe,
      timestamp: scale === 1 ? frame.timestamp : Math.round(frame.timestamp * scale),
    };
  }

  #add({ id, timeBase }: AnyStream, stream: AnyStream): void {
    if (this.#byId.has(id)) {
      throw refused(`stream ${id} stands there twice, expected ids that differ`);
    }
    const isIntra = stream.type !== "video" || INTRA_CODECS.includes(stream.codec);
    this.#byId.set(id, { timeBase, stream, isIntra, sizes: frameSizes(stream) });
  }
}

function describeStream(stream: StreamDescription, maxPixels: number): StreamDescription {
  const { codec, type } = stream;
  const timeBase = coarse(stream.timeBase);
  if (type === "audio") {
    return { ...stream, id: FIRST_IDS.audio, timeBase, fourcc: stream.fourcc || fourccOf(codec) };
  }
  const { width, height, pixelFormat } = stream;
  if (width * height > maxPixels) {
    throw refused(`a picture of ${width}x${height}, expected at most ${maxPixels} pixels`);
  }
  const isRaw = codec === "rawvideo";
  if (isRaw && pixelFormat === undefined) throw refused("raw video without pixelFormat");
  // A wrong one would have FFmpeg read another format.
  const fourcc = isRaw ? fourccOf(codec, pixelFormat) : stream.fourcc || fourccOf(codec);
  return { ...stream, id: FIRST_IDS.video, timeBase, fourcc };
}

/** The time base, or the finest one that is passed on. */
function coarse(timeBase: Rational): Rational {
  const isFiner = timeBase[0] * FINEST[1] < timeBase[1] * FINEST[0];
  return isFiner ? FINEST : timeBase;
}

function frameSizes(stream: AnyStream): PublishedStream["sizes"] {
  if (stream.type === "data") return { min: 0, max: MAX_MESSAGE_SIZE };
  if (stream.type === "audio") return { min: 0, max: MAX_MESSAGE_SIZE };
  const { width, height, pixelFormat = "" } = stream;
  if (stream.codec !== "rawvideo") {
    const most = Math.max(MIN_PACKET_LIMIT, width * height * PACKET_BYTES_PER_PIXEL);
    return { min: 0, max: Math.min(most, MAX_FRAME_SIZE) };
  }
  const bits = OTHER_BITS.find(([pattern]) => pattern.test(pixelFormat))?.[1] ??
    bitsPerPixel(pixelFormat);
  if (bits === undefined) {
    throw refused(`pixel format "${pixelFormat}", expected one that can be sent raw, as bgr24`);
  }
  // Planes of less resolution are rounded up, and a palette follows its pixels.
  const min = Math.floor(width * height * bits / 8);
  const isPlain = bits >= 8 && bits % 8 === 0 &&
    !/^(yuv4[12]|yuva4[12]|nv|uyv|yuyv|yvyu|pal8)/.test(pixelFormat);
  const max = isPlain ? min : Math.ceil((width + 7) * (height + 7) * bits / 8) + PALETTE_SIZE;
  if (max > MAX_FRAME_SIZE) throw refused(`raw frames of ${max} bytes, expected ${MAX_FRAME_SIZE}`);
  return { min, max };
}

/** Bytes of a palette. */
const PALETTE_SIZE = 1024;

/** Bits per pixel of formats that NUT does not carry, and that are passed on all the same. */
const OTHER_BITS: readonly (readonly [RegExp, number])[] = [
  [/^bayer_(bggr|rggb|gbrg|grbg)8$/, 8],
  [/^bayer_(bggr|rggb|gbrg|grbg)16[lb]e$/, 16],
  [/^grayf32[lb]e$/, 32],
  [/^ya16[lb]e$/, 32],
  [/^gbrpf32[lb]e$/, 96],
  [/^gbrapf32[lb]e$/, 128],
];

function refused(reason: string): RequestError {
  return new RequestError("bad_request", `Cannot take what is published: ${reason}`);
}
