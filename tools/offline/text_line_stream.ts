/** Options of {@linkcode TextLineStream}. */
export interface TextLineStreamOptions {
  /** A lone carriage return ends a line, too. */
  allowCR?: boolean;
}

/**
 * Cuts text into lines, without their ends: line feed, or carriage return and line feed. Text after
 * the last end is a line as well, unless empty.
 *
 * Stands in for the class of the same name in `@std/streams` 1.1.2.
 */
export class TextLineStream extends TransformStream<string, string> {
  /** @param options which ends of line count */
  constructor({ allowCR = false }: TextLineStreamOptions = {}) {
    const end = allowCR ? /\r\n|\n|\r(?=[^])/ : /\r?\n/;
    // The line that has not ended yet, in pieces, so that a long one is not searched again and again.
    let pieces: string[] = [];
    // A carriage return that ends a chunk may be half of an end of line: it waits for what follows.
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
