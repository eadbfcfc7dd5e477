import type { ListEntry } from "../../wire/answer.ts";
import { explained } from "../explain.ts";
import { connect } from "../link.ts";
import { requestList } from "../native_request.ts";
import type { RunContext } from "../run.ts";

/** Milliseconds for which a list is good enough to tell what kind of thing a name is. */
const FRESH = 5_000;

/** What a script has that pickles arrays: one image, one video. */
const CLASSIC: readonly ListEntry[] = (["image", "video"] as const)
  .map((kind) => ({ name: kind, kind, live: false, size: 0, codec: "" }));

/** Knows what the server has. */
export class Catalog {
  #context: Pick<RunContext, "flags">;
  #entries: readonly ListEntry[] = [];
  /** When the entries came, milliseconds since some fixed moment. */
  #came = -Infinity;
  #now: () => number;

  /** @param now milliseconds since some fixed moment; never goes back */
  constructor(context: Pick<RunContext, "flags">, now: () => number = () => performance.now()) {
    this.#context = context;
    this.#now = now;
  }

  /**
   * Asks the server for everything that it has.
   *
   * @throws {Error} where it does not answer
   */
  async list(signal: AbortSignal): Promise<readonly ListEntry[]> {
    const { flags } = this.#context;
    if (flags.classic) return CLASSIC;
    using link = await connect(flags, signal);
    try {
      this.#entries = await requestList(link);
    } catch (error) {
      throw explained(error, { flags, signal });
    }
    this.#came = this.#now();
    return this.#entries;
  }

  /** What the list says of a name, from a list that is nearly new. */
  async find(name: string, signal: AbortSignal): Promise<ListEntry | undefined> {
    if (this.#now() - this.#came >= FRESH) await this.list(signal);
    return this.known(name);
  }

  /** What the newest list says of a name, however old it is; `undefined` where there is none yet. */
  known(name: string | undefined): ListEntry | undefined {
    return this.#entries.find((entry) => entry.name === name);
  }
}
