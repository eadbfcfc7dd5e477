/** HLS and DASH in a folder. */
import type { Frame } from "../../media/frame.ts";
import type { Presentation, Sink } from "../sink.ts";
import { EncodedOutput, type EncodedOutputOptions } from "./encoder.ts";
import { asWrite, checkAbsent, folderOf, type OverwriteOptions, statOf } from "./overwrite.ts";
import { playlistTarget } from "./url_target.ts";

/** Options of {@linkcode PlaylistSink}. */
export interface PlaylistSinkOptions
  extends Omit<EncodedOutputOptions, "stdout">, OverwriteOptions {
  /** `hls` or `dash`, if not that of the extension. */
  format?: string;
}

/**
 * Writes HLS or DASH for a web server with FFmpeg: segments of two seconds and a playlist of all of
 * them, or of the newest ones if the media is endless.
 */
export class PlaylistSink implements Sink {
  readonly isRecording = true;
  #path: string;
  #options: PlaylistSinkOptions;
  #output: EncodedOutput | undefined;
  #endless = false;

  constructor(path: string, options: PlaylistSinkOptions) {
    this.#path = path;
    this.#options = options;
  }

  async begin(presentation: Presentation): Promise<void> {
    const { format } = this.#options;
    const endless = presentation.endless ?? presentation.live;
    this.#endless = endless;
    await makeFolder(this.#path);
    await checkPlaylist(this.#path, this.#options);
    await removeOld(this.#path);
    this.#output = await EncodedOutput.start(
      presentation,
      playlistTarget(this.#path, { format, endless }),
      { ...this.#options, explain: (reason) => `Cannot write "${this.#path}": ${reason}` },
    );
  }

  async show(frame: Frame): Promise<boolean> {
    return await this.#output?.write(frame) ?? false;
  }

  async finish(whole: boolean): Promise<string | undefined> {
    if (this.#output === undefined || this.#output.frames === 0) return undefined;
    await this.#output.finish();
    await checkWritten(this.#path);
    const what = !whole
      ? `what arrived is in "${this.#path}", playable`
      : this.#endless
      ? `ended "${this.#path}", which names the newest segments`
      : `wrote "${this.#path}"`;
    return [what, ...this.#output.notes].join("; ");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#output?.[Symbol.asyncDispose]();
  }
}

/** @throws {Error} if the playlist exists, or its folder cannot be one */
export async function checkPlaylist(path: string, { overwrite }: OverwriteOptions): Promise<void> {
  if (path.includes("%")) {
    throw new Error(
      `Cannot write "${path}": a playlist has no % in its name, or its folders'`,
    );
  }
  // The folder of the playlist is created, its parents are not.
  if (await statOf(folderOf(path)) === undefined) {
    return await checkAbsent(folderOf(path).replace(/\/+$/, ""), { overwrite });
  }
  await checkAbsent(path, { overwrite });
}

async function makeFolder(path: string): Promise<void> {
  const folder = folderOf(path);
  if (await statOf(folder) === undefined) await asWrite(path, () => Deno.mkdir(folder));
}

/** An old playlist would name segments that are overwritten, and look complete. */
async function removeOld(path: string): Promise<void> {
  await asWrite(path, async () => {
    try {
      await Deno.remove(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  });
}

/** Checks the files, since FFmpeg reports success if the disk is full. */
async function checkWritten(path: string): Promise<void> {
  const playlist = (await statOf(path))?.size ? await Deno.readTextFile(path) : "";
  // Segments elsewhere were chosen by the user, and may be no files.
  const segments = playlist.split("\n").filter((line) => /^[^#<][^/]*\.ts$/.test(line));
  const sizes = await Promise.all(segments.map(async (name) => {
    const slash = path.lastIndexOf("/") + 1;
    return (await statOf(path.slice(0, slash) + name))?.size;
  }));
  if (playlist !== "" && !sizes.includes(0)) return;
  throw new Error(`Cannot write "${path}": parts of it are empty, expected room on the disk`);
}
