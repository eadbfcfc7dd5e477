/** A stream of JPEGs as `multipart/x-mixed-replace`. */

/** Text between the pictures. */
const BOUNDARY = "frame";

/** Media type of the stream. */
export const MULTIPART_TYPE = `multipart/x-mixed-replace; boundary=${BOUNDARY}`;

/** Begins the stream, before its first part. */
export const MULTIPART_BEGIN: Uint8Array<ArrayBuffer> = encode(`--${BOUNDARY}\r\n`);

/**
 * Encodes a picture. The boundary is behind it, since browsers show a picture when that arrives, and
 * should not wait for the next one.
 *
 * @param jpeg file of the picture
 * @param seconds since 1970 at which it was captured, if that is known
 */
export function encodePart(jpeg: Uint8Array, seconds?: number): Uint8Array<ArrayBuffer> {
  const head = encode(
    `Content-Type: image/jpeg\r\nContent-Length: ${jpeg.byteLength}\r\n` +
      (seconds === undefined ? "" : `X-Timestamp: ${seconds.toFixed(6)}\r\n`) + "\r\n",
  );
  const tail = encode(`\r\n--${BOUNDARY}\r\n`);
  const part = new Uint8Array(head.byteLength + jpeg.byteLength + tail.byteLength);
  part.set(head);
  part.set(jpeg, head.byteLength);
  part.set(tail, head.byteLength + jpeg.byteLength);
  return part;
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
