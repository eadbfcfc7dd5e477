/** A file as it lies in the folder, whole or in part. */
import { RequestError } from "../../base/errors.ts";
import { errorResponse } from "../api.ts";
import type { StoredFile } from "../service.ts";
import { isKnown } from "./conditional.ts";
import { dispositionOf, mediaTypeOf } from "./media_types.ts";
import { type ByteRange, parseRange } from "./ranges.ts";

/** Bytes of a read; a reader has one of them in memory. */
const CHUNK = 128 * 1024;

/** Options of {@linkcode mediaResponse}. */
export interface MediaResponseOptions {
  /** As listed. */
  name: string;
  /** Browsers save it. */
  isDownload: boolean;
  /** Opens it. */
  open: () => Promise<StoredFile>;
}

/**
 * Responds with a file, a single range of it, or that it has not changed (RFC 9110, sections 13 and
 * 14). The file is closed when the response is read or cancelled.
 *
 * @throws {RequestError} if it cannot be opened
 */
export async function mediaResponse(
  request: Request,
  { name, isDownload, open }: MediaResponseOptions,
): Promise<Response> {
  await using opened = new AsyncDisposableStack();
  const file = opened.use(await open());
  const { size, modified } = file;
  const tag = `"${size.toString(36)}-${Math.trunc(modified).toString(36)}"`;
  const lastModified = new Date(modified).toUTCString();
  const validators = { ETag: tag, "Last-Modified": lastModified, "Cache-Control": "no-cache" };
  if (isFresh(request.headers, { tag, modified })) {
    return new Response(null, { status: 304, headers: validators });
  }
  // Ranges are for GET alone.
  const isPart = request.method === "GET" &&
    isCurrent(request.headers.get("if-range"), { tag, lastModified });
  const range = isPart ? parseRange(request.headers.get("range"), size) : undefined;
  if (range === null) {
    const error = new RequestError(
      "bad_request",
      `Cannot get that range: the file has ${size} bytes`,
    );
    return errorResponse(error, { status: 416, headers: { "Content-Range": `bytes */${size}` } });
  }
  const { start, end } = range ?? { start: 0, end: size };
  const headers = {
    ...validators,
    "Accept-Ranges": "bytes",
    "Content-Type": mediaTypeOf(name),
    "Content-Disposition": dispositionOf(name, isDownload ? "attachment" : "inline"),
    "Content-Length": String(end - start),
    ...(range === undefined ? {} : { "Content-Range": `bytes ${start}-${end - 1}/${size}` }),
  };
  const status = range === undefined ? 200 : 206;
  if (request.method === "HEAD") return new Response(null, { status, headers });
  const body = readPart(file, { start, end }, opened.move());
  return new Response(body, { status, headers });
}

/** Whether the requester has this version of the file; a tag counts more than a time. */
function isFresh(headers: Headers, { tag, modified }: { tag: string; modified: number }): boolean {
  const known = headers.get("if-none-match");
  if (known !== null) return isKnown(known, tag);
  const since = Date.parse(headers.get("if-modified-since") ?? "");
  // Times of headers are in whole seconds.
  return Math.floor(modified / 1000) * 1000 <= since;
}

/** Whether a range is of this version of the file, by the header If-Range. */
function isCurrent(
  header: string | null,
  { tag, lastModified }: { tag: string; lastModified: string },
): boolean {
  return header === null || header === tag || header === lastModified;
}

/** Reads a part as fast as it is taken, and closes the file behind it. */
function readPart(
  file: StoredFile,
  { start, end }: ByteRange,
  opened: AsyncDisposableStack,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = start;
  return new ReadableStream({
    async pull(controller) {
      try {
        if (at < end) {
          const bytes = await file.read(at, Math.min(CHUNK, end - at));
          at += bytes.byteLength;
          return controller.enqueue(bytes);
        }
        controller.close();
      } catch (error) {
        controller.error(error);
      }
      await opened.disposeAsync();
    },
    cancel: () => opened.disposeAsync(),
  }, { highWaterMark: 0 });
}
