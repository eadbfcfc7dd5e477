/** The description of a file by its headers, without its index and without decoding. */
import type { FileBytes } from "../packet_file.ts";

/** The headers of a file. */
export interface FileHeader {
  /**
   * All else in the headers on which FFmpeg's description of a file depends: files with the same one
   * are described alike, but for the fields below.
   */
  likeness: string;
  /** Pixels, before any rotation. Present for images. */
  width?: number;
  /** Pixels, before any rotation. Present for images. */
  height?: number;
  /** Seconds, as FFmpeg prints them. Present for audio. */
  duration?: number;
  /** Of the only track, if it has one. */
  title?: string;
}

/** Reads the headers of a file; `undefined` if they do not tell enough, or say something unusual. */
export type HeaderReader = (bytes: FileBytes) => Promise<FileHeader | undefined>;

/** Bytes as text, each as one Latin-1 character. */
export function toText(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

/** A view of bytes for numbers in them. */
export function toView({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** Seconds of samples, rounded to FFmpeg's microseconds. */
export function toDuration(samples: number, rate: number): number {
  return Math.round(samples / rate * 1e6) / 1e6;
}
