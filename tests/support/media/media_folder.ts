/** Small media for tests, made by ffmpeg itself. */

/** Bytes from the name of a track header of version 0 to its matrix. */
const TRACK_HEADER_MATRIX = 44;

/** Colours, edges, a moving part and a frame number: `testsrc` of a size, a rate and a length. */
export function pictures(
  { size = "64x48", rate = "25", seconds = 1 }: {
    /** Pixels, `WIDTHxHEIGHT`; odd ones are kept. */
    size?: string;
    /** Frames a second, as ffmpeg reads it. */
    rate?: string;
    seconds?: number;
  } = {},
): string[] {
  return ["-f", "lavfi", "-i", `testsrc=size=${size}:rate=${rate}:d=${seconds}`];
}

/** A tone that is as loud as can be without clipping, different in each channel. */
export function tone(
  { layout = "stereo", rate = 48_000, seconds = 1 }: {
    /** FFmpeg's name of the channel layout. */
    layout?: string;
    /** Samples a second. */
    rate?: number;
    seconds?: number;
  } = {},
): string[] {
  const channels = { mono: 1, stereo: 2, "5.1": 6 }[layout] ?? 1;
  const each = Array.from({ length: channels }, (_, at) => `0.9*sin(${440 + 110 * at}*2*PI*t)`);
  const source = `aevalsrc=exprs=${each.join("|")}:channel_layout=${layout}`;
  return ["-f", "lavfi", "-i", `${source}:sample_rate=${rate}:d=${seconds}`];
}

/** Environment variable with a folder of files that tests of the same run have made. */
const SHARED = "STREAM_TEST_MEDIA";

/** Extensions of what ffmpeg makes as one file. */
const SINGLE =
  /^\.(png|jpe?g|gif|webp|bmp|apng|mp4|m4a|mov|mkv|webm|ts|avi|wav|mp3|flac|ogg|opus|aac|y4m|nut)$/i;

/** A folder of media that is removed after the tests of a file. */
export class MediaFolder {
  /** Path of the folder. */
  readonly path: string;
  #made = new Map<string, Promise<string>>();

  constructor(path: string) {
    this.path = path;
  }

  /** Path of a name in the folder. */
  pathOf(name: string): string {
    return `${this.path}/${name}`;
  }

  /**
   * Makes a file with ffmpeg, or gives the one made before.
   *
   * @param name below the folder
   * @param args ffmpeg's arguments before the name of the output
   * @returns its path
   * @throws {Error} if ffmpeg fails
   */
  make(name: string, args: readonly string[]): Promise<string> {
    const made = this.#made.get(name) ?? this.#make(name, args);
    this.#made.set(name, made);
    return made;
  }

  /** Writes a file as it is given and gives its path. */
  async write(name: string, content: Uint8Array | string): Promise<string> {
    const path = this.pathOf(name);
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await (typeof content === "string"
      ? Deno.writeTextFile(path, content)
      : Deno.writeFile(path, content));
    return path;
  }

  /** Makes an empty folder and gives its path. */
  async folder(name: string): Promise<string> {
    const path = this.pathOf(name);
    await Deno.mkdir(path);
    return path;
  }

  async #make(name: string, args: readonly string[]): Promise<string> {
    const path = this.pathOf(name);
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await makeOnce(path, args);
    return path;
  }
}

/** Makes a file with ffmpeg, unless another test of the same run has made the same one. */
async function makeOnce(path: string, args: readonly string[]): Promise<void> {
  const shared = Deno.env.get(SHARED);
  const [extension = ""] = path.match(/\.\w+$/) ?? [];
  // Inputs are other files of a test; playlists and patterns are several.
  const isAlone = SINGLE.test(extension) && !path.includes("%") && !args.join("").includes("/");
  if (shared === undefined || !isAlone) {
    await run("ffmpeg", ["-y", ...args, `file:${path}`]);
    return;
  }
  const key = JSON.stringify([Deno.env.get("PATH"), ...args]);
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key));
  const kept = `${shared}/${new Uint8Array(hash).toHex()}${extension}`;
  if (!await exists(kept)) {
    const own = `${shared}/${crypto.randomUUID()}${extension}`;
    await run("ffmpeg", ["-y", ...args, `file:${own}`]);
    await Deno.rename(own, kept);
  }
  await Deno.copyFile(kept, path);
}

/** Whether a path exists; a link counts as itself. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Sorted names of the entries of a folder. */
export function namesIn(path: string): string[] {
  return Array.from(Deno.readDirSync(path), ({ name }) => name).sort();
}

/** Makes an empty folder of media for the tests of one file. Call it once, outside of the tests. */
export function mediaFolder(): MediaFolder {
  // The real path, because the temporary folder may be a link.
  const path = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "stream_media_" }));
  Deno.test.afterAll(() => Deno.removeSync(path, { recursive: true }));
  return new MediaFolder(path);
}

/**
 * Runs ffmpeg or ffprobe to its end.
 *
 * @returns its standard output
 * @throws {Error} if it fails
 */
export async function run(
  program: "ffmpeg" | "ffprobe",
  args: readonly string[],
): Promise<Uint8Array<ArrayBuffer>> {
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: ["-v", "error", ...(program === "ffmpeg" ? ["-nostdin"] : []), ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (code === 0) return stdout;
  const said = new TextDecoder().decode(stderr).trim();
  throw new Error(`${program} ${args.join(" ")} failed (${code}): ${said}`);
}

/**
 * Turns an MP4 file as phones do it: by the matrix in its track header (ISO/IEC 14496-12, "tkhd"),
 * a quarter clockwise. The frames are not changed.
 *
 * @param height of the stored frames, pixels
 */
export async function turnClockwise(path: string, { height }: { height: number }): Promise<void> {
  const bytes = await Deno.readFile(path);
  const name = new TextEncoder().encode("tkhd");
  const at = bytes.findIndex((_, start) =>
    name.every((byte, index) => bytes[start + index] === byte)
  );
  if (at < 0) throw new Error(`Cannot turn "${path}": it has no track header`);
  const view = new DataView(bytes.buffer, at + TRACK_HEADER_MATRIX);
  const one = 1 << 16;
  const matrix = [0, one, 0, -one, 0, 0, height * one, 0, 1 << 30];
  matrix.forEach((value, index) => view.setInt32(4 * index, value));
  await Deno.writeFile(path, bytes);
}

/**
 * Turns a JPEG as phones do it: by an EXIF block (EXIF 2.3, "Orientation") behind its first marker.
 *
 * @param orientation 6 is a quarter clockwise
 */
export async function turnPhoto(path: string, orientation: number): Promise<void> {
  const bytes = await Deno.readFile(path);
  const exif = new Uint8Array(36);
  const view = new DataView(exif.buffer);
  exif.set(new TextEncoder().encode("Exif"), 4);
  exif.set(new TextEncoder().encode("MM"), 10);
  [0xffe1, exif.length - 2].forEach((value, index) => view.setUint16(2 * index, value));
  view.setUint16(12, 42);
  view.setUint32(14, 8);
  // One entry: the tag, of type "short", one value.
  [1, 0x112, 3].forEach((value, index) => view.setUint16(18 + 2 * index, value));
  view.setUint32(24, 1);
  view.setUint16(28, orientation);
  await Deno.writeFile(
    path,
    new Uint8Array([...bytes.subarray(0, 2), ...exif, ...bytes.subarray(2)]),
  );
}
