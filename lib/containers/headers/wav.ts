/** WAV: chunks up to the samples (Microsoft, "Multiple channel audio data and WAVE files"). */
import type { FileBytes } from "../packet_file.ts";
import { type FileHeader, toDuration, toText, toView } from "./header.ts";

/** Integer and floating-point PCM, and the form that says it further behind. */
const PCM = [1, 3, 0xfffe];

/** Chunks that say nothing of the samples. */
const SILENT = ["LIST", "fact", "JUNK", "PAD ", "cue ", "smpl", "id3 ", "ID3 "];

/** Chunks before the samples, at most. */
const MAX_CHUNKS = 32;

/** Bytes of samples in which FFmpeg looks for compressed audio, which it takes in place of PCM. */
const PROBED = 128 * 1024;

/**
 * Beginnings of frames of DTS (ETSI TS 102 114, 5.3: in words of 16 and 14 bits, of either order) and
 * of IEC 61937, which may stand in place of samples.
 */
const COMPRESSED = [0x7ffe8001, 0xfe7f0180, 0x1fffe800, 0xff1f00e8, 0x72f81f4e, 0xf8724e1f];

/** Reads the headers of a WAV file; `undefined` for other codecs than PCM, and all that is unusual. */
export async function readWavHeader(bytes: FileBytes): Promise<FileHeader | undefined> {
  if (bytes.size < 44) return undefined;
  const start = toText(await bytes.read(0, 12));
  if (!start.startsWith("RIFF") || !start.endsWith("WAVE")) return undefined;
  let format: Uint8Array | undefined;
  let at = 12;
  for (let count = 0; count < MAX_CHUNKS && at + 8 <= bytes.size; count++) {
    const header = await bytes.read(at, 8);
    const type = toText(header.subarray(0, 4));
    const length = toView(header).getUint32(4, true);
    at += 8;
    if (type === "data") {
      const isWhole = length > 0 && at + length <= bytes.size;
      if (format === undefined || !isWhole) return undefined;
      if (isCompressed(await bytes.read(at, Math.min(length, PROBED)))) return undefined;
      return describe(format, length);
    }
    if (type === "fmt ") {
      if (length < 16 || length > 40 || format !== undefined) return undefined;
      format = await bytes.read(at, length);
    } else if (!SILENT.includes(type)) return undefined;
    // Chunks begin at even offsets.
    at += length + length % 2;
  }
  return undefined;
}

function describe(format: Uint8Array, length: number): FileHeader | undefined {
  const view = toView(format);
  const [rate, block] = [view.getUint32(4, true), view.getUint16(12, true)];
  const isPcm = PCM.includes(view.getUint16(0, true));
  if (!isPcm || rate === 0 || block === 0 || length % block !== 0) return undefined;
  return { likeness: `wav ${format.toHex()}`, duration: toDuration(length / block, rate) };
}

function isCompressed(samples: Uint8Array): boolean {
  const view = toView(samples);
  for (let at = 0; at + 4 <= samples.length; at += 2) {
    if (COMPRESSED.includes(view.getUint32(at))) return true;
  }
  return false;
}
