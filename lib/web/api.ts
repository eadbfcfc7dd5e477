/** The page's HTTP API: queries in, errors out. */
import { type ErrorCode, messageOf, RequestError } from "../base/errors.ts";
import { LIMITS, MAX_TRACK } from "../protocol/native/request.ts";
import { BROWSER_CODECS } from "../sinks/browser/fragment_sink.ts";

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
  /** Number of the audio track, from 1 on. @default the server's own choice */
  track?: number;
  /** Number of the subtitles, from 1 on. @default none */
  subtitles?: number;
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
  const [track, subtitles] = [parseTrack(query, "track"), parseTrack(query, "subtitles")];
  return { ...parseImageQuery(query), can, sound: query.get("sound") !== "0", track, subtitles };
}

/** Parses the number of a track; 0 is none. */
function parseTrack(query: URLSearchParams, field: string): number | undefined {
  const text = query.get(field) || "0";
  const number = Number(text);
  if (Number.isInteger(number) && number >= 0 && number <= MAX_TRACK) return number || undefined;
  throw new RequestError(
    "bad_request",
    `Cannot use ${field} "${text.slice(0, 32)}": expected a number from 0 to ${MAX_TRACK}`,
  );
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

/** Names of the statuses (RFC 9110, section 15). */
const TITLES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  416: "Range Not Satisfiable",
  422: "Unprocessable Content",
  502: "Bad Gateway",
  503: "Service Unavailable",
};

/** Seconds after which a program may ask a busy server again. */
const RETRY_AFTER = 5;

/** The error code that the page gets; `failed` for errors without one. */
export function codeOf(error: unknown): string {
  return error instanceof RequestError ? error.code : "failed";
}

/**
 * The error as a response with problem details (RFC 9457), and the error code beside them.
 *
 * @param options another status than that of the code, and more headers
 */
export function errorResponse(
  error: unknown,
  { status = statusOf(error), headers = {} }: {
    status?: number;
    headers?: Record<string, string>;
  } = {},
): Response {
  const body = { title: TITLES[status], status, detail: messageOf(error), code: codeOf(error) };
  return Response.json(body, {
    status,
    headers: {
      "Content-Type": "application/problem+json",
      "Cache-Control": "no-store",
      ...(status === STATUSES.busy ? { "Retry-After": String(RETRY_AFTER) } : {}),
      ...headers,
    },
  });
}

function statusOf(error: unknown): number {
  return error instanceof RequestError ? STATUSES[error.code] : 502;
}
