/** Which decoders the installed FFmpeg chooses. */
import { deadline, onAbort } from "../base/async.ts";
import { startProcess } from "./process.ts";

/** Milliseconds for `-decoders`. */
const LIST_TIMEOUT = 20_000;

/** A line of `-decoders`: flags, name, description, and the codec if its name is another. */
const LINE =
  /^ [VAS][F.][S.](?<experimental>[X.])[B.][D.] (?<name>[\w-]+) .*?(?:\(codec (?<codec>\S+)\))?$/;

/**
 * Parses the output of `ffmpeg -decoders`. FFmpeg takes the first decoder of a codec, and experimental
 * ones if there is no other.
 *
 * @returns names of decoders by names of codecs
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseDecoders } from "./decoders.ts";
 *
 * const text = " A....D mp3float  MP3 (MPEG audio layer 3) (codec mp3)\n A....D mp3  MP3";
 * assertEquals(parseDecoders(text).get("mp3"), "mp3float");
 * ```
 */
export function parseDecoders(text: string): ReadonlyMap<string, string> {
  const finished = new Map<string, string>();
  const experimental = new Map<string, string>();
  for (const line of text.split("\n")) {
    const groups = line.trimEnd().match(LINE)?.groups;
    if (groups === undefined) continue;
    const { name, codec = name } = groups;
    const decoders = groups.experimental === "X" ? experimental : finished;
    if (!decoders.has(codec)) decoders.set(codec, name);
  }
  return new Map([...experimental, ...finished]);
}

/**
 * Asks the installed FFmpeg for its decoders.
 *
 * @returns names of decoders by names of codecs
 * @throws {MissingProgramError} if it is not installed
 * @throws {ProcessError} if it fails, or does not answer in time
 */
export async function readDecoders(): Promise<ReadonlyMap<string, string>> {
  await using child = startProcess("ffmpeg", ["-v", "error", "-decoders"]);
  // Some other process may hold the pipe open.
  const late = new AbortController();
  using _limit = deadline(LIST_TIMEOUT, () => late.abort());
  const text = await readText(child.stdout, late.signal);
  if (late.signal.aborted) child.kill();
  await child.finished();
  return parseDecoders(text);
}

/** Reads a text to its end, or until the signal. */
async function readText(stream: ReadableStream<Uint8Array>, signal: AbortSignal): Promise<string> {
  const reader = stream.getReader();
  using _listener = onAbort(signal, () => void reader.cancel());
  const decoder = new TextDecoder();
  let text = "";
  while (true) {
    const { value } = await reader.read();
    if (value === undefined) return text;
    text += decoder.decode(value, { stream: true });
  }
}
