/** A text that must not be seen: it stays out of whatever is logged, printed or made JSON of. */
export class Secret {
  #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text itself, for the one place that needs it. */
  reveal(): string {
    return this.#text;
  }

  /** What stands for it wherever it is written by mistake. */
  toString(): string {
    return "(secret)";
  }
}
