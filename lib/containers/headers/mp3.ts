/** MP3: the ID3 tag and the frame that states the length (ID3 2.3 and 2.4; ISO/IEC 11172-3, 2.4.1.3). */
import type { FileBytes } from "../packet_file.ts";
import { type FileHeader, toDuration, toText, toView } from "./header.ts";

const TAG_HEADER = 10;

/** Bytes of a tag, at most; covers are in it. */
const MAX_TAG = 16 * 2 ** 20;

/** Frames of a tag, at most. */
const MAX_FRAMES = 200;

/** Bytes that name the type of a cover, behind the encoding of its texts. */
const MAX_TYPE = 32;

/** Samples a second by the bits of the header, of MPEG-1; those of MPEG-2 are half, of 2.5 a quarter. */
const RATES = [44_100, 48_000, 32_000];

/** Bytes of the header and the side information, to the length: of one channel, and of two. */
const LENGTH_OFFSETS = { mpeg1: [21, 36], mpeg2: [13, 21] };

/** Flags of the length: the number of frames and of bytes is stated. */
const HAS_BOTH = 3;

/** Share of the file by which the stated bytes may differ, or FFmpeg does not believe the length. */
const TOLERANCE = 1 / 32;

/** Reads the headers of an MP3 file; `undefined` without a stated length, and for all that is unusual. */
export async function readMp3Header(bytes: FileBytes): Promise<FileHeader | undefined> {
  const parts = ["mp3"];
  const start = await readTag(bytes, parts);
  if (start === undefined || start + 64 > bytes.size) return undefined;
  const frame = await bytes.read(start, 64);
  const view = toView(frame);
  const header = view.getUint32(0);
  // Layer III, without a checksum or with one, of a known bit rate and sample rate.
  const [version, layer] = [(header >> 19) & 3, (header >> 17) & 3];
  const [bitrate, rateAt] = [(header >> 12) & 15, (header >> 10) & 3];
  if (header >>> 21 !== 0x7ff || version === 1 || layer !== 1) return undefined;
  if (bitrate === 0 || bitrate === 15 || rateAt === 3) return undefined;
  const isMpeg1 = version === 3;
  const mode = (header >> 6) & 3;
  const offset = LENGTH_OFFSETS[isMpeg1 ? "mpeg1" : "mpeg2"][mode === 3 ? 0 : 1];
  const name = toText(frame.subarray(offset, offset + 4));
  if (name !== "Xing" && name !== "Info") return undefined;
  const flags = view.getUint32(offset + 4);
  if ((flags & HAS_BOTH) !== HAS_BOTH) return undefined;
  const [frames, size] = [view.getUint32(offset + 8), view.getUint32(offset + 12)];
  const actual = bytes.size - start;
  if (frames === 0 || Math.abs(size - actual) > Math.min(size, actual) * TOLERANCE) {
    return undefined;
  }
  const rate = RATES[rateAt] / (isMpeg1 ? 1 : version === 2 ? 2 : 4);
  parts.push(`${version} ${rate} ${mode === 3 ? 1 : 2} ${name}`);
  return {
    likeness: parts.join(" "),
    duration: toDuration(frames * (isMpeg1 ? 1152 : 576), rate),
  };
}

/**
 * Reads the tag at the beginning, if there is one.
 *
 * @returns offset of the first byte behind it; `undefined` if it is unusual
 */
async function readTag(bytes: FileBytes, parts: string[]): Promise<number | undefined> {
  if (bytes.size < TAG_HEADER) return undefined;
  const header = await bytes.read(0, TAG_HEADER);
  if (!toText(header).startsWith("ID3")) return 0;
  const [major, , flags] = header.subarray(3);
  const end = TAG_HEADER + readSynchsafe(header, 6);
  // Without unsynchronisation, further headers and footers.
  if (flags !== 0 || (major !== 3 && major !== 4) || end > Math.min(MAX_TAG, bytes.size)) {
    return undefined;
  }
  let at = TAG_HEADER;
  for (let count = 0; count < MAX_FRAMES && at + TAG_HEADER <= end; count++) {
    const frame = await bytes.read(at, TAG_HEADER);
    const name = toText(frame.subarray(0, 4));
    // The rest is padding.
    if (name === "\0\0\0\0") return end;
    const length = major === 4 ? readSynchsafe(frame, 4) : toView(frame).getUint32(4);
    const isUsual = /^[A-Z][A-Z0-9]{3}$/.test(name) && frame[9] === 0;
    at += TAG_HEADER;
    if (!isUsual || length === 0 || at + length > end) return undefined;
    if (name === "APIC") {
      const [type] = toText(await bytes.read(at + 1, Math.min(length - 1, MAX_TYPE))).split("\0");
      parts.push(`picture ${type}`);
    }
    at += length;
  }
  return at + TAG_HEADER > end ? end : undefined;
}

/** A number of 28 bits in four bytes. */
function readSynchsafe(bytes: Uint8Array, at: number): number {
  return bytes.subarray(at, at + 4).reduce((number, byte) => (number << 7) | (byte & 0x7f), 0);
}
