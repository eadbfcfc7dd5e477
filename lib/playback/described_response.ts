/** A response whose description is known before it is read. */
import type { Description } from "../media/frame.ts";
import type { MediaResponse, ResponsePart } from "../protocol/media_response.ts";

/** A response that was read up to its description; iterating it begins from the start. */
export class DescribedResponse {
  readonly description: Description;
  #before: readonly ResponsePart[];
  #rest: AsyncIterator<ResponsePart>;

  private constructor(
    description: Description,
    before: readonly ResponsePart[],
    rest: AsyncIterator<ResponsePart>,
  ) {
    this.description = description;
    this.#before = before;
    this.#rest = rest;
  }

  /**
   * Reads a response up to its description.
   *
   * @throws {Error} if it ends before that
   */
  static async read(response: MediaResponse): Promise<DescribedResponse> {
    const parts = response[Symbol.asyncIterator]();
    const before: ResponsePart[] = [];
    while (true) {
      const { done, value } = await parts.next();
      if (done) throw new Error("Cannot read a response: it ended before its description");
      before.push(value);
      if (value.kind === "describe") {
        return new DescribedResponse(value.description, before, parts);
      }
    }
  }

  /** Ends a response that is not iterated. */
  async close(): Promise<void> {
    await this.#rest.return?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ResponsePart> {
    try {
      yield* this.#before;
      yield* { [Symbol.asyncIterator]: () => this.#rest };
    } finally {
      await this.#rest.return?.();
    }
  }
}
