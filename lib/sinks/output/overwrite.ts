/** Checks before files are written, and the errors of writing them. */
import { messageOf } from "../../base/errors.ts";
import { checkExtension } from "./ffmpeg_names.ts";
import { extensionOf, isImageType, typeOf } from "./target.ts";

/** Options of {@linkcode checkAbsent}. */
export interface OverwriteOptions {
  /** Replaces existing files. */
  overwrite: boolean;
}

/** Options of {@linkcode checkOutput}. */
export interface OutputOptions extends OverwriteOptions {
  still: boolean;
  /** FFmpeg's name of the format, if not that of the extension. */
  format?: string;
}

/** Types that FFmpeg writes as a playlist of many files, which is not supported. */
const MANY_FILES = new Set(["ism", "ismc"]);

/** Unfinished files of one output that may exist at once. */
const MAX_PARTS = 100;

/**
 * Checks that a file can be written, before the server is asked for anything.
 *
 * @throws {Error} if it cannot
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
      `Cannot write "${path}": a .${extension} is a playlist of many files, expected a type of one ` +
        "file such as .mp4",
    );
  }
  const type = format === undefined ? extension : typeOf(format);
  if (!still && isImageType(type)) {
    throw new Error(
      `Cannot write "${path}": a .${type} holds one picture, expected a video type such as .mp4, ` +
        `a sequence such as %05d.${type}, or --image`,
    );
  }
  if (format === undefined) await checkExtension(path);
}

/** @throws {Error} if a path cannot be written, or exists and must not be replaced */
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
 * Creates an empty file for the unfinished recording in the same folder.
 *
 * @returns its path; `undefined` if the output is a device or a named pipe, which is written
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

/**
 * Renames a complete file.
 *
 * @throws {Error} if that fails, or another file has come there meanwhile; the part is kept
 */
export async function publishPart(
  part: string,
  path: string,
  options: OverwriteOptions,
): Promise<void> {
  try {
    await checkAbsent(path, options);
    await asWrite(path, () => Deno.rename(part, path));
  } catch (cause) {
    throw new Error(`${messageOf(cause)}; ${whatArrived(part)}`, { cause });
  }
}

/** Tells the user the path of an unfinished file. */
export function whatArrived(part: string): string {
  return `what arrived is in "${part}"`;
}

/** `clip.part.mp4`, then `clip.part2.mp4`. */
function partName(path: string, number: number): string {
  return beforeExtension(path, `.part${number === 1 ? "" : number}`);
}

/**
 * Path of a further file of one recording.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { furtherName } from "./overwrite.ts";
 *
 * assertEquals(furtherName("a.b/clip.mp4", 2), "a.b/clip-2.mp4");
 * ```
 */
export function furtherName(path: string, part: number): string {
  return part === 1 ? path : beforeExtension(path, `-${part}`);
}

/** Inserts into a file name. The extension stays, since FFmpeg takes the type from it. */
function beforeExtension(path: string, text: string): string {
  const at = path.length - suffixOf(path).length;
  return path.slice(0, at) + text + path.slice(at);
}

/** Extension of a path with its dot; `""` if it has none. */
export function suffixOf(path: string): string {
  const dot = path.lastIndexOf(".");
  return dot > path.lastIndexOf("/") + 1 ? path.slice(dot) : "";
}

/** Folder of a file, `.` if the path names none. */
export function folderOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : path.slice(0, slash + 1);
}

/** Runs a file operation of writing a path; its failure becomes `Cannot write …`. */
export async function asWrite<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw new Error(`Cannot write "${path}": ${messageOf(cause)}`, { cause });
  }
}

/** Stats a file; `undefined` if it does not exist. */
export async function statOf(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new Error(`Cannot write "${path}": ${messageOf(error)}`, { cause: error });
  }
}
