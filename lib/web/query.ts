/** What the page asks for, in the query of an address. Pure. */
import { RequestError } from "../base/errors.ts";
import { LIMITS } from "../protocol/native/request.ts";
import { BROWSER_CODECS } from "../sinks/browser/fmp4_sink.ts";

/** A picture that is asked for. */
export interface PictureQuery {
  /** As listed; absent for the server's own choice. */
  name?: string;
  /** Seconds. */
  start: number;
}

/** A play that is asked for. */
export interface PlayQuery extends PictureQuery {
  /** FFmpeg's names of the codecs that may stay as they are. */
  can: ReadonlySet<string>;
  /** False to leave the sound out. */
  sound: boolean;
}

/**
 * Reads the query of a picture.
 *
 * @throws {RequestError} for what means nothing
 */
export function parsePictureQuery(query: URLSearchParams): PictureQuery {
  const name = query.get("name") || undefined;
  if (name !== undefined && !/^[^\0]{1,1024}$/su.test(name)) {
    throw new RequestError("bad_request", "Cannot use a name of more than 1024 characters");
  }
  const text = query.get("start") || "0";
  const start = Number(text);
  const { min, max } = LIMITS.start;
  if (!(start >= min && start <= max)) {
    throw new RequestError(
      "bad_request",
      `Cannot begin at "${text.slice(0, 32)}": expected seconds from ${min} to ${max}`,
    );
  }
  return { name, start };
}

/**
 * Reads the query of a play.
 *
 * @throws {RequestError} for what means nothing
 */
export function parsePlayQuery(query: URLSearchParams): PlayQuery {
  const named = new Set((query.get("can") ?? "").split(","));
  const keep = query.get("keep") !== "0";
  const can = new Set<string>(keep ? BROWSER_CODECS.filter((codec) => named.has(codec)) : []);
  return { ...parsePictureQuery(query), can, sound: query.get("sound") !== "0" };
}
