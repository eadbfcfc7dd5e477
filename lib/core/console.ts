import { messageOf } from "./errors.ts";

const encoder = new TextEncoder();

/** A stream of the process that text can be written to. */
export interface TextSink {
  writeSync(bytes: Uint8Array): number;
}

/**
 * Writes text to standard output or standard error, all of it.
 *
 * @throws {Error} where that takes no more
 */
export function print(sink: TextSink, text: string): void {
  let bytes = encoder.encode(text);
  try {
    while (bytes.byteLength > 0) bytes = bytes.subarray(sink.writeSync(bytes));
  } catch (cause) {
    throw new Error(`Cannot print what is to be told: ${messageOf(cause)}`, { cause });
  }
}
