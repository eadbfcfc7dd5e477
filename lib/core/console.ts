const encoder = new TextEncoder();

/** A stream of the process that text can be written to. */
export interface TextSink {
  writeSync(bytes: Uint8Array): number;
}

/** Writes text to standard output or standard error, all of it. */
export function print(sink: TextSink, text: string): void {
  let bytes = encoder.encode(text);
  while (bytes.byteLength > 0) bytes = bytes.subarray(sink.writeSync(bytes));
}
