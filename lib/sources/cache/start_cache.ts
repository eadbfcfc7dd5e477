import { RequestError } from "../../base/errors.ts";
import type { Pacer } from "../../media/pacer.ts";
import type { FrameSource } from "../../media/source.ts";
import { changeOf, isSettled } from "../file/file_state.ts";
import type { MediaFile } from "../file/library.ts";
import type { MediaOptions } from "../file/plan.ts";
import { RecordedSource, ReplayedSource } from "./cached_source.ts";
import { StartStore } from "./store.ts";

/** What an answer is made of. */
export interface ResponseParts {
  file: MediaFile;
  options: MediaOptions;
}

/** How an answer that is not known is made. */
export interface Opening {
  /** Opens the file; the signal, where there is one, says that nobody wants it any more. */
  open: (signal?: AbortSignal) => Promise<FrameSource>;
  /** What the frames are sent by. */
  pacer: Pick<Pacer, "lateness" | "postpone">;
}

/**
 * Remembers how recent answers began, so that the same request again begins at once, while FFmpeg
 * starts: that takes longer than all else.
 */
export class StartCache {
  #cache: StartStore;
  #onHit: () => void;

  /**
   * @param size bytes that all of it may take; 0 to remember nothing
   * @param onHit told whenever an answer begins with what is remembered
   */
  constructor(size: number, onHit: () => void = () => {}) {
    this.#cache = new StartStore(size);
    this.#onHit = onHit;
  }

  /** Bytes that it takes now. */
  get taken(): number {
    return this.#cache.taken;
  }

  /** Gives an answer where all of it is remembered; nothing has to be decoded for it. */
  whole({ file, options }: ResponseParts): FrameSource | undefined {
    const key = keyOf(file, options);
    const held = key === undefined ? undefined : this.#cache.take(key);
    if (held?.head.isWhole) {
      this.#onHit();
      return new ReplayedSource(held);
    }
    held?.[Symbol.dispose]();
  }

  /**
   * Opens an answer: with its beginning out of memory where that is remembered, else so that it is.
   *
   * @throws whatever the opening throws where nothing is remembered
   */
  async open({ file, options }: ResponseParts, { open, pacer }: Opening): Promise<FrameSource> {
    const { state } = file;
    const key = keyOf(file, options);
    if (state === undefined || key === undefined) return await open();
    const held = this.#cache.take(key);
    if (held !== undefined) {
      this.#onHit();
      return new ReplayedSource(
        held,
        held.head.isWhole ? undefined : {
          name: file.name,
          open: async (unwanted) => await refuseChanged(file, await open(unwanted)),
          onOther: () => this.#cache.refuse(key),
          // FFmpeg may be slow to come to its first frame; what follows is not late for that.
          onWait: (due, seconds) => {
            pacer.postpone(Math.min(seconds, Math.max(0, pacer.lateness(due))));
          },
        },
      );
    }
    const source = await open();
    const recording = this.#cache.record(key);
    if (recording === undefined) return source;
    return new RecordedSource(source, recording, () => isSettled(file.path, state));
  }
}

/** Gives what was opened behind a head, unless it may be of another file than the head is. */
async function refuseChanged(
  { name, path, state }: MediaFile,
  source: FrameSource,
): Promise<FrameSource> {
  const change = state && await changeOf(path, state);
  if (change === undefined) return source;
  await source[Symbol.asyncDispose]();
  throw new RequestError(
    "media_error",
    `Cannot go on with "${name}": the file ${change.what} while it was sent, ask again`,
  );
}

/** What stands for an answer: the very state of the file, and all that is wanted of it. */
function keyOf({ path, state }: MediaFile, options: MediaOptions): string | undefined {
  if (state === undefined) return undefined;
  const wanted = Object.entries(options).filter(([, value]) => value !== undefined);
  const sorted = wanted.sort(([a], [b]) => a < b ? -1 : 1);
  return JSON.stringify([path, state.identity, state.stamp, sorted]);
}
