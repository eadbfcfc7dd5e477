import { messageOf } from "../../base/errors.ts";

/** Options of {@linkcode PrivateSocket.open}. */
export interface PrivateSocketOptions {
  /** Runs when the program has connected, before the folder is removed. */
  onConnected?: (folder: string) => Promise<void>;
}

/**
 * Unix socket for one child program, in a private folder that may hold other files for it.
 *
 * While they read from an empty pipe, FFmpeg's programs cannot be interrupted: a closed window
 * hangs. While they read from a socket, they can.
 */
export class PrivateSocket {
  /** URL for FFmpeg's programs. */
  readonly url: string;
  /** The folder, which only this user can enter; removed once the program has connected. */
  readonly folder: string;
  #listener: Deno.UnixListener;
  #onConnected: PrivateSocketOptions["onConnected"];
  #opening = true;

  private constructor(folder: string, { onConnected }: PrivateSocketOptions) {
    this.folder = folder;
    this.#onConnected = onConnected;
    const path = `${folder}/nut`;
    this.url = `unix:${path}`;
    this.#listener = Deno.listen({ transport: "unix", path });
  }

  /** Whether this system has Unix sockets. */
  static get exists(): boolean {
    return Deno.build.os !== "windows";
  }

  /**
   * Creates a socket.
   *
   * @throws {Error} if it cannot be created
   */
  static async open(options: PrivateSocketOptions = {}): Promise<PrivateSocket> {
    let folder: string | undefined;
    try {
      folder = await Deno.makeTempDir({ prefix: "stream_" });
      return new PrivateSocket(folder, options);
    } catch (cause) {
      if (folder !== undefined) await Deno.remove(folder);
      const message =
        `Cannot open a socket in the folder for temporary files: ${messageOf(cause)}, ` +
        "expected TMPDIR to name one that can be written to, by a path of at most 80 characters";
      throw new Error(message, { cause });
    }
  }

  /**
   * Stream that the program reads once it has connected, when the folder is removed. Writing
   * fails with `BrokenPipe` if it never connects, or has gone.
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
          // A failed stream is neither closed nor aborted.
          connection?.close();
          throw error;
        }
      },
      close: () => connection?.close(),
      abort: () => connection?.close(),
    });
  }

  /** Removes the folder, so that nothing connects any more. Harmless when repeated. */
  withdraw(): void {
    if (!this.#opening) return;
    this.#opening = false;
    this.#listener.close();
    Deno.removeSync(this.folder, { recursive: true });
  }

  async #accept(): Promise<Deno.UnixConn> {
    let connection: Deno.UnixConn | undefined;
    try {
      connection = await this.#listener.accept();
      await this.#onConnected?.(this.folder);
      return connection;
    } catch (cause) {
      connection?.close();
      throw new Deno.errors.BrokenPipe("The program has ended before it read anything", { cause });
    } finally {
      this.withdraw();
    }
  }
}
