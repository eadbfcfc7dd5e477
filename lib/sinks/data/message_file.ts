/** A file of messages, one line each. */
import { asWrite, checkAbsent, type OverwriteOptions } from "../output/overwrite.ts";

/** A file that is open for lines, each of which is written at once. */
export class LineFile implements Disposable {
  #path: string;
  #file: Deno.FsFile;
  #writer: WritableStreamDefaultWriter<Uint8Array>;
  #encoder = new TextEncoder();
  #isClosed = false;

  private constructor(path: string, file: Deno.FsFile) {
    this.#path = path;
    this.#file = file;
    this.#writer = file.writable.getWriter();
    // The write that fails reports it.
    this.#writer.closed.catch(() => {});
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

  /** @throws {Error} if it cannot be written */
  async write(line: string): Promise<void> {
    await asWrite(this.#path, () => this.#writer.write(this.#encoder.encode(line)));
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      this.#file.close();
    } catch (error) {
      // A write that failed has closed it.
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }
}
