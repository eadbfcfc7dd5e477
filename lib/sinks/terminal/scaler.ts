/** Scales raw pictures to the terminal. */
import type { VideoStream } from "../../media/frame.ts";
import { PictureConverter } from "./decoder.ts";
import type { Layout, RenderMode } from "./render_mode.ts";

/** Options of {@linkcode PictureScaler}. */
export interface PictureScalerOptions {
  /** Raw video stream; timestamps are made here. */
  video: VideoStream;
  mode: RenderMode;
  /** Filters in front of the scaling. */
  filters: readonly string[];
  layout: () => Layout;
  /** Takes each scaled picture, in memory that is reused for the next. */
  onPicture: (picture: Uint8Array, layout: Layout) => void;
  signal?: AbortSignal;
}

interface Stage {
  converter: PictureConverter;
  layout: Layout;
  /** Pictures written to it. */
  count: number;
}

/**
 * Scales raw pictures to the terminal with FFmpeg, which is restarted if the size changes. If
 * pictures come too fast, only the newest is scaled; the last one is kept to be scaled again.
 */
export class PictureScaler implements AsyncDisposable {
  #options: PictureScalerOptions;
  #stage: Stage | undefined;
  #newest: Uint8Array<ArrayBuffer> | undefined;
  /** The picture that was scaled last, or is being scaled. */
  #last: Uint8Array<ArrayBuffer> | undefined;
  #spare: Uint8Array<ArrayBuffer> | undefined;
  #skipped = 0;
  #mustRedraw = false;
  #finishing = false;
  #wake = Promise.withResolvers<void>();
  #running: Promise<void>;

  constructor(options: PictureScalerOptions) {
    this.#options = options;
    this.#stage = this.#start(options.layout());
    this.#running = this.#run();
    // Callers get the failure from {@linkcode done}.
    this.#running.catch(() => {});
  }

  /** Pictures replaced by newer ones before they were scaled. */
  get skipped(): number {
    return this.#skipped;
  }

  /** Settles when all pictures are out; rejects if FFmpeg fails. */
  get done(): Promise<void> {
    return this.#running;
  }

  /**
   * Takes a picture, with its memory.
   *
   * @returns memory for the next picture, if there is any
   */
  put(picture: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> | undefined {
    const free = this.#newest ?? this.#spare;
    if (this.#newest === undefined) this.#spare = undefined;
    else this.#skipped++;
    this.#newest = picture;
    this.#wake.resolve();
    return free;
  }

  /** Checks the size again. */
  refresh(): void {
    this.#wake.resolve();
  }

  /** Scales the last picture once more. */
  redraw(): void {
    this.#mustRedraw = true;
    this.#wake.resolve();
  }

  /** Waits until all pictures are out. */
  async finish(): Promise<void> {
    this.#finishing = true;
    this.#wake.resolve();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#finishing = true;
    this.#newest = undefined;
    await this.#close();
    this.#wake.resolve();
    await this.#running.catch(() => {});
  }

  async #run(): Promise<void> {
    while (true) {
      this.#wake = Promise.withResolvers();
      const redraw = await this.#follow() || this.#mustRedraw;
      this.#mustRedraw = false;
      if (this.#newest !== undefined) {
        if (this.#last !== undefined) this.#spare = this.#last;
        this.#last = this.#newest;
        this.#newest = undefined;
        if (!await this.#write(this.#last)) return;
      } else if (redraw && this.#last !== undefined) {
        if (!await this.#write(this.#last)) return;
      } else if (this.#finishing) {
        break;
      } else {
        await this.#wake.promise;
      }
    }
    await this.#stage?.converter.finish();
  }

  /**
   * Restarts FFmpeg if the size has changed.
   *
   * @returns whether it has
   */
  async #follow(): Promise<boolean> {
    const layout = this.#options.layout();
    if (this.#finishing || this.#stage === undefined || isSame(this.#stage.layout, layout)) {
      return false;
    }
    await this.#close();
    if (this.#finishing) return false;
    this.#stage = this.#start(layout);
    return true;
  }

  async #write(data: Uint8Array<ArrayBuffer>): Promise<boolean> {
    const stage = this.#stage;
    if (stage === undefined) return false;
    // Counted, so that they never decrease after a seek.
    const timestamp = stage.count++;
    const { id } = this.#options.video;
    return await stage.converter.write({ streamId: id, timestamp, keyframe: true, data });
  }

  #start(layout: Layout): Stage {
    const { video, mode, filters, signal, onPicture } = this.#options;
    const { width, height } = layout.pixels;
    const converter = new PictureConverter({
      video: { ...video, timeBase: [1, 25] },
      filters: [...filters, `scale=${width}:${height}:flags=area`, ...mode.filters],
      size: mode.bytes(layout.pixels),
      onPicture: (picture) => onPicture(picture, layout),
      signal,
    });
    return { converter, layout, count: 0 };
  }

  async #close(): Promise<void> {
    const stage = this.#stage;
    await stage?.converter[Symbol.asyncDispose]();
    if (this.#stage === stage) this.#stage = undefined;
  }
}

function isSame(one: Layout, other: Layout): boolean {
  return one.pixels.width === other.pixels.width && one.pixels.height === other.pixels.height &&
    one.cells.width === other.cells.width && one.cells.height === other.cells.height;
}
