/** Decodes frames to pictures of the terminal's size. */
import { ByteReader, fromStream } from "../../base/byte_reader.ts";
import { TruncatedError } from "../../base/errors.ts";
import { copyFrame, type Frame, toSeconds, type VideoStream } from "../../media/frame.ts";
import { FfmpegProcess } from "../ffmpeg_process.ts";
import { nutInputArguments, shownFilters, turned, videoTrim } from "../filters.ts";
import type { Size } from "./text_renderer.ts";

/** Options of {@linkcode PictureConverter}. */
export interface PictureConverterOptions {
  /** Input stream, raw or encoded. */
  video: VideoStream;
  filters: readonly string[];
  /** Bytes of a picture behind the filters. */
  size: number;
  /** Whole seconds before the beginning in which frames are only decoded. @default 0 */
  lead?: number;
  /** Takes each picture, in memory that is reused for the next unless it returns other memory. */
  onPicture: (picture: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer> | undefined | void;
  signal?: AbortSignal;
}

/** FFmpeg turning frames into raw pictures of one size, with as little delay as possible. */
export class PictureConverter implements AsyncDisposable {
  #process: FfmpegProcess;
  #reading: Promise<void>;

  constructor({ video, filters, size, lead = 0, onPicture, signal }: PictureConverterOptions) {
    const args = [
      ...["-v", "error", "-fpsprobesize", "0", "-analyzeduration", "200000"],
      ...nutInputArguments([video], { lead }),
      ...["-vf", filters.join(","), "-fps_mode", "passthrough"],
      // FFmpeg would otherwise delay pictures: one in each thread, small ones up to 32 kB of them.
      ...["-threads", "1", "-flush_packets", "1", "-f", "rawvideo", "pipe:1"],
    ];
    this.#process = new FfmpegProcess("ffmpeg", args, {
      ...{ streams: [video], lead, stdout: "piped", signal },
    });
    this.#reading = readPictures(this.#process.stdout, size, onPicture);
  }

  /**
   * Converts a frame.
   *
   * @returns false if no more are taken
   * @throws {ProcessError} if FFmpeg fails
   */
  async write(frame: Frame): Promise<boolean> {
    return await this.#process.write(frame);
  }

  async finish(): Promise<void> {
    await this.#process.finish();
    await this.#reading;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
    await this.#reading;
  }
}

async function readPictures(
  stdout: ReadableStream<Uint8Array>,
  size: number,
  onPicture: PictureConverterOptions["onPicture"],
): Promise<void> {
  const reader = new ByteReader(fromStream(stdout));
  let picture = new Uint8Array(size);
  try {
    while (await reader.peek(1) !== undefined) {
      picture = await reader.readInto(picture);
      picture = onPicture(picture) ?? picture;
    }
  } catch (error) {
    // FFmpeg was killed in the middle of a picture, as the sink was disposed.
    if (!(error instanceof TruncatedError)) throw error;
  }
}

/** Pixels of decoded pictures at most; terminals show less. */
const LARGEST = {
  text: { width: 640, height: 360 },
  graphics: { width: 1280, height: 720 },
} as const;

/** Options of {@linkcode startDecoder}. */
export interface PictureDecoderOptions extends Omit<PictureConverterOptions, "filters" | "size"> {
  /** Decoded stream, by {@linkcode decodedStream}. */
  decoded: VideoStream;
  /** Timestamp of the first picture to show, seconds. @default all are shown */
  from?: number;
  /** False to show a high dynamic range as it is. @default true */
  toneMap?: boolean;
}

/** Size of a picture with square pixels: others are stretched. */
export function shownSize(
  { width, height, sampleAspectRatio: [wide, high] = [1, 1] }: VideoStream,
): Size {
  return { width: width * wide / high, height };
}

/** Describes the decoded stream: upright, with square pixels, not too large. */
export function decodedStream(video: VideoStream, { isText }: { isText: boolean }): VideoStream {
  const { width, height } = shownSize(turned(video));
  const largest = isText ? LARGEST.text : LARGEST.graphics;
  const scale = Math.min(1, largest.width / width, largest.height / height);
  return {
    ...{ type: "video", id: video.id, codec: "rawvideo", fourcc: "RGB\x18" },
    ...{ pixelFormat: "rgb24", timeBase: [1, 25], extradata: new Uint8Array(0) },
    width: Math.max(1, Math.round(width * scale)),
    height: Math.max(1, Math.round(height * scale)),
  };
}

/** Starts a decoder, which delays pictures as little as possible. */
export function startDecoder(
  { video, decoded: { width, height }, from, toneMap, ...options }: PictureDecoderOptions,
): PictureConverter {
  const filters = [
    ...(from === undefined ? [] : videoTrim(from)),
    ...shownFilters(video, { toneMap, size: turned(video) === video ? { width, height } : {} }),
    ...[`scale=${width}:${height}:flags=area`, "format=rgb24"],
  ];
  return new PictureConverter({ video, filters, size: width * height * 3, ...options });
}

/** Bytes of packets kept at most; a seek that needs more shows nothing until playback goes on. */
const MOST = 64 << 20;

/**
 * Shows the target of a seek during a pause. FFmpeg delays a picture until further packets come,
 * which they do not during a pause; a second FFmpeg that reads the same packets to their end does
 * not wait.
 */
export class PausedPicture {
  #options: PictureDecoderOptions & { from: number };
  #packets: Frame[] = [];
  #bytes = 0;

  constructor(options: PictureDecoderOptions & { from: number }) {
    this.#options = options;
  }

  /** Adds a packet, in decode order; resolves once its picture is out. */
  async add(frame: Frame): Promise<void> {
    this.#bytes += frame.data.byteLength;
    if (this.#bytes > MOST) this.#packets = [];
    if (this.#bytes > MOST) return;
    this.#packets.push(copyFrame(frame));
    const { from, video } = this.#options;
    if (toSeconds(frame.timestamp, video.timeBase) < from) return;
    await using decoder = startDecoder(this.#options);
    for (const packet of this.#packets) await decoder.write(packet);
    await decoder.finish();
  }
}
