/** Validators of responses (RFC 9110, sections 8.8 and 13). */

/** Bytes of the hash in an entity tag: enough to rule out collisions by chance. */
const HASH_LENGTH = 16;

/** The entity tag of some bytes: equal bytes have equal tags. */
export async function tagOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const text = hash.subarray(0, HASH_LENGTH).toBase64({ alphabet: "base64url", omitPadding: true });
  return `"${text}"`;
}

/**
 * Whether the header If-None-Match names an entity tag, so that its owner has the same bytes.
 *
 * @example
 * ```ts
 * import { assert } from "@std/assert";
 * import { isKnown } from "./conditional.ts";
 *
 * assert(isKnown('"a", W/"b"', '"b"'));
 * assert(!isKnown(null, '"b"'));
 * ```
 */
export function isKnown(header: string | null, tag: string): boolean {
  if (header === null) return false;
  if (header.trim() === "*") return true;
  const bare = tag.replace(/^W\//, "");
  return header.split(",").some((known) => known.trim().replace(/^W\//, "") === bare);
}

/**
 * Responds with bytes and their entity tag, or with 304 if the requester has them.
 *
 * @param options headers, and the tag, if it is known without a hash of the bytes
 */
export async function taggedResponse(
  request: Request,
  bytes: Uint8Array<ArrayBuffer>,
  { headers: given, tag }: { headers: Record<string, string>; tag?: string },
): Promise<Response> {
  const headers = { ...given, ETag: tag ?? await tagOf(bytes) };
  if (isKnown(request.headers.get("if-none-match"), headers.ETag)) {
    return new Response(null, { status: 304, headers });
  }
  const length = { "Content-Length": String(bytes.byteLength) };
  const body = request.method === "HEAD" ? null : bytes;
  return new Response(body, { headers: { ...headers, ...length } });
}
