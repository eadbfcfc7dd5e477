/** Caches how recent responses started, so that the same request starts while FFmpeg does. */
import { RequestError } from "../../base/errors.ts";
import type { Pacer } from "../../media/pacer.ts";
import type { FrameSource } from "../../media/source.ts";
import { changeOf, isSettled } from "../file/file_state.ts";
import type { MediaFile } from "../file/library.ts";
import type { MediaOptions } from "../file/plan.ts";
import { ReplayedSource, StartRecorder } from "./cached_source.ts";
import { StartStore } from "./store.ts";

/** The file and the options that identify a response. */
export interface ResponseParts {
  file: MediaFile;
  options: MediaOptions;
}

/** How a response is opened. */
export interface Opening {
  /** Opens the file; the signal, if any, cancels that. */
  open: (signal?: AbortSignal) => Promise<FrameSource>;
  /** Paces the frames of the response. */
  pacer: Pick<Pacer, "lateness" | "postpone">;
}

/** The start-up cache of a server. */
export class StartCache {
  #store: StartStore;
  #onHit: () => void;

  /**
   * @param size bytes that it may take; 0 to cache nothing
   * @param onHit called whenever a response starts from the cache
   */
  constructor(size: number, onHit: () => void = () => {}) {
    this.#store = new StartStore(size);
    this.#onHit = onHit;
  }

  /** Bytes in use. */
  get taken(): number {
    return this.#store.taken;
  }

  /** Returns a response that is cached whole, so that nothing has to be decoded for it. */
  whole({ file, options }: ResponseParts): FrameSource | undefined {
    const key = keyOf(file, options);
    const stored = key === undefined ? undefined : this.#store.take(key);
    if (stored?.start.isWhole) {
      this.#onHit();
      return new ReplayedSource(stored);
    }
    stored?.[Symbol.dispose]();
  }

  /**
   * Opens a response: with its cached start, or so that its start is recorded.
   *
   * @throws the error of the opening if no start is cached
   */
  async open({ file, options }: ResponseParts, { open, pacer }: Opening): Promise<FrameSource> {
    const { state } = file;
    const key = keyOf(file, options);
    if (state === undefined || key === undefined) return await open();
    const stored = this.#store.take(key);
    if (stored !== undefined) {
      this.#onHit();
      return new ReplayedSource(
        stored,
        stored.start.isWhole ? undefined : {
          name: file.name,
          open: async (signal) => await refuseChanged(file, await open(signal)),
          onMismatch: () => this.#store.refuse(key),
          // If FFmpeg starts slowly, the frames that follow do not count as late.
          onWait: (due, seconds) => {
            pacer.postpone(Math.min(seconds, Math.max(0, pacer.lateness(due))));
          },
        },
      );
    }
    const source = await open();
    const recording = this.#store.record(key);
    if (recording !== undefined) {
      source.tap = new StartRecorder(source, recording, () => isSettled(file.path, state));
    }
    return source;
  }
}

/** Returns the continuation of a cached start, unless the file has changed since. */
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

/** Key of a response: the file's state and all options. */
function keyOf({ path, state }: MediaFile, options: MediaOptions): string | undefined {
  if (state === undefined) return undefined;
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const sorted = given.sort(([a], [b]) => a < b ? -1 : 1);
  return JSON.stringify([path, state.identity, state.stamp, sorted]);
}
