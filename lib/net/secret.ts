/** Characters of the longest token, in a file as in a request. */
export const MAX_TOKEN_LENGTH = 4096;

/** Text that logs, messages and JSON never show. */
export class Secret {
  #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text itself, for comparing or sending it. */
  reveal(): string {
    return this.#text;
  }

  /** Stands for the text in whatever it is written to by mistake. */
  toString(): string {
    return "(secret)";
  }
}
