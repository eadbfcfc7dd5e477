/** Counts the FFmpegs that a server starts to read media. */
import { standIn } from "./stand_in.ts";

/** FFmpeg as it is, whose starts are counted until it is disposed. */
export class CountedFfmpeg implements Disposable {
  #path: string;
  #standIn: Disposable;

  constructor(path: string, standIn: Disposable) {
    this.#path = path;
    this.#standIn = standIn;
  }

  /** FFmpegs that were started so far, with their arguments, but for questions such as `-version`. */
  get starts(): string[] {
    const lines = Deno.readTextFileSync(this.#path).split("\n");
    return lines.filter((line) => line.includes("-i "));
  }

  [Symbol.dispose](): void {
    this.#standIn[Symbol.dispose]();
    Deno.removeSync(this.#path);
  }
}

/** Begins to count. */
export async function countedFfmpeg(
  program: "ffmpeg" | "ffprobe" = "ffmpeg",
): Promise<CountedFfmpeg> {
  const path = await Deno.makeTempFile({ prefix: "stream_starts_" });
  return new CountedFfmpeg(path, await standIn(program, `echo "$*" >>${path}; exec "$REAL" "$@"`));
}
