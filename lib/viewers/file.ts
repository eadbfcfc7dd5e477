import { messageOf, ProcessError } from "../core/errors.ts";
import { type Frame, toSeconds, type VideoStream } from "../core/frame.ts";
import { hiddenBeginning, hidesBeginning } from "../media/container_codecs.ts";
import {
  encoderArguments,
  extensionOf,
  holdsOnePicture,
  keptStreams,
  recodingNotes,
} from "../media/encoder_arguments.ts";
import { rotationBy } from "../media/ffmpeg_options.ts";
import { FrameSink, reasonOf } from "../media/frame_sink.ts";
import type { Presentation, Viewer } from "./viewer.ts";

/** Options of {@linkcode FileViewer}. */
export interface FileViewerOptions {
  /** Replace a file that exists. */
  overwrite: boolean;
  /** Ends FFmpeg at once, whatever becomes of the file. */
  forced?: AbortSignal;
}

/** What {@linkcode checkOutput} has to know. */
export interface OutputOptions extends Pick<FileViewerOptions, "overwrite"> {
  /** One picture is to be written. */
  still: boolean;
}

/** Types that FFmpeg writes as a list, with the media in files beside it. */
const MANY_FILES = new Set(["m3u8", "mpd", "ism", "ismc"]);

/** Seconds by which a recording begins too early that are worth telling. */
const NOTABLE = 0.05;

/** Unfinished recordings of the same name that may lie side by side. */
const MAX_PARTS = 100;

/**
 * Has FFmpeg write everything into a file, whose extension tells the type: raw frames encoded, and
 * the packets of encoded streams as they are where the type takes them. It is written under another
 * name, `x.part.mp4`, and gets its own when it is whole; what was cut short keeps the other.
 */
export class FileViewer implements Viewer {
  #path: string;
  #options: FileViewerOptions;
  /** Where it is written to. */
  #part: string | undefined;
  #sink: FrameSink | undefined;
  #still = false;
  #frames = 0;
  /** Pictures that are stored as they are, and shown from the first on. */
  #shown: VideoStream | undefined;
  /** Seconds before the beginning at which those pictures begin. */
  #early = 0;
  /** What is other in the file than what was sent. */
  #notes: string[] = [];
  #finished = false;

  constructor(path: string, options: FileViewerOptions) {
    this.#path = path;
    this.#options = options;
  }

