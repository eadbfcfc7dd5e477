import { type Frame, toSeconds, type VideoStream } from "../../media/frame.ts";
import { FfmpegProcess } from "../ffmpeg_process.ts";
import { turned, turnFilters, videoTrim } from "../filters.ts";
import { rawVideoArguments, readPictures } from "./scaler.ts";
import type { Size } from "./text_renderer.ts";

/** Larger pictures are made smaller where they are decoded: terminals show less. Pixels. */
const LARGEST = {
  text: { width: 640, height: 360 },
  graphics: { width: 1280, height: 720 },
} as const;

/** What {@linkcode PictureDecoder} has to know. */
export interface PictureDecoderOptions {
  /** The encoded stream. */
  video: VideoStream;
  /** What is to come out, by {@linkcode decodedStream}. */
  decoded: VideoStream;
  /** Whole seconds before the beginning in which there are frames, for decoding only. */
  lead: number;
  /** Seconds at which the first picture lies that is wanted; all are, where absent. */
  from?: number;
  /** Given each picture; gives memory for the next, where it keeps this one's. */
  onPicture: (picture: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer> | undefined;
  /** Ends it at once. */
  signal?: AbortSignal;
}

/** Pixels as they look: those of a picture whose pixels are not square are stretched. */
export function shownSize(
  { width, height, sampleAspectRatio: [wide, high] = [1, 1] }: VideoStream,
): Size {
  return { width: width * wide / high, height };
}

/** The raw stream that comes out for an encoded one: upright, square pixels, not too large. */
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

/** An FFmpeg that decodes packets, as far as possible without waiting for more of them. */
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
   * Hands a packet over.
   *
   * @returns false where nothing more is wanted
   * @throws {ProcessError} where it cannot be decoded
   */
  async write(frame: Frame): Promise<boolean> {
    return await this.#process.write(frame);
  }

  /** Waits until all is decoded, and given out. */
  async finish(): Promise<void> {
    await this.#process.finish();
    await this.#reading;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
    await this.#reading;
  }
}

/** Bytes of packets that are kept; what needs more is not shown before it goes on. */
const MOST = 64 << 20;

/**
 * Shows where the user went while it pauses. FFmpeg waits with a picture for the packets behind it,
 * which do not come then; one that reads the same packets, and their end, gives it.
 */
export class PausedPicture {
  #options: PictureDecoderOptions & { from: number };
  #packets: Frame[] = [];
  #bytes = 0;

  constructor(options: PictureDecoderOptions & { from: number }) {
    this.#options = options;
  }

  /** Takes a packet, in the order of decoding; resolved when its picture is given out. */
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
