/** What may be written where, found out before anything is asked of the server. */
import { messageOf } from "../../base/errors.ts";
import { checkExtension } from "./ffmpeg_names.ts";
import { extensionOf, isImageType, typeOf } from "./target.ts";

/** What decides whether something may be written. */
export interface OverwriteOptions {
  /** Replace a file that exists. */
  overwrite: boolean;
}

/** What {@linkcode checkOutput} has to know. */
export interface OutputOptions extends OverwriteOptions {
  /** One picture is to be written. */
  still: boolean;
  /** FFmpeg's name of the format, where the name's extension is not to tell it. */
  format?: string;
}

/** Types of which there is a list, with the media in files beside it, that is not written. */
const MANY_FILES = new Set(["ism", "ismc"]);

/** Unfinished recordings of the same name that may lie side by side. */
const MAX_PARTS = 100;

/**
 * Finds out whether a file may be written, before anything is asked of the server.
 *
 * @throws {Error} where it may not
 */
export async function checkOutput(
  path: string,
  { overwrite, still, format }: OutputOptions,
): Promise<void> {
  await checkAbsent(path, { overwrite });
  const extension = extensionOf(path);
  if (extension === "" && format === undefined) {
    throw new Error(
      `Cannot write "${path}": its name tells no type, expected an extension such as .mp4 or .png, ` +
        "or --format",
    );
  }
  if (MANY_FILES.has(extension)) {
    throw new Error(
      `Cannot write "${path}": a .${extension} is a list of many files, expected a type of one ` +
        "file such as .mp4",
    );
  }
  const type = format === undefined ? extension : typeOf(format);
  if (!still && isImageType(type)) {
    throw new Error(
      `Cannot write "${path}": a .${type} holds one picture, expected a video type such as .mp4, ` +
        `a series such as %05d.${type}, or --image`,
    );
  }
  if (format === undefined) await checkExtension(path);
}

/** @throws {Error} where nothing may be written under this name */
export async function checkAbsent(
  path: string,
  { overwrite }: OverwriteOptions,
): Promise<void> {
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
export async function reservePart(path: string): Promise<string | undefined> {
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

/** What the system knows of a file; `undefined` where there is none. */
export async function statOf(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new Error(`Cannot write "${path}": ${messageOf(error)}`, { cause: error });
  }
}
