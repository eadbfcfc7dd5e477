import { TextLineStream } from "@std/streams/text-line-stream";

/** Lines of a child's output. */
export function linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncIterable<string> {
  return stream.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
}