  async begin(presentation: Presentation): Promise<void> {
    const { streams, still, lead, firstPicture } = presentation;
    const { overwrite, forced } = this.#options;
    this.#still = still;
    await checkOutput(this.#path, { overwrite, still });
    const encoded = presentation.encoding !== "raw";
    const kept = keptStreams(streams, this.#path, { still, encoded })
      .find((stream) => stream.type === "video");
    if (presentation.encoding === "copy") {
      this.#notes = recodingNotes(streams, this.#path, { still });
    }
    const turnedBy = kept?.rotation === undefined || still ? undefined : await rotationBy(forced);
    const hides = !still && hidesBeginning(extensionOf(this.#path));
    if (!still && !hides) this.#shown = kept;
    const beginning = kept !== undefined && hides ? hiddenBeginning(kept, firstPicture) : 0;
    this.#part = await reservePart(this.#path);
    const options = { still, encoded, lead, beginning, rotationBy: turnedBy };
    const args = encoderArguments(presentation, this.#part ?? this.#path, options);
    this.#sink = new FrameSink("ffmpeg", args, { streams, lead, signal: forced });
  }

  async show(frame: Frame): Promise<boolean> {
    const taken = await this.#guarded(async () => await this.#sink?.write(frame) ?? false);
    if (taken) this.#frames++;
    if (this.#shown?.id === frame.streamId) {
      this.#early = Math.max(this.#early, -toSeconds(frame.timestamp, this.#shown.timeBase));
    }
    return taken;
  }

  async finish(whole: boolean): Promise<string | undefined> {
    if (this.#frames === 0) return undefined;
    await this.#guarded(async () => {
      await this.#sink?.finish();
      return true;
    });
    this.#finished = true;
    if (this.#part === undefined) return undefined;
    if (!whole) return whatArrived(this.#part);
    await this.#publish(this.#part);
    const early = this.#early < NOTABLE
      ? ""
      : `, which begins ${this.#early.toFixed(1)} s earlier, at a keyframe`;
    return [`wrote "${this.#path}"${early}`, ...this.#notes].join("; ");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sink?.[Symbol.asyncDispose]();
    if (!this.#finished) await this.#removeUseless();
  }

  /** Gives the whole recording its name. */
  async #publish(part: string): Promise<void> {
    try {
      await checkAbsent(this.#path, this.#options);
      await rename(part, this.#path);
    } catch (cause) {
      throw new Error(`${messageOf(cause)}; ${whatArrived(part)}`, { cause });
    }
  }

  /**
   * Removes a part that nothing usable can be in; one that FFmpeg has filled is left.
   *
   * @returns the part where it is left
   */
  async #removeUseless(): Promise<string | undefined> {
    const part = this.#part;
    this.#finished = true;
    const info = part === undefined ? undefined : await statOf(part);
    if (part === undefined || info === undefined) return undefined;
    if (this.#frames > 0 && info.size > 0 && !this.#still) return part;
    await Deno.remove(part);
  }

  /** Turns FFmpeg's failure into one line that names the file. */
  async #guarded(action: () => Promise<boolean>): Promise<boolean> {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof ProcessError)) throw error;
      const part = this.#part ?? this.#path;
      const reason = (reasonOf(error) ?? messageOf(error))
        .replaceAll(`file:${part}`, this.#path).replaceAll(part, this.#path);
      const left = await this.#removeUseless();
      const rest = left === undefined ? [] : [`"${left}" is unfinished, and may not be playable`];
      const failure = this.#options.forced?.aborted
        ? "Stopped at once"
        : `Cannot write "${this.#path}": ${reason}`;
      throw new Error([failure, ...rest].join("; "), { cause: error });
    }
  }
}

async function rename(part: string, path: string): Promise<void> {
  try {
    await Deno.rename(part, path);
  } catch (cause) {
    throw new Error(`Cannot write "${path}": ${messageOf(cause)}`, { cause });
  }
}

function whatArrived(part: string): string {
  return `what arrived is in "${part}"`;
}

/**
 * Finds out whether a file may be written, before anything is asked of the server.
 *
 * @throws {Error} where it may not
 */
export async function checkOutput(
  path: string,
  { overwrite, still }: OutputOptions,
): Promise<void> {
  await checkAbsent(path, { overwrite });
  const extension = extensionOf(path);
  if (extension === "") {
    throw new Error(
      `Cannot write "${path}": its name tells no type, expected an extension such as .mp4 or .png`,
    );
  }
  if (MANY_FILES.has(extension)) {
    throw new Error(
      `Cannot write "${path}": a .${extension} is a list of many files, expected a type of one ` +
        "file such as .mp4",
    );
  }
  if (!still && holdsOnePicture(path)) {
    throw new Error(
      `Cannot write "${path}": a .${extension} holds one picture, expected a video type such as ` +
        ".mp4, or --image",
    );
  }
}

/** @throws {Error} where nothing may be written under this name */
export async function checkAbsent(
  path: string,
  { overwrite }: Pick<FileViewerOptions, "overwrite">,
): Promise<void> {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(path)) {
    throw new Error(`Cannot write "${path}": addresses are not supported, expected a file`);
  }
  const info = await statOf(path);
  if (info?.isDirectory) {
    throw new Error(`Cannot write "${path}": it is a folder, name a file in it`);
  }
  if (info?.isFile && !overwrite) {
    throw new Error(`Cannot write "${path}": the file exists, replace it with --overwrite`);
  }
  if (info === undefined && !(await statOf(folderOf(path)))?.isDirectory) {
    throw new Error(`Cannot write "${path}": there is no folder "${folderOf(path)}"`);
  }
}

/**
 * Makes an empty file for the unfinished recording, next to the finished one's place.
 *
 * @returns its path; `undefined` where the output is a device or a named pipe, which is written
 * directly
 */
async function reservePart(path: string): Promise<string | undefined> {
  const info = await statOf(path);
  if (info !== undefined && !info.isFile) return undefined;
  for (let number = 1; number <= MAX_PARTS; number++) {
    const part = partName(path, number);
    try {
      const file = await Deno.open(part, { createNew: true, write: true });
      file.close();
      return part;
    } catch (cause) {
      if (cause instanceof Deno.errors.AlreadyExists) continue;
      throw new Error(`Cannot write "${path}": ${messageOf(cause)}`, { cause });
    }
  }
  throw new Error(`Cannot write "${path}": ${MAX_PARTS} unfinished ones lie there, remove them`);
}

/** `clip.part.mp4`, then `clip.part2.mp4`: the extension stays, since it tells FFmpeg the type. */
function partName(path: string, number: number): string {
  const dot = path.lastIndexOf(".");
  const at = dot > path.lastIndexOf("/") + 1 ? dot : path.length;
  return `${path.slice(0, at)}.part${number === 1 ? "" : number}${path.slice(at)}`;
}

/** The folder that a file lies in. */
export function folderOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : path.slice(0, slash + 1);
}

async function statOf(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new Error(`Cannot write "${path}": ${messageOf(error)}`, { cause: error });
  }
}
