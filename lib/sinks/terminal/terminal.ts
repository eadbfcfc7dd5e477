import { settlesWithin } from "../../base/async.ts";
import { OutputClosedError, ProcessError } from "../../base/errors.ts";
import { printable } from "../../base/log.ts";
import { type Frame, toSeconds, type VideoStream } from "../../media/frame.ts";
import { Cues } from "../../media/subtitles.ts";
import { reasonOf } from "../ffmpeg_process.ts";
import { shownFilters, turned, videoOf } from "../filters.ts";
import type { Presentation, Sink } from "../sink.ts";
import {
  isCompleteReply,
  parseReplies,
  QUERY,
  REPLIES,
  type Terminal,
  type TerminalKeyboard,
} from "./capabilities.ts";
import {
  decodedStream,
  PausedPicture,
  type PictureConverter,
  type PictureDecoderOptions,
  shownSize,
  startDecoder,
} from "./decoder.ts";
import {
  chooseRenderMode,
  type Layout,
  type RenderMode,
  type RenderModeOptions,
} from "./render_mode.ts";
import { watchTerminal } from "./restore.ts";
import { PictureScaler } from "./scaler.ts";
import { TerminalScreen } from "./screen.ts";

/**
 * Milliseconds in which a terminal has to reply to queries, also over a slow connection. Nearly all
 * terminals reply to the last one, so only few users wait; a recording beside it waits as well, and
 * its queue keeps four seconds.
 */
const PATIENCE = 3000;

/** Milliseconds in which the last picture of a video has to be drawn. */
const LAST_PICTURE = 3000;

const HINT = "space: pause   left/right: 10 s   up/down: 60 s   q: quit";

/** Draws pictures in a terminal, in the best mode that it supports. Audio is dropped. */
export class TerminalSink implements Sink {
  #terminal: Terminal;
  #keyboard: TerminalKeyboard | undefined;
  #presentation: Presentation | undefined;
  #video: VideoStream | undefined;
  /** Output of the decoder, for encoded video. */
  #decoded: VideoStream | undefined;
  #decoder: PictureConverter | undefined;
  #scaler: PictureScaler | undefined;
  #mode: RenderMode | undefined;
  #screen: TerminalScreen | undefined;
  #latest: LatestPicture | undefined;
  #watch: Disposable | undefined;
  #suspended: Disposable | undefined;
  #paused = false;
  #preview: PausedPicture | undefined;
  /** Memory for the next raw picture. */
  #memory: Uint8Array<ArrayBuffer> | undefined;
  #cues = new Cues();
  /** Notices from before there was a screen. */
  #early: string[] = [];
  #failure: unknown;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  async begin(presentation: Presentation): Promise<void> {
    const { streams, still, encoding, toneMap } = presentation;
    const video = videoOf(streams);
    if (video === undefined) {
      throw new Error(
        "Cannot show sound in a terminal: expected --view window, --view browser or --output FILE",
      );
    }
    const { size, forced: signal } = this.#terminal;
    await this.#end();
    const mode = this.#mode ?? await this.#open({ still });
    const latest = this.#latest;
    this.#presentation = presentation;
    this.#video = video;
    const isRaw = encoding === "raw";
    const raw = isRaw ? video : decodedStream(video, mode);
    const shown = shownSize(turned(video));
    const scaler = new PictureScaler({
      video: raw,
      filters: isRaw ? shownFilters(video, { toneMap, size: decodedStream(video, mode) }) : [],
      layout: () => {
        const { columns, rows } = size();
        // The last row is for text, or stays empty: a full one would scroll.
        return mode.fit(shown, { width: columns, height: rows - 1 });
      },
      onPicture: (picture, layout) => latest?.put(picture, layout),
      ...{ mode, signal },
    });
    this.#scaler = scaler;
    scaler.done.catch((error) => this.#scaler === scaler ? this.#fail(error) : undefined);
    if (!isRaw) {
      this.#decoded = raw;
      this.#decoder = this.#decode();
    }
  }

