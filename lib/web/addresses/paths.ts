/** Paths of the addresses that other programs know. */
import { RequestError } from "../../base/errors.ts";

/** What an address gives. */
export type AddressPath =
  /** One JPEG. */
  | { kind: "snapshot"; name: string }
  /** JPEGs one after the other. */
  | { kind: "stream"; name: string }
  /** The playlist of HLS, or a file that it names. */
  | { kind: "hls"; name: string; file: string }
  /** The file as it is. */
  | { kind: "media"; name: string };

/** Name of the playlist of HLS, beside its segments. */
export const PLAYLIST = "index.m3u8";

/** The paths; names may hold slashes. */
const PATTERNS = [
  { kind: "snapshot", pattern: /^\/snapshot\/(.+)\.jpg$/s },
  { kind: "stream", pattern: /^\/stream\/(.+)\.mjpg$/s },
  { kind: "hls", pattern: /^\/hls\/(.+)\/([^/]+)$/s },
  { kind: "media", pattern: /^\/media\/(.+)$/s },
] as const;

/**
 * Finds what an address gives.
 *
 * @param pathname path of a URL, percent-encoded
 * @returns `undefined` for other paths
 * @throws {RequestError} `bad_request` for a name that is not UTF-8, percent-encoded
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parsePath } from "./paths.ts";
 *
 * const name = "trips/sea.mkv";
 * assertEquals(parsePath("/stream/trips/sea.mkv.mjpg"), { kind: "stream", name });
 * ```
 */
export function parsePath(pathname: string): AddressPath | undefined {
  for (const { kind, pattern } of PATTERNS) {
    const [, encoded, file] = pattern.exec(pathname) ?? [];
    if (encoded === undefined) continue;
    const name = decodeName(encoded);
    return kind === "hls" ? { kind, name, file } : { kind, name };
  }
  return undefined;
}

function decodeName(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch (cause) {
    const shown = encoded.slice(0, 64);
    const reason = "expected a name of the list, percent-encoded";
    throw new RequestError("bad_request", `Cannot find "${shown}": ${reason}`, { cause });
  }
}
