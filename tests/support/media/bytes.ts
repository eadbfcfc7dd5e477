import { type ByteSource, fromSocket, fromStream } from "../../../lib/base/byte_reader.ts";

/** Sizes of the pieces that input comes in: whole, split, and byte by byte. */
export const STEPS = [Infinity, 7, 1] as const;

/** A socket that gives bytes, at most `step` for each read, and then ends. */
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

/** A byte stream that gives bytes, at most `step` for each pull, and then ends. */
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

/** Bytes of a string whose characters are all below 256, as in a Python bytes literal. */
export function latin1(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** The bytes of several arrays, and strings by {@linkcode latin1}, in a row. */
export function concat(...parts: readonly (string | Uint8Array)[]): Uint8Array<ArrayBuffer> {
  const arrays = parts.map((part) => typeof part === "string" ? latin1(part) : part);
  const whole = new Uint8Array(arrays.reduce((size, { byteLength }) => size + byteLength, 0));
  let at = 0;
  for (const array of arrays) {
    whole.set(array, at);
    at += array.byteLength;
  }
  return whole;
}

/** Numbers from 0 up to 1 that look random and are the same every time (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