  /** Opens the screen. */
  async #open({ still }: Pick<Presentation, "still">): Promise<RenderMode> {
    const { write, writeNow, size, isTerminal = false, settings } = this.#terminal;
    this.#keyboard = await this.#terminal.keyboard?.();
    const mode = await chooseRenderMode(await this.#renderModeOptions());
    const screen = new TerminalScreen({
      ...{ write, writeNow, size, mode, inline: still },
      guarded: isTerminal && Deno.build.os !== "windows",
      settings: settings?.(),
    });
    this.#mode = mode;
    this.#screen = screen;
    this.#latest = new LatestPicture((picture, layout) => screen.draw(picture, layout));
    this.#latest.failed.then((error) => this.#fail(error));
    if (!still && this.#keyboard !== undefined) screen.notify(HINT);
    this.#early.splice(0).forEach((line) => screen.notify(line));
    if (isTerminal && !still) this.#watch = this.#follow(screen);
    return mode;
  }

  /** Ends what belongs to the streams so far; the screen stays. */
  async #end(): Promise<void> {
    const [decoder, scaler] = [this.#decoder, this.#scaler];
    this.#decoder =
      this.#scaler =
      this.#decoded =
      this.#preview =
      this.#memory =
        undefined;
    await decoder?.[Symbol.asyncDispose]();
    await scaler?.[Symbol.asyncDispose]();
  }

  async show(frame: Frame): Promise<boolean> {
    const [scaler, video] = [this.#scaler, this.#video];
    if (frame.streamId !== video?.id || scaler === undefined) return true;
    const text = this.#cues.at(toSeconds(frame.timestamp, video.timeBase));
    this.#screen?.showSubtitle(printable(text.replaceAll("\n", "  ")));
    return await this.#guarded(async () => {
      this.#scaler?.refresh();
      if (this.#decoder !== undefined) {
        await this.#preview?.add(frame);
        return await this.#decoder.write(frame);
      }
      const { byteLength } = frame.data;
      const memory = this.#memory?.byteLength === byteLength
        ? this.#memory
        : new Uint8Array(byteLength);
      memory.set(frame.data);
      this.#memory = scaler.put(memory);
      return true;
    });
  }

  /** Shows a text in the row below the picture. */
  subtitle(text: string, start: number, end: number): void {
    this.#cues.add({ text, start, end });
  }

  /** Restarts the decoder at another position. */
  async jump(to: number): Promise<void> {
    this.#cues.clear();
    if (this.#decoder === undefined) return;
    await this.#decoder[Symbol.asyncDispose]();
    this.#decoder = this.#decode(to);
    const options = this.#paused ? this.#decoderOptions(to) : undefined;
    this.#preview = options && new PausedPicture({ ...options, from: to });
  }

  /** Shows a notice below the picture for a while. */
  notify(line: string): void {
    if (this.#screen === undefined) this.#early.push(line);
    else this.#screen.notify(line);
  }

  /** Shows the progress below the picture. */
  showStatus(line: string): void {
    const skipped = (this.#scaler?.skipped ?? 0) + (this.#latest?.skipped ?? 0);
    this.#screen?.showStatus(skipped === 0 ? line : `${line}  ${skipped} not drawn`);
  }

  /** Shows the status, which tells whether playback is paused. */
  pause(paused: boolean): void {
    this.#paused = paused;
    this.#preview = undefined;
    this.#screen?.clearNotice();
  }

  async finish(whole: boolean): Promise<undefined> {
    await this.#guarded(async () => {
      if (!whole && this.#presentation?.still !== true) return true;
      await this.#decoder?.finish();
      await this.#scaler?.finish();
      await this.#latest?.finish(this.#presentation?.still ? undefined : LAST_PICTURE);
      return true;
    });
    await this.#leave();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#decoder?.[Symbol.asyncDispose]();
    await this.#scaler?.[Symbol.asyncDispose]();
    await this.#leave();
  }

  /** Queries the terminal's capabilities, if it may be queried. */
  async #renderModeOptions(): Promise<RenderModeOptions> {
    const { style = "truecolour", canBeQueried, isTerminal, size, write, passesSixel, signal } =
      this.#terminal;
    const id = crypto.getRandomValues(new Uint32Array(1))[0] || 1;
    if (!canBeQueried || !isTerminal || this.#keyboard === undefined) return { style, id };
    const reply = await this.#keyboard.ask(() => {
      // A terminal that takes no text does not reply either; drawing reports it.
      write(QUERY).catch(() => {});
    }, { isWhole: isCompleteReply, replies: REPLIES, patience: PATIENCE, signal });
    const capabilities = parseReplies(reply, size());
    if (capabilities.graphics === "sixel" && !(await passesSixel?.() ?? true)) {
      return { style, id, capabilities: { ...capabilities, graphics: undefined } };
    }
    return { style, id, capabilities };
  }

