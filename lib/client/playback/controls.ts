/** Pausing, seeking and quitting, as control messages to the server. */
import { deadline } from "../../base/async.ts";
import type { Description } from "../../media/frame.ts";
import type { Control } from "../../protocol/native/request.ts";
import type { PlayAction } from "../../sinks/sink.ts";
import type { MediaResponse } from "../../protocol/media_response.ts";

/** Seconds that the keys seek by, as in most players. */
const STEPS: Partial<Record<PlayAction, number>> = {
  back: -10,
  forward: 10,
  far_back: -60,
  far_forward: 60,
};

/** Seconds before the end at which seeking forward stops. */
const END_MARGIN = 1;

/** Milliseconds that the server has to end the response after a stop. */
const STOP_TIMEOUT = 2_000;

/** Options of {@linkcode PlayerControls}. */
export interface PlayerControlsOptions {
  /** Media is recorded: seeking, which would spoil the file, is refused. */
  recording: boolean;
  /** Requested start and duration, in seconds. */
  part?: { start?: number; duration?: number };
  /** The media repeats. */
  loop?: boolean;
  /** Shows a line to the user. */
  notify: (line: string) => void;
  /** Called when the user pauses or resumes. */
  onPause?: (paused: boolean) => void;
  /**
   * Called with the position in the media when the user asks for it, pauses or seeks.
   *
   * @param position seconds
   * @param duration seconds of the media, if they are known
   */
  onPosition?: (position: number, duration: number | undefined) => void;
  /** Milliseconds that the server has to end the response after a stop. @default 2_000 */
  stopTimeout?: number;
}

/** Turns the user's actions into the control messages of one response. */
export class PlayerControls implements Disposable {
  #options: PlayerControlsOptions;
  #response: MediaResponse | undefined;
  #description: Description | undefined;
  #paused = false;
  #quit = new AbortController();
  #stopDeadline: Disposable | undefined;
  /** Timestamp of the newest frame, seconds. */
  #position = 0;
  /** Positions of the seeks under way, by id. */
  #targets = new Map<number, number>();
  #lastId = 0;

  constructor(options: PlayerControlsOptions) {
    this.#options = options;
  }

  /** Whether the user has quit. */
  get quitting(): boolean {
    return this.#quit.signal.aborted;
  }

  /** Fires when the user quits. */
  get signal(): AbortSignal {
    return this.#quit.signal;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Sets the response to control. */
  attach(response: MediaResponse, description: Description): void {
    this.#response = response;
    this.#description = description;
    if (this.quitting) this.#stop();
  }

  /** @param position timestamp of the newest frame, seconds */
  moved(position: number): void {
    this.#position = position;
  }

  /**
   * Takes the server's reply to a seek.
   *
   * @returns timestamp from which media goes on, seconds
   */
  arrived({ to, id }: Control): number {
    for (const sent of this.#targets.keys()) {
      if (typeof id !== "number" || sent <= id) this.#targets.delete(sent);
    }
    this.#position = (typeof to === "number" ? to : 0) - this.#start;
    return this.#position;
  }

  /** Carries out an action of the user. */
  act(action: PlayAction): void {
    if (action === "quit") return this.quit();
    if (this.#description === undefined || this.quitting) return;
    if (action === "pause") this.#togglePause();
    else if (action === "position") this.#reportPosition();
    else this.#seekBy(STEPS[action] ?? 0);
  }

  /** Ends the play in good order: the server gets a stop, and some time to end the response. */
  quit(): void {
    if (this.quitting) return;
    this.#quit.abort();
    this.#stop();
  }

  /** Resumes from a pause, since a sink notices only at the next frame that it has been closed. */
  wake(): void {
    if (this.#paused && !this.quitting) this.#togglePause();
  }

  [Symbol.dispose](): void {
    this.#stopDeadline?.[Symbol.dispose]();
  }

  #stop(): void {
    const response = this.#response;
    if (response === undefined) return;
    if (response.control === undefined) return response.abandon?.();
    const { stopTimeout = STOP_TIMEOUT } = this.#options;
    this.#stopDeadline = deadline(stopTimeout, () => response.abandon?.());
    this.#send({ action: "stop" });
  }

  #togglePause(): void {
    if (this.#response?.control === undefined) {
      return this.#notify("Cannot pause what a script sends");
    }
    this.#paused = !this.#paused;
    this.#send({ action: this.#paused ? "pause" : "resume" });
    this.#options.onPause?.(this.#paused);
    if (this.#paused) this.#reportPosition();
  }

  #seekBy(seconds: number): void {
    if (this.#options.recording) return this.#notify("Cannot seek while recording");
    if (this.#response?.control === undefined) {
      return this.#notify("Cannot seek in what a script sends");
    }
    if (this.#description?.live) return this.#notify("Cannot seek in live media");
    const end = this.#end;
    const from = this.#current;
    const last = end === undefined ? Infinity : Math.max(from, end - END_MARGIN);
    const to = Math.max(this.#start, Math.min(from + seconds, last));
    const id = ++this.#lastId;
    this.#targets.set(id, to);
    this.#send({ action: "seek", to, id });
    this.#reportPosition();
  }

  #reportPosition(): void {
    this.#options.onPosition?.(this.#current, this.#description?.duration);
  }

  /** Position in the media, seconds: that of the newest frame, or of the seek under way. */
  get #current(): number {
    const sought = [...this.#targets.values()].at(-1);
    if (sought !== undefined) return sought;
    const start = this.#start;
    const end = this.#end ?? start;
    // Timestamps of a loop go on; each round begins at the end of the one before.
    const isRepeated = this.#options.loop && end > start;
    return start + (isRepeated ? this.#position % (end - start) : this.#position);
  }

  /** Position in the media of timestamp 0, seconds. */
  get #start(): number {
    return this.#options.part?.start ?? 0;
  }

  /** Position in the media at which the play ends, seconds; `undefined` if unknown. */
  get #end(): number | undefined {
    const end = Math.min(
      this.#description?.duration ?? Infinity,
      this.#start + (this.#options.part?.duration ?? Infinity),
    );
    return end === Infinity ? undefined : end;
  }

  #notify(line: string): void {
    this.#options.notify(line);
  }

  #send(control: Control): void {
    // A lost connection is reported by the reader of the response.
    this.#response?.control?.(control).catch(() => {});
  }
}
