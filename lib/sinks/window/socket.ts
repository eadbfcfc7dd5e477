import { messageOf } from "../../base/errors.ts";

/**
 * A local socket for one program that this one starts, in a folder that nobody else can look into.
 *
 * FFmpeg's programs cannot be interrupted while they read from a pipe in which nothing comes: a
 * window that is closed then hangs. They can be while they read from a socket.
 */
export class PrivateSocket {
  /** What FFmpeg's programs open it by. */
  readonly url: string;
  #folder: string;
  #listener: Deno.UnixListener;
  #opening = true;

  private constructor(folder: string) {
    this.#folder = folder;
    const path = `${folder}/nut`;
    this.url = `unix:${path}`;
    this.#listener = Deno.listen({ transport: "unix", path });
  }

  /** Whether this system has such sockets. */
  static get exists(): boolean {
    return Deno.build.os !== "windows";
  }

  /**
   * Makes one, and waits for nobody yet.
   *
   * @throws {Error} where there is no place for it
   */
  static async open(): Promise<PrivateSocket> {
    let folder: string | undefined;
    try {
      folder = await Deno.makeTempDir({ prefix: "stream_" });
      return new PrivateSocket(folder);
    } catch (cause) {
      if (folder !== undefined) await Deno.remove(folder);
      const message =
        `Cannot open a socket in the folder for temporary files: ${messageOf(cause)}, ` +
        "expected TMPDIR to name one that can be written to, by a path of at most 80 characters";
      throw new Error(message, { cause });
    }
  }

  /**
   * What the program reads, as soon as it has connected. The name is gone by then. Writing fails
   * with `BrokenPipe` where it never does, or has gone.
   */
  get writable(): WritableStream<Uint8Array> {
    let connection: Deno.UnixConn | undefined;
    return new WritableStream({
      start: async () => void (connection = await this.#accept()),
      write: async (bytes) => {
        try {
          let rest = bytes;
          while (connection !== undefined && rest.byteLength > 0) {
            rest = rest.subarray(await connection.write(rest));
          }
        } catch (error) {
          // A stream that has failed is neither closed nor aborted any more.
          connection?.close();
          throw error;
        }
      },
      close: () => connection?.close(),
      abort: () => connection?.close(),
    });
  }

  /** Takes the name away, so that nobody connects any more. Harmless when it is gone. */
  withdraw(): void {
    if (!this.#opening) return;
    this.#opening = false;
    this.#listener.close();
    Deno.removeSync(this.#folder, { recursive: true });
  }

  async #accept(): Promise<Deno.UnixConn> {
    try {
      return await this.#listener.accept();
    } catch (cause) {
      throw new Deno.errors.BrokenPipe("The program has ended before it read anything", { cause });
    } finally {
      this.withdraw();
    }
  }
}
