/** Images as numbered files. */
import type { Frame } from "../../media/frame.ts";
import type { Presentation, Sink } from "../sink.ts";
import { EncodedOutput } from "./encoder.ts";
import type { FileSinkOptions } from "./file.ts";
import { checkAbsent, folderOf, type OverwriteOptions } from "./overwrite.ts";
import { extensionOf, isImageType, sequenceTarget } from "./target.ts";

/** Number in the name of a sequence, with its width: `%d`, `%3d`, `%03d`. */
const NUMBER = /%0?([1-9]?)d/g;

/** Whether a file name contains the number of a picture. */
export function isPattern(path: string): boolean {
  return path.slice(path.lastIndexOf("/") + 1).match(NUMBER) !== null;
}

/** Path of one file of a sequence. */
export function numberedName(pattern: string, number: number): string {
  const slash = pattern.lastIndexOf("/") + 1;
  const name = pattern.slice(slash).replace(
    NUMBER,
    (_, width) => String(number).padStart(Number(width), "0"),
  );
  return pattern.slice(0, slash) + name;
}

/** Whether a path names an image sequence. */
export function isImageSequence(path: string): boolean {
  return isPattern(path) && isImageType(extensionOf(path));
}

/**
 * Writes each picture into a file of its own with FFmpeg, numbered from 1. Files appear complete.
 * Pictures of other streams follow with the next number.
 */
export class ImageSequenceSink implements Sink {
  #pattern: string;
  #options: FileSinkOptions;
  #output: EncodedOutput | undefined;
  #pictures = new Set<number>();
  /** Pictures passed to FFmpeg, which are files or will be. */
  #written = 0;
  #finished = false;

  /** @param pattern path with one number in its file name */
  constructor(pattern: string, options: FileSinkOptions) {
    this.#pattern = pattern;
    this.#options = options;
  }

  async begin(presentation: Presentation): Promise<void> {
    if (this.#output === undefined) await checkImageSequence(this.#pattern, this.#options);
    else if (this.#written > 0) await this.#output.finish();
    await this.#output?.[Symbol.asyncDispose]();
    const pictures = presentation.streams.filter((stream) => stream.type === "video");
    this.#pictures = new Set(pictures.map(({ id }) => id));
    if (pictures.length === 0) {
      throw new Error(`Cannot write "${this.#pattern}": there is only audio, expected video`);
    }
    const images = { ...presentation, streams: pictures, still: true };
    const target = sequenceTarget(literal(this.#pattern), this.#written + 1);
    this.#output = await EncodedOutput.start(images, target, {
      ...this.#options,
      explain: (reason) => `Cannot write "${this.#pattern}": ${reason}`,
    });
  }

  async show(frame: Frame): Promise<boolean> {
    if (!this.#pictures.has(frame.streamId)) return true;
    const taken = await this.#output?.write(frame) ?? false;
    // Frames before the beginning are only decoded.
    if (taken && frame.timestamp >= 0) this.#written++;
    return taken;
  }

  async finish(_whole: boolean): Promise<string | undefined> {
    if (this.#written === 0) return undefined;
    await this.#output?.finish();
    this.#finished = true;
    const first = numberedName(this.#pattern, 1);
    if (this.#written === 1) return `wrote 1 file, "${first}"`;
    return `wrote ${this.#written} files, "${first}" to ` +
      `"${numberedName(this.#pattern, this.#written)}"`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#output?.[Symbol.asyncDispose]();
    if (!this.#finished) await this.#removeUnfinished();
  }

  /** Removes the file that FFmpeg was writing when it was killed. */
  async #removeUnfinished(): Promise<void> {
    this.#finished = true;
    // It may have begun the next one already.
    for (let number = this.#written + 1; number > 0; number--) {
      try {
        await Deno.remove(`${numberedName(this.#pattern, number)}.tmp`);
        return;
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  }
}

/**
 * Checks that a sequence can be written, before the server is asked for anything.
 *
 * @throws {Error} if it cannot
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

/** Pattern of the file names of a sequence. */
function namesOf(name: string): RegExp {
  const parts = name.split(/%0?[1-9]?d/).map((part) => RegExp.escape(part));
  return new RegExp(`^${parts.join("\\d+")}$`);
}

/** Converts a path to FFmpeg's pattern, in which percent signs of folders are doubled. */
function literal(pattern: string): string {
  const slash = pattern.lastIndexOf("/") + 1;
  const name = pattern.slice(slash).replace(NUMBER, (_, width) => `%0${width || 1}d`);
  return pattern.slice(0, slash).replaceAll("%", "%%") + name;
}
