import { deadline } from "../../base/async.ts";
import type { Description } from "../../media/frame.ts";
import type { Control } from "../../protocol/native/request.ts";
import type { PlayAction } from "../../sinks/sink.ts";
import type { MediaResponse } from "../request/response.ts";

/** Seconds that the arrow keys go, as in most players. */
const STEPS: Partial<Record<PlayAction, number>> = {
  back: -10,
  forward: 10,
  far_back: -60,
  far_forward: 60,
};

/** Seconds before the end that one gets to by going forward. */
const LAST_SECOND = 1;

/** Milliseconds that the server has to answer a stop. */
const FAREWELL = 2_000;

/** What {@linkcode PlayerControls} has to know. */
export interface PlayerControlsOptions {
  /** It is recorded, so that leaving parts out, or taking them twice, would spoil it. */
  recording: boolean;
  /** Seconds from the beginning, and of what follows, that were asked for. */
  part?: { start?: number; duration?: number };
  /** It begins again at its end. */
  loop?: boolean;
  /** Told what the user should read. */
  tell: (line: string) => void;
  /** Told that it pauses, or goes on. */
  onPause?: (paused: boolean) => void;
  /** Milliseconds that the server has to answer a stop; a few seconds where absent. */
  farewell?: number;
}

/** Turns what the user does into the control messages of one answer. */
export class PlayerControls implements Disposable {
  #options: PlayerControlsOptions;
  #response: MediaResponse | undefined;
  #description: Description | undefined;
  #paused = false;
  #quit = new AbortController();
  #farewell: Disposable | undefined;
  /** Seconds on the time line of the timestamps at which the newest picture lies. */
  #position = 0;
  /** Seeks that are under way: where to, by their number. */
  #targets = new Map<number, number>();
  #sought = 0;

  constructor(options: PlayerControlsOptions) {
    this.#options = options;
  }

  /** Whether the user has ended it. */
  get quitting(): boolean {
    return this.#quit.signal.aborted;
  }

  /** Fires when the user ends it. */
  get signal(): AbortSignal {
    return this.#quit.signal;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Begins to act, when it is known what is coming. */
  attach(response: MediaResponse, description: Description): void {
    this.#response = response;
    this.#description = description;
    if (this.quitting) this.#stop();
  }

  /** Takes note of how far it is, in seconds on the time line of the timestamps. */
  moved(position: number): void {
    this.#position = position;
  }

  /**
   * Takes note of the server's answer to a seek.
   *
   * @returns where what follows begins, seconds on the time line of the timestamps
   */
  arrived({ to, id }: Control): number {
    for (const known of this.#targets.keys()) {
      if (typeof id !== "number" || known <= id) this.#targets.delete(known);
    }
    const moment = typeof to === "number" ? to : 0;
    this.#position = moment - this.#start;
    return this.#position;
  }

  /** Does what the user wants. */
  act(action: PlayAction): void {
    if (action === "quit") return this.quit();
    if (this.#description === undefined || this.quitting) return;
    if (action === "pause") this.#togglePause();
    else this.#seekBy(STEPS[action] ?? 0);
  }

  /** Ends it in good order: the server is told, and has a moment to answer. */
  quit(): void {
    if (this.quitting) return;
    this.#quit.abort();
    this.#stop();
  }

  /**
   * Has frames come in a pause, too, since a viewer is gone: that it is, is found out when it is
   * given one.
   */
  wake(): void {
    if (this.#paused && !this.quitting) this.#togglePause();
  }

  [Symbol.dispose](): void {
    this.#farewell?.[Symbol.dispose]();
  }

  #stop(): void {
    const response = this.#response;
    if (response === undefined) return;
    if (response.control === undefined) return response.abandon?.();
    const { farewell = FAREWELL } = this.#options;
    this.#farewell = deadline(farewell, () => response.abandon?.());
    this.#send({ action: "stop" });
  }

  #togglePause(): void {
    if (this.#response?.control === undefined) return this.#tell("Cannot pause a classic server");
    this.#paused = !this.#paused;
    this.#send({ action: this.#paused ? "pause" : "resume" });
    this.#options.onPause?.(this.#paused);
  }

  #seekBy(seconds: number): void {
    const { recording, loop } = this.#options;
    if (recording) return this.#tell("Cannot seek while it is recorded");
    if (this.#response?.control === undefined) return this.#tell("Cannot seek in a classic server");
    if (this.#description?.live) return this.#tell("Cannot seek in what is live");
    const end = this.#end;
    const position = this.#start + this.#position;
    // Loops go on counting; a round begins where the one before has ended.
    const inRound = loop && end !== undefined && end > this.#start
      ? this.#start + this.#position % (end - this.#start)
      : position;
    const from = [...this.#targets.values()].at(-1) ?? inRound;
    const last = end === undefined ? Infinity : Math.max(from, end - LAST_SECOND);
    const to = Math.max(this.#start, Math.min(from + seconds, last));
    const id = ++this.#sought;
    this.#targets.set(id, to);
    this.#send({ action: "seek", to, id });
  }

  /** Seconds of the media at which the time line of the timestamps begins. */
  get #start(): number {
    return this.#options.part?.start ?? 0;
  }

  /** Seconds of the media at which it ends, where that is known. */
  get #end(): number | undefined {
    const end = Math.min(
      this.#description?.duration ?? Infinity,
      this.#start + (this.#options.part?.duration ?? Infinity),
    );
    return end === Infinity ? undefined : end;
  }

  #tell(line: string): void {
    this.#options.tell(line);
  }

  #send(control: Control): void {
    // Where the connection is gone, whoever reads the answer learns it, too, and tells of it.
    this.#response?.control?.(control).catch(() => {});
  }
}
