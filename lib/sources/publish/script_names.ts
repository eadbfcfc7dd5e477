/** The names of the scripts that push to one live source. */
import type { Publications, PublishedSource, Publisher } from "./published.ts";

/** Options of {@linkcode ScriptNames}. */
export interface ScriptNamesOptions {
  publications: Publications;
  /** Whether a file has a name. */
  isFile: (name: string) => Promise<boolean>;
}

/** A name, and the source that has it. */
export interface NamedSource {
  name: string;
  source: PublishedSource;
}

/**
 * Gives names to the scripts that push at the same time: the reserved one to the first, `cam`, and
 * to further ones `cam-2`, `cam-3`, and so on.
 */
export class ScriptNames {
  #name: string;
  #options: ScriptNamesOptions;
  /** Address of the last script that had a name, and its turn. */
  #owners = new Map<string, { address: string; turn: symbol }>();

  /** @param name of the reserved source */
  constructor(name: string, options: ScriptNamesOptions) {
    this.#name = name;
    this.#options = options;
  }

  /**
   * Gives a script the first free name that a peer of its address had last, otherwise the first free
   * one.
   *
   * @throws {RequestError} `busy` if there are too many publishers
   */
  async begin(publisher: Publisher, address: string): Promise<NamedSource> {
    const { publications } = this.#options;
    for (const name of this.#candidates(address)) {
      const reserved = name === this.#name;
      if (!reserved && await this.#options.isFile(name)) continue;
      // A name that is kept for a publisher other than a script is taken.
      const turn = this.#owners.get(name)?.turn;
      if (!publications.isFree(name, { reserved, turn })) continue;
      const source = publications.begin(name, publisher, { reserved });
      this.#owners.set(name, { address, turn: source.turn });
      return { name, source };
    }
    throw new Error("Cannot come here: there is always one more name");
  }

  *#candidates(address: string): Generator<string> {
    const had = [...this.#owners].filter(([, owner]) => owner.address === address)
      .map(([name]) => name);
    yield* had.toSorted((a, b) => a.length - b.length || (a < b ? -1 : 1));
    yield this.#name;
    for (let number = 2;; number++) yield `${this.#name}-${number}`;
  }
}
