import { messageOf, ProcessError } from "../../base/errors.ts";
import type { Frame } from "../../media/frame.ts";
import { FfmpegProcess, reasonOf } from "../ffmpeg_process.ts";
import type { Presentation, Sink } from "../sink.ts";
import { imageSequenceArguments } from "./encode_args.ts";
import type { FileSinkOptions } from "./file.ts";
import { checkAbsent, folderOf, type OverwriteOptions } from "./overwrite.ts";
import { extensionOf, isImageType } from "./target.ts";

/** Where the number stands in the name of a series, by its width: `%d`, `%3d`, `%03d`. */
const NUMBER = /%0?([1-9]?)d/g;

/** Whether a name has a place for the number of a picture. */
export function isPattern(path: string): boolean {
  return path.slice(path.lastIndexOf("/") + 1).match(NUMBER) !== null;
}

/** The name of one file of a series. */
export function numberedName(pattern: string, number: number): string {
  const slash = pattern.lastIndexOf("/") + 1;
  const name = pattern.slice(slash).replace(
    NUMBER,
    (_, width) => String(number).padStart(Number(width), "0"),
  );
  return pattern.slice(0, slash) + name;
}

/** Whether a name is that of a series of files, one picture each. */
export function isImageSequence(path: string): boolean {
  return isPattern(path) && isImageType(extensionOf(path));
}

/** Has FFmpeg write each picture into a file of its own, numbered from 1, which appears whole. */
export class ImageSequenceSink implements Sink {
  #pattern: string;
  #options: FileSinkOptions;
  #sink: FfmpegProcess | undefined;
  #pictures = new Set<number>();
  /** How many FFmpeg was given to write. */
  #written = 0;
  #finished = false;

  /** @param pattern a path with one place for the number in its last part */
  constructor(pattern: string, options: FileSinkOptions) {
    this.#pattern = pattern;
    this.#options = options;
  }

  async begin({ streams, lead, encoding }: Presentation): Promise<void> {
    await checkImageSequence(this.#pattern, this.#options);
    const pictures = streams.filter((stream) => stream.type === "video");
    this.#pictures = new Set(pictures.map(({ id }) => id));
    const encoded = encoding !== "raw";
    if (pictures.length === 0) {
      throw new Error(`Cannot write "${this.#pattern}": there is only sound, expected pictures`);
    }
    const { codec, more, forced: signal } = this.#options;
    const options = { encoded, lead, codec, more };
    const args = imageSequenceArguments({ streams: pictures }, literal(this.#pattern), options);
    this.#sink = new FfmpegProcess("ffmpeg", args, { streams: pictures, lead, signal });
  }

  async show(frame: Frame): Promise<boolean> {
    if (!this.#pictures.has(frame.streamId)) return true;
    const taken = await this.#guarded(async () => await this.#sink?.write(frame) ?? false);
    // What lies before the beginning is for decoding only.
    if (taken && frame.timestamp >= 0) this.#written++;
    return taken;
  }

  async finish(_whole: boolean): Promise<string | undefined> {
    if (this.#written === 0) return undefined;
    await this.#guarded(async () => {
      await this.#sink?.finish();
      return true;
    });
    this.#finished = true;
    const first = numberedName(this.#pattern, 1);
    if (this.#written === 1) return `wrote 1 file, "${first}"`;
    return `wrote ${this.#written} files, "${first}" to ` +
      `"${numberedName(this.#pattern, this.#written)}"`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sink?.[Symbol.asyncDispose]();
    if (!this.#finished) await this.#removeUnfinished();
  }

  /** Removes what FFmpeg has left of a picture that it was ended in the middle of. */
  async #removeUnfinished(): Promise<void> {
    this.#finished = true;
    // It may have the next one already, whose writing nobody has waited for.
    for (let number = this.#written + 1; number > 0; number--) {
      try {
        await Deno.remove(`${numberedName(this.#pattern, number)}.tmp`);
        return;
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  }

  async #guarded(action: () => Promise<boolean>): Promise<boolean> {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof ProcessError)) throw error;
      const failure = this.#options.forced?.aborted
        ? "Stopped at once"
        : `Cannot write "${this.#pattern}": ${reasonOf(error) ?? messageOf(error)}`;
      throw new Error(failure, { cause: error });
    }
  }
}

/**
 * Finds out whether a series may be written, before anything is asked of the server.
 *
 * @throws {Error} where it may not
 */
export async function checkImageSequence(
  pattern: string,
  { overwrite }: OverwriteOptions,
): Promise<void> {
  const name = pattern.slice(pattern.lastIndexOf("/") + 1);
  if (name.match(NUMBER)?.length !== 1 || name.replace(NUMBER, "").includes("%")) {
    throw new Error(
      `Cannot write "${pattern}": its name has no one place for a number, expected one such as ` +
        "shot%03d.png",
    );
  }
  if (!isImageType(extensionOf(name))) {
    throw new Error(
      `Cannot write "${pattern}": expected a type of one picture, such as shot%03d.png`,
    );
  }
  await checkAbsent(numberedName(pattern, 1), { overwrite });
  if (overwrite) return;
  const known = namesOf(name);
  for await (const entry of Deno.readDir(folderOf(pattern))) {
    if (!known.test(entry.name)) continue;
    throw new Error(
      `Cannot write "${pattern}": "${entry.name}" exists, replace it with --overwrite`,
    );
  }
}

/** What the names of a series look like. */
function namesOf(name: string): RegExp {
  const parts = name.split(/%0?[1-9]?d/).map((part) => RegExp.escape(part));
  return new RegExp(`^${parts.join("\\d+")}$`);
}

/** The pattern as FFmpeg reads it: a percent sign in the names of folders is none of its own. */
function literal(pattern: string): string {
  const slash = pattern.lastIndexOf("/") + 1;
  const name = pattern.slice(slash).replace(NUMBER, (_, width) => `%0${width || 1}d`);
  return pattern.slice(0, slash).replaceAll("%", "%%") + name;
}
