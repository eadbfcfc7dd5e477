import { type ByteSource, fromSocket, fromStream } from "../../lib/base/byte_reader.ts";

/** How input is cut: whole, split, and byte by byte. */
export const STEPS = [Infinity, 7, 1] as const;

/** A socket that gives some bytes, at most `step` with each read, and then has ended. */
export function socketOf(bytes: Uint8Array, step: number = Infinity): Pick<Deno.Conn, "read"> {
  let at = 0;
  return {
    read(target) {
      if (at === bytes.length) return Promise.resolve(null);
      const part = bytes.subarray(at, at + Math.min(step, target.length));
      target.set(part);
      at += part.length;
      return Promise.resolve(part.length);
    },
  };
}

/** A byte stream that gives some bytes, at most `step` with each pull, and then has ended. */
export function streamOf(
  bytes: Uint8Array,
  step: number = Infinity,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0;
  return new ReadableStream({
    type: "bytes",
    pull(controller) {
      if (at === bytes.length) {
        controller.close();
        controller.byobRequest?.respond(0);
        return;
      }
      const part = bytes.slice(at, at + Math.min(step, bytes.length));
      at += part.length;
      controller.enqueue(part);
    },
  });
}

/** Both kinds of source over the same bytes, by name. */
export function sourcesOf(bytes: Uint8Array, step: number): [name: string, source: ByteSource][] {
  return [
    ["a socket", fromSocket(socketOf(bytes, step))],
    ["a stream", fromStream(streamOf(bytes, step))],
  ];
}

/** Bytes that differ from their neighbours: 0, 1, … 250, 0, … */
export function sample(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, at) => at % 251);
}
