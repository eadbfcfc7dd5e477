import { deadline } from "../core/deadline.ts";
import { messageOf } from "../core/errors.ts";
import type { Frame } from "../core/frame.ts";
import { FrameQueue } from "./frame_queue.ts";
import type { Presentation, Viewer } from "./viewer.ts";

/** Options of {@linkcode BesideViewer}. */
export interface BesideOptions {
  /** Told what has become of the view, where it leaves early. */
  tell?: (line: string) => void;
  /** Milliseconds that a view may take for one frame when everything else is over. */
  patience?: number;
}

/** Milliseconds until a view that takes nothing is given up, when everything else is over. */
const PATIENCE = 5_000;

/**
 * Has a view look on while something else is done that must not suffer from it, such as a
 * recording: what the view does not take in time is left out, and whatever becomes of the view,
 * the rest goes on.
 */
export class BesideViewer implements Viewer {
  /** There where the view's is: whoever looks has keys. Nobody seeks while this looks on. */
  readonly jump?: (to: number) => Promise<void>;
  readonly tell?: (line: string) => void;
  readonly showStatus?: (line: string) => void;
  #viewer: Viewer;
  #options: Required<BesideOptions>;
  #queue = new FrameQueue();
  /** Settled when the view is done with all that it gets. */
  #looking: Promise<void> = Promise.resolve();
  #gone = false;

  constructor(viewer: Viewer, { tell = () => {}, patience = PATIENCE }: BesideOptions = {}) {
    this.#viewer = viewer;
    this.#options = { tell, patience };
    // Who has the terminal is told by these being there.
    if (viewer.jump !== undefined) this.jump = () => Promise.resolve();
    if (viewer.tell !== undefined) this.tell = (line) => viewer.tell?.(line);
    if (viewer.showStatus !== undefined) this.showStatus = (line) => viewer.showStatus?.(line);
  }

  async begin(presentation: Presentation): Promise<void> {
    this.#queue = new FrameQueue(presentation.streams, { raw: presentation.encoding === "raw" });
    await this.#attempt(() => this.#viewer.begin(presentation));
    if (!this.#gone) this.#looking = this.#look();
  }

  /** Never waits, and never fails. */
  show(frame: Frame): Promise<boolean> {
    if (!this.#gone) this.#queue.push(frame);
    return Promise.resolve(!this.#gone);
  }

  async finish(whole: boolean): Promise<string | undefined> {
    this.#queue.end();
    await this.#drained();
    if (!this.#gone) {
      await this.#attempt(async () => {
        await this.#viewer.finish(whole);
      });
    }
    const { dropped } = this.#queue;
    if (dropped === 0) return undefined;
    return `the view left out ${dropped} frame${dropped === 1 ? "" : "s"}`;
  }

  pause(paused: boolean): void {
    this.#viewer.pause?.(paused);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#gone = true;
    this.#queue.end();
    await this.#viewer[Symbol.asyncDispose]();
    await this.#looking;
  }

  /** Hands the view one frame after the other, as it takes them. */
  async #look(): Promise<void> {
    for await (const frame of this.#queue) {
      if (this.#gone) return;
      await this.#attempt(async () => {
        if (!await this.#viewer.show(frame)) this.#lose("The view is closed");
      });
    }
  }

  /** Waits until the view has taken what it still has to get, for as long as it takes anything. */
  async #drained(): Promise<void> {
    while (!this.#gone) {
      const length = this.#queue.length;
      const over = Promise.withResolvers<"late">();
      using _limit = deadline(this.#options.patience, () => over.resolve("late"));
      const outcome = await Promise.race([this.#looking, over.promise]);
      if (outcome !== "late") return;
      if (this.#queue.length < length) continue;
      this.#lose("The view took nothing any more, and was closed");
      await this.#viewer[Symbol.asyncDispose]();
    }
    await this.#looking;
  }

  async #attempt(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.#lose(messageOf(error));
    }
  }

  #lose(reason: string): void {
    // Who gave it up already knows why.
    if (!this.#gone) this.#options.tell(`${reason}; the recording goes on`);
    this.#gone = true;
  }
}
