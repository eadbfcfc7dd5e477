import { messageOf, OutputClosedError } from "./errors.ts";

const encoder = new TextEncoder();

/** A stream of the process that text can be written to. */
export interface TextSink {
  writeSync(bytes: Uint8Array): number;
}

/**
 * Writes text to standard output, all of it.
 *
 * @throws {OutputClosedError} where nobody reads it any more
 * @throws {Error} where it takes no more
 */
export function print(sink: TextSink, text: string): void {
  let bytes = encoder.encode(text);
  try {
    while (bytes.byteLength > 0) bytes = bytes.subarray(sink.writeSync(bytes));
  } catch (cause) {
    const message = `Cannot write to standard output: ${messageOf(cause)}`;
    if (cause instanceof Deno.errors.BrokenPipe) throw new OutputClosedError(message, { cause });
    throw new Error(message, { cause });
  }
}

/** Writes text to standard error, where somebody may read it, or not. */
export function tell(sink: TextSink, text: string): void {
  try {
    print(sink, text);
  } catch {
    // The terminal is gone, or full. There is nowhere left to tell of it, and work goes on.
  }
}
