/** Checks of the first frames of a track: that FFmpeg gives packets of this kind as they are stored. */
import { broken } from "../ebml.ts";

/** Kilobits a second of MPEG-1 and MPEG-2 Layer III by their number (ISO/IEC 11172-3, 13818-3). */
const MP3_BITRATES = [
  [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

/** Samples a second of MPEG-1 by their number. */
const MP3_RATES = [44_100, 48_000, 32_000];

/** Codecs whose frames FFmpeg 7.1 marks as the container does, and 5.1 as keyframes. */
const UNPARSED = /^(aac|pcm_\w+)$/;

/**
 * Checks the frames of the first block.
 *
 * @param isMarked whether it is marked as a keyframe
 * @throws {FormatError} if FFmpeg would cut them in another way, or mark them in ways that depend on its version
 */
export function checkFirst(
  codec: string,
  frames: readonly Uint8Array[],
  isMarked: boolean,
): void {
  if (UNPARSED.test(codec) && !isMarked) throw broken("block", "sound without a mark", "a mark");
  if (codec !== "mp3") return;
  for (const frame of frames) {
    const size = mp3Size(frame);
    if (size !== frame.byteLength) {
      throw broken("block", `${frame.byteLength} bytes of MP3`, `${size ?? "the size of a frame"}`);
    }
  }
}

/** Bytes of a frame by its header; `undefined` without one, or if it does not say. */
function mp3Size(frame: Uint8Array): number | undefined {
  const [sync, kind, format] = frame;
  const version = kind >> 3 & 3;
  const isLayer3 = (kind >> 1 & 3) === 1;
  if (frame.byteLength < 4 || sync !== 0xff || kind < 0xe0 || version === 1 || !isLayer3) {
    return undefined;
  }
  const isFirst = version === 3;
  const bitrate = MP3_BITRATES[isFirst ? 0 : 1][format >> 4];
  // MPEG-2 has half of the rates, MPEG-2.5 a quarter.
  const rate = MP3_RATES[format >> 2 & 3] / (isFirst ? 1 : version === 2 ? 2 : 4);
  if (!bitrate || !(rate > 0)) return undefined;
  return Math.floor((isFirst ? 144 : 72) * bitrate * 1000 / rate) + (format >> 1 & 1);
}
