/** The page's HTTP API: queries in, errors out. */
import { type ErrorCode, messageOf, RequestError } from "../base/errors.ts";
import { LIMITS } from "../protocol/native/request.ts";
import { BROWSER_CODECS } from "../sinks/browser/fmp4_sink.ts";

/** Query of an image. */
export interface ImageQuery {
  /** As listed. @default the server's own choice */
  name?: string;
  /** Seconds. */
  start: number;
}

/** Query of a play. */
export interface PlayQuery extends ImageQuery {
  /** FFmpeg's names of the codecs that the browser plays, which are not re-encoded. */
  can: ReadonlySet<string>;
  /** False for no audio. */
  sound: boolean;
}

/**
 * Parses the query of an image.
 *
 * @throws {RequestError} if a value is out of range
 */
export function parseImageQuery(query: URLSearchParams): ImageQuery {
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
 * Parses the query of a play.
 *
 * @throws {RequestError} if a value is out of range
 */
export function parsePlayQuery(query: URLSearchParams): PlayQuery {
  const named = new Set((query.get("can") ?? "").split(","));
  const keep = query.get("keep") !== "0";
  const can = new Set<string>(keep ? BROWSER_CODECS.filter((codec) => named.has(codec)) : []);
  return { ...parseImageQuery(query), can, sound: query.get("sound") !== "0" };
}

/** HTTP status of each error code. */
const STATUSES: Record<ErrorCode, number> = {
  bad_request: 400,
  unauthorized: 401,
  not_found: 404,
  unsupported: 422,
  busy: 503,
  media_error: 502,
  version: 502,
  internal: 502,
};

/** The error code that the page gets; `failed` for errors without one. */
export function codeOf(error: unknown): string {
  return error instanceof RequestError ? error.code : "failed";
}

/** The error as a response with a JSON body. */
export function errorResponse(error: unknown): Response {
  const status = error instanceof RequestError ? STATUSES[error.code] : 502;
  const body = { code: codeOf(error), message: messageOf(error) };
  return Response.json(body, { status, headers: { "Cache-Control": "no-store" } });
}
