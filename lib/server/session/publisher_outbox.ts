/** Requests of the server to a publisher, on their way. */
import type { PublisherAction } from "../../sources/publish/published.ts";

/** Sends what a publisher is asked for, one message at a time, so that only the newest waits. */
export class PublisherOutbox {
  #send: (action: PublisherAction | undefined, viewers: number | undefined) => Promise<void>;
  #demand: "pause" | "resume" | undefined;
  #keyframe = false;
  #viewers: number | undefined;
  #state: "closed" | "idle" | "sending" = "closed";

  constructor(
    send: (action: PublisherAction | undefined, viewers: number | undefined) => Promise<void>,
  ) {
    this.#send = send;
  }

  /** Begins to send. */
  open(): void {
    this.#state = "idle";
    this.#flush();
  }

  ask(action: PublisherAction): void {
    if (action === "keyframe") this.#keyframe = true;
    else this.#demand = action;
    this.#flush();
  }

  count(viewers: number): void {
    this.#viewers = viewers;
    this.#flush();
  }

  close(): void {
    this.#state = "closed";
  }

  async #flush(): Promise<void> {
    if (this.#state !== "idle") return;
    this.#state = "sending";
    try {
      while (this.#demand !== undefined || this.#keyframe || this.#viewers !== undefined) {
        const action = this.#demand ?? (this.#keyframe ? "keyframe" : undefined);
        const viewers = this.#viewers;
        if (action === "keyframe") this.#keyframe = false;
        this.#demand = this.#viewers = undefined;
        await this.#send(action, viewers);
      }
      if (this.#state === "sending") this.#state = "idle";
    } catch {
      // Reading from the publisher fails as well, and says why.
      this.#state = "closed";
    }
  }
}
