/** Video and audio in a window of mpv or ffplay. */
import { MissingProgramError, ProcessError } from "../../base/errors.ts";
import type { InstalledFfmpeg } from "../../ffmpeg/version.ts";
import type { Frame } from "../../media/frame.ts";
import { Cues } from "../../media/subtitles.ts";
import type { Presentation, Sink } from "../sink.ts";
import { openFfplay } from "./ffplay.ts";
import { hasMpv, openMpv } from "./mpv.ts";
import type { OpenPlayer, Player, PlayerOptions, Screen } from "./player.ts";

/** Options of {@linkcode WindowSink}. */
export interface WindowOptions extends Omit<PlayerOptions, "onShown"> {
  /** Starts the program that shows the window; rejected if there is none. */
  player: Promise<OpenPlayer>;
  onClosed?: () => void;
  /** Shows a line to the user. */
  notify?: (line: string) => void;
}

/** Said if subtitles come for a player that shows none. */
const NO_TEXT = "Subtitles are not shown: a window of ffplay has none, one of mpv does";

/** A window of mpv or ffplay: video and audio in sync. */
export class WindowSink implements Sink {
  #player: Player | undefined;
  #presentation: Presentation | undefined;
  #cues = new Cues();
  /** The text that shows. */
  #text = "";
  /** The player shows no text, which the user knows. */
  #isTextMissed = false;
  /** The output is being ended, so that the player may exit. */
  #finishing = false;
  #failure: unknown;
  #options: WindowOptions;

  constructor(options: WindowOptions) {
    this.#options = options;
  }

  async begin(presentation: Presentation): Promise<void> {
    this.#presentation = presentation;
    const open = await this.#options.player;
    const onShown = (time: number) => this.#showText(time);
    this.#player = await open(presentation, { ...this.#options, onShown });
    this.#listen(this.#player);
  }

  async show(frame: Frame): Promise<boolean> {
    return await this.#guarded(async () => await this.#player?.process.write(frame) ?? false);
  }

  /** Shows text from one time to another, if the player can. */
  subtitle(text: string, start: number, end: number): void {
    this.#cues.add({ text, start, end });
    if (this.#player?.showText !== undefined || this.#isTextMissed) return;
    this.#isTextMissed = true;
    this.#options.notify?.(NO_TEXT);
  }

  async jump(to: number): Promise<void> {
    this.#cues.clear();
    await this.#player?.jump(to);
  }

  pause(paused: boolean): void {
    this.#player?.pause(paused);
  }

  showBriefly(text: string): void {
    if (!this.#presentation?.still) this.#player?.showBriefly?.(text);
  }

  /** Waits until all is shown, or an image's window is closed. */
  async finish(whole: boolean): Promise<undefined> {
    this.#finishing = true;
    if (!whole && this.#failure === undefined) return;
    await this.#guarded(async () => {
      await this.#player?.process.finish();
      return true;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#finishing = true;
    await this.#player?.[Symbol.asyncDispose]();
  }

  /** Shows the text that belongs to what shows: frames come earlier, as long as the player starts. */
  #showText(time: number): void {
    const text = this.#cues.at(time);
    if (text !== this.#text) this.#player?.showText?.(text);
    this.#text = text;
  }

  /** Reports when the player exits unexpectedly. */
  async #listen({ process }: Player): Promise<void> {
    try {
      await process.finished();
    } catch (error) {
      if (!this.#options.signal.aborted && !this.#finishing) this.#failure = error;
    }
    if (!this.#options.signal.aborted && !this.#finishing) this.#options.onClosed?.();
  }

  async #guarded(action: () => Promise<boolean>): Promise<boolean> {
    try {
      return await action();
    } catch (error) {
      if (this.#options.signal.aborted && this.#failure === undefined) return false;
      if (!(error instanceof ProcessError)) throw error;
      const reason = this.#player?.reasonOf(error);
      const what = this.#presentation?.still ? "the image" : "the video";
      throw new Error(`Cannot show ${what} in a window: ${reason}; try --view terminal`, {
        cause: error,
      });
    }
  }
}

/**
 * Finds the program that shows windows: mpv, or else ffplay.
 *
 * @throws {MissingProgramError} if neither is installed
 * @throws {Error} if ffplay is too old
 */
export async function findPlayer(
  installed: InstalledFfmpeg,
  screen: Screen,
): Promise<OpenPlayer> {
  if (await hasMpv(installed, screen)) return openMpv;
  try {
    await installed.version("ffplay");
    return openFfplay;
  } catch (cause) {
    if (!(cause instanceof MissingProgramError || cause instanceof ProcessError)) throw cause;
    const install = "apt install mpv, dnf install mpv, brew install mpv";
    const message = "Cannot open a window: neither mpv nor ffplay is installed, or in PATH; " +
      `install mpv with your package manager (${install}), or try --view terminal`;
    throw new MissingProgramError(message, { cause });
  }
}
