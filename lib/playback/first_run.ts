/** A response up to a change of its streams. */
import type { Control } from "../protocol/native/request.ts";
import type { MediaResponse, ResponsePart } from "../protocol/media_response.ts";

/** Ends a response where its streams change: iterating it stops in front of a second description. */
export class FirstRun implements MediaResponse {
  readonly control?: (control: Control) => Promise<void>;
  #response: MediaResponse;
  #hasChanged = false;

  constructor(response: MediaResponse) {
    this.#response = response;
    // Callers check whether there are controls.
    if (response.control !== undefined) {
      this.control = async (control) => await response.control?.(control);
    }
  }

  /** Whether it ended because other streams follow. */
  get hasChanged(): boolean {
    return this.#hasChanged;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ResponsePart> {
    let isDescribed = false;
    for await (const part of this.#response) {
      if (part.kind === "describe") {
        this.#hasChanged = isDescribed;
        if (this.#hasChanged) return;
        isDescribed = true;
      }
      yield part;
    }
  }

  abandon(): void {
    this.#response.abandon?.();
  }
}
