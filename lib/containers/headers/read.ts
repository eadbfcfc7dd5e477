/** Reads the headers of the formats that state all of a file at its beginning. */
import type { FileBytes } from "../packet_file.ts";
import { readAdtsHeader } from "./adts.ts";
import { readFlacHeader } from "./flac.ts";
import { type FileHeader, type HeaderReader, toText } from "./header.ts";
import { readJpegHeader } from "./jpeg.ts";
import { readMp3Header } from "./mp3.ts";
import { readOggHeader } from "./ogg.ts";
import { readPngHeader } from "./png.ts";
import { readWavHeader } from "./wav.ts";
import { readWebpHeader } from "./webp.ts";

/** Bytes by which formats are told apart. */
const START = 12;

/** Readers by the first bytes of their formats. */
const READERS: readonly (readonly [start: RegExp, read: HeaderReader])[] = [
  [/^\x89PNG/, readPngHeader],
  [/^\xff\xd8\xff/, readJpegHeader],
  [/^RIFF[^]{4}WAVE/, readWavHeader],
  [/^RIFF[^]{4}WEBP/, readWebpHeader],
  [/^fLaC/, readFlacHeader],
  [/^OggS/, readOggHeader],
  [/^\xff[\xf1\xf9]/, readAdtsHeader],
  [/^(ID3|\xff[\xe0-\xff])/, readMp3Header],
];

/**
 * Reads the headers of a file.
 *
 * @returns `undefined` if the format is another one, or something is unusual
 * @throws {TruncatedError} if the file ends within them
 */
export async function readHeader(bytes: FileBytes): Promise<FileHeader | undefined> {
  if (bytes.size < START) return undefined;
  const start = toText(await bytes.read(0, START));
  return await READERS.find(([pattern]) => pattern.test(start))?.[1](bytes);
}
