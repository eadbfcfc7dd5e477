/** A file of messages, one line each. */
import { asWrite, checkAbsent, type OverwriteOptions } from "../output/overwrite.ts";

/** A file that is open for lines, each of which is written at once. */
export class LineFile implements Disposable {
  #path: string;
  #file: Deno.FsFile;
  #encoder = new TextEncoder();
  #isClosed = false;

  private constructor(path: string, file: Deno.FsFile) {
    this.#path = path;
    this.#file = file;
  }

  /**
   * Opens a file.
   *
   * @throws {Error} if it exists and must not be replaced, or cannot be written
   */
  static async open(path: string, { overwrite }: OverwriteOptions): Promise<LineFile> {
    await checkAbsent(path, { overwrite });
    return new LineFile(
      path,
      await asWrite(path, () => Deno.open(path, { write: true, create: true, truncate: true })),
    );
  }

  /**
   * Writes a line; resolves when others can read it.
   *
   * @throws {Error} if it cannot be written
   */
  async write(line: string): Promise<void> {
    let bytes = this.#encoder.encode(line);
    await asWrite(this.#path, async () => {
      while (bytes.byteLength > 0) bytes = bytes.subarray(await this.#file.write(bytes));
    });
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#file.close();
  }
}
