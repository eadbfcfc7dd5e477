/** How failures are told to the page. Pure. */
import { type ErrorCode, messageOf, RequestError } from "../base/errors.ts";

/** HTTP's status of each refusal. */
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

/** The code of what was thrown; `failed` where it is not the server's own. */
export function codeOf(error: unknown): string {
  return error instanceof RequestError ? error.code : "failed";
}

/** The answer that tells of what was thrown. */
export function errorResponse(error: unknown): Response {
  const status = error instanceof RequestError ? STATUSES[error.code] : 502;
  const body = { code: codeOf(error), message: messageOf(error) };
  return Response.json(body, { status, headers: { "Cache-Control": "no-store" } });
}
