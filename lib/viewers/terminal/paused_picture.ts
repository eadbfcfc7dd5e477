import { type Frame, toSeconds } from "../../core/frame.ts";
import { PictureDecoder, type PictureDecoderOptions } from "./picture_decoder.ts";

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
