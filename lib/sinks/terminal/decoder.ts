import { type Frame, toSeconds, type VideoStream } from "../../media/frame.ts";
import { FfmpegProcess } from "../ffmpeg_process.ts";
import { turned, turnFilters, videoTrim } from "../filters.ts";
import { rawVideoArguments, readPictures } from "./scaler.ts";
import type { Size } from "./text_renderer.ts";

/** Pixels of decoded pictures at most; terminals show less. */
const LARGEST = {
  text: { width: 640, height: 360 },
  graphics: { width: 1280, height: 720 },
} as const;

/** Options of {@linkcode PictureDecoder}. */
export interface PictureDecoderOptions {
  /** Encoded stream. */
  video: VideoStream;
  /** Decoded stream, by {@linkcode decodedStream}. */
  decoded: VideoStream;
  /** Whole seconds before the beginning in which frames are only decoded. */
  lead: number;
  /**
   * Timestamp of the first picture to show, seconds.
   *
   * @default all are shown
   */
  from?: number;
  /** Takes each picture; returns memory for the next if it keeps this one's. */
  onPicture: (picture: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer> | undefined;
  /** Kills FFmpeg. */
  signal?: AbortSignal;
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

/** Decodes packets with FFmpeg, with as little delay as possible. */
export class PictureDecoder implements AsyncDisposable {
  #process: FfmpegProcess;
  #reading: Promise<void>;

  constructor({ video, decoded, lead, from, onPicture, signal }: PictureDecoderOptions) {
    const { width, height } = decoded;
    const filters = [
      ...(from === undefined ? [] : videoTrim(from)),
      ...turnFilters(video),
      ...[`scale=${width}:${height}:flags=area`, "format=rgb24"],
    ];
    const args = rawVideoArguments(video, filters, { lead });
    this.#process = new FfmpegProcess("ffmpeg", args, {
      ...{ streams: [video], lead, stdout: "piped", signal },
    });
    this.#reading = readPictures(this.#process, width * height * 3, onPicture);
  }

  /**
   * Decodes a packet.
   *
   * @returns false if no more are taken
   * @throws {ProcessError} if it cannot be decoded
   */
  async write(frame: Frame): Promise<boolean> {
    return await this.#process.write(frame);
  }

  /** Waits until all pictures are out. */
  async finish(): Promise<void> {
    await this.#process.finish();
    await this.#reading;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
    await this.#reading;
  }
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
    this.#packets.push({ ...frame, data: frame.data.slice() });
    const { from, video } = this.#options;
    if (toSeconds(frame.timestamp, video.timeBase) < from) return;
    await using decoder = new PictureDecoder(this.#options);
    for (const packet of this.#packets) await decoder.write(packet);
    await decoder.finish();
  }
}
