/** The subtitles of a view. */
import { addCue, type Cue } from "../media/subtitles.ts";

/** Cues on the timeline of the frames, which arrive in the order of their start. */
export class Cues {
  #cues: Cue[] = [];

  add(cue: Cue): void {
    addCue(this.#cues, cue);
  }

  /** Forgets all, for a seek. */
  clear(): void {
    this.#cues = [];
  }

  /** The text at a time, one line a cue; drops the cues that are over. */
  at(time: number): string {
    this.#cues = this.#cues.filter(({ end }) => end > time);
    return this.#cues.filter(({ start }) => start <= time).map(({ text }) => text).join("\n");
  }
}