  #decode(from?: number): PictureConverter | undefined {
    const options = this.#decoderOptions(from);
    return options && startDecoder(options);
  }

  #decoderOptions(from?: number): PictureDecoderOptions | undefined {
    const { still, lead = 0, toneMap } = this.#presentation ?? {};
    const [video, decoded] = [this.#video, this.#decoded];
    if (video === undefined || decoded === undefined) return undefined;
    return {
      ...{ video, decoded, lead, toneMap },
      from: from ?? (lead > 0 && !still ? 0 : undefined),
      onPicture: (picture) => this.#scaler?.put(picture) ?? new Uint8Array(picture.byteLength),
      signal: this.#terminal.forced,
    };
  }

  /**
   * Redraws when the terminal's size changes, and leaves the screen while the program is stopped.
   */
  #follow(screen: TerminalScreen): Disposable {
    return watchTerminal({
      onFailure: () => screen.leaveNow(),
      onResize: () => {
        screen.invalidate();
        this.#scaler?.redraw();
      },
      onStop: async () => {
        await screen.suspend();
        this.#suspended ??= this.#keyboard?.rest();
      },
      onContinue: () => {
        this.#suspended?.[Symbol.dispose]();
        this.#suspended = undefined;
        screen.resume();
        this.#scaler?.redraw();
      },
    });
  }

  async #leave(): Promise<void> {
    this.#watch?.[Symbol.dispose]();
    this.#watch = undefined;
    this.#latest?.stop();
    await this.#screen?.leave();
  }

  /** Ends FFmpeg, since nothing can be drawn. */
  async #fail(error: unknown): Promise<void> {
    this.#failure ??= error;
    await this.#decoder?.[Symbol.asyncDispose]();
    await this.#scaler?.[Symbol.asyncDispose]();
  }

  async #guarded(action: () => Promise<boolean>): Promise<boolean> {
    try {
      const done = await action();
      if (this.#failure === undefined) return done;
    } catch (error) {
      if (!(error instanceof ProcessError)) throw error;
      this.#failure ??= error;
    }
    // The reader has closed the pipe.
    if (this.#failure instanceof OutputClosedError) return false;
    if (!(this.#failure instanceof ProcessError)) throw this.#failure;
    throw new Error(`Cannot draw in the terminal: ${reasonOf(this.#failure)}`, {
      cause: this.#failure,
    });
  }
}

/** Draws pictures one at a time; while one is drawn, only the newest of the others waits. */
export class LatestPicture {
  #draw: (picture: Uint8Array, layout: Layout) => Promise<void>;
  #newest: { picture: Uint8Array; layout: Layout } | undefined;
  #drawing: Promise<void> | undefined;
  #skipped = 0;
  #stopped = false;
  #failed = Promise.withResolvers<unknown>();

  /** @param draw draws a picture; resolves when the next may be drawn */
  constructor(draw: (picture: Uint8Array, layout: Layout) => Promise<void>) {
    this.#draw = draw;
  }

  /** Pictures replaced by newer ones before they were drawn. */
  get skipped(): number {
    return this.#skipped;
  }

  /** Resolves with the error if drawing fails. */
  get failed(): Promise<unknown> {
    return this.#failed.promise;
  }

  /** Copies a picture to draw it next. */
  put(picture: Uint8Array, layout: Layout): void {
    if (this.#stopped) return;
    if (this.#newest !== undefined) this.#skipped++;
    this.#newest = { picture: picture.slice(), layout };
    this.#drawing ??= this.#run();
  }

  /**
   * Waits until all pictures are drawn.
   *
   * @param patience milliseconds to wait at most; without it, as long as it takes
   */
  async finish(patience?: number): Promise<void> {
    const drawing = this.#drawing ?? Promise.resolve();
    if (patience === undefined) await drawing;
    else await settlesWithin(drawing, patience);
  }

  stop(): void {
    this.#stopped = true;
    this.#newest = undefined;
  }

  async #run(): Promise<void> {
    try {
      while (this.#newest !== undefined) {
        const { picture, layout } = this.#newest;
        this.#newest = undefined;
        await this.#draw(picture, layout);
      }
    } catch (error) {
      this.stop();
      this.#failed.resolve(error);
    }
    this.#drawing = undefined;
  }
}
