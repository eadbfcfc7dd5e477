/** Options of {@linkcode TextLineStream}. */
export interface TextLineStreamOptions {
  /** A lone carriage return also ends a line. */
  allowCR?: boolean;
}

/**
 * Splits text into lines without their line ends (LF or CRLF). Text after the last line end is a
 * line as well, unless empty.
 *
 * Stands in for the class of the same name in `@std/streams` 1.1.2.
 */
export class TextLineStream extends TransformStream<string, string> {
  /** @param options which line ends are recognised */
  constructor({ allowCR = false }: TextLineStreamOptions = {}) {
    const end = allowCR ? /\r\n|\n|\r(?=[^])/ : /\r?\n/;
    // The incomplete line in pieces, so that a long one is not searched repeatedly.
    let pieces: string[] = [];
    // A carriage return at the end of a chunk may be half of a CRLF: it waits for the next chunk.
    let endsWithCR = false;
    super({
      transform(chunk, controller) {
        if (chunk === "") return;
        pieces.push(chunk);
        const mayEnd = chunk.includes("\n") || (allowCR && (endsWithCR || chunk.includes("\r")));
        if (!mayEnd) return;
        const lines = pieces.join("").split(end);
        const rest = lines.pop() ?? "";
        for (const line of lines) controller.enqueue(line);
        pieces = rest === "" ? [] : [rest];
        endsWithCR = rest.endsWith("\r");
      },
      flush(controller) {
        const rest = pieces.join("");
        if (rest === "") return;
        controller.enqueue(allowCR && rest.endsWith("\r") ? rest.slice(0, -1) : rest);
      },
    });
  }
}
