/** Matroska files on disk, opened for tests. */
import { TruncatedError } from "../../../lib/base/errors.ts";
import { openMatroska } from "../../../lib/containers/matroska/open.ts";
import type { FileBytes, PacketFile } from "../../../lib/containers/packet_file.ts";
import { installedDialect } from "../programs/machine.ts";

/** Opens a file for reading. */
export async function bytesOf(path: string): Promise<FileBytes & Disposable> {
  const file = await Deno.open(path);
  const { size } = await file.stat();
  return {
    size,
    async read(offset, length) {
      const bytes = new Uint8Array(length);
      await file.seek(offset, Deno.SeekMode.Start);
      let have = 0;
      while (have < length) {
        const count = await file.read(bytes.subarray(have));
        if (count === null) throw new TruncatedError(length, have);
        have += count;
      }
      return bytes;
    },
    [Symbol.dispose]: () => file.close(),
  };
}

/** Bytes in memory as those of a file. */
export function memoryOf(bytes: Uint8Array): FileBytes {
  return {
    size: bytes.byteLength,
    read(offset, length) {
      const part = new Uint8Array(bytes.subarray(offset, offset + length));
      if (part.byteLength < length) throw new TruncatedError(length, part.byteLength);
      return Promise.resolve(part);
    },
  };
}

/**
 * Opens a file as the installed FFmpeg reads it.
 *
 * @throws {Error} if it is not opened
 */
export async function matroskaOf(path: string): Promise<{ file: PacketFile } & Disposable> {
  const bytes = await bytesOf(path);
  const file = await openMatroska(bytes, await installedDialect());
  if ("unindexed" in file) {
    bytes[Symbol.dispose]();
    throw new Error(`Cannot open ${path}: ${file.unindexed}`);
  }
  return { file, [Symbol.dispose]: () => bytes[Symbol.dispose]() };
}
