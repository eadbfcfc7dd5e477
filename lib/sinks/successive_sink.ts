/** A sink for one run of streams after the other. */
import type { Frame } from "../media/frame.ts";
import type { DataMessage, Presentation, Sink } from "./sink.ts";

/** Options of {@linkcode SuccessiveSink}. */
export interface SuccessiveSinkOptions {
  /** Makes the sink for the streams that follow; `part` is 1, 2, … */
  create: (part: number) => Sink;
  /** The parts are kept: each is completed before the next begins. */
  isRecording: boolean;
  /**
   * Called before another sink begins, with the number of its part: the same as before if that part
   * has nothing yet.
   *
   * @returns a higher number if that one cannot be used
   * @throws {Error} if there can be no other sink
   */
  onNext?: (part: number, presentation: Presentation) => Promise<number | void> | void;
}

/** Takes streams that change: each time, a new sink takes over from the one before. */
export class SuccessiveSink implements Sink {
  readonly isRecording: boolean;
  readonly takeMessage?: (message: DataMessage) => Promise<boolean>;
  readonly jump?: (to: number) => Promise<void>;
  readonly subtitle?: (text: string, start: number, end: number) => void;
  readonly notes: string[] = [];
  #options: SuccessiveSinkOptions;
  #sink: Sink;
  #part = 1;
  #begun = false;

  constructor(options: SuccessiveSinkOptions) {
    this.#options = options;
    this.isRecording = options.isRecording;
    this.#sink = options.create(1);
    // Callers check which methods exist.
    if (this.#sink.takeMessage !== undefined) {
      this.takeMessage = async (message) => await this.#sink.takeMessage?.(message) ?? false;
    }
    if (this.#sink.subtitle !== undefined) {
      this.subtitle = (text, start, end) => this.#sink.subtitle?.(text, start, end);
    }
    if (this.#sink.jump !== undefined) this.jump = async (to) => await this.#sink.jump?.(to);
  }

  async begin(presentation: Presentation): Promise<void> {
    if (this.#begun) await this.#next(presentation);
    this.#begun = true;
    await this.#sink.begin(presentation);
  }

  async show(frame: Frame): Promise<boolean> {
    return await this.#sink.show(frame);
  }

  async finish(whole: boolean): Promise<string | undefined> {
    const note = await this.#sink.finish(whole);
    const notes = [...this.notes, ...(note === undefined ? [] : [note])];
    return notes.length === 0 ? undefined : notes.join("; ");
  }

  pause(paused: boolean): void {
    this.#sink.pause?.(paused);
  }

  showBriefly(text: string): void {
    this.#sink.showBriefly?.(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sink[Symbol.asyncDispose]();
  }

  async #next(presentation: Presentation): Promise<void> {
    const { create, isRecording, onNext } = this.#options;
    const note = await this.#sink.finish(isRecording);
    await this.#sink[Symbol.asyncDispose]();
    // A part without frames has left nothing.
    const isKept = isRecording && note !== undefined;
    if (isKept) this.notes.push(note);
    if (isKept) this.#part++;
    this.#part = await onNext?.(this.#part, presentation) ?? this.#part;
    this.#sink = create(this.#part);
  }
}
