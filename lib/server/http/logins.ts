/** Logins of visitors who have sent the token once. */
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";

/** Logins at once; the one that was used longest ago ends first. */
const MAX_LOGINS = 1000;

/** Milliseconds after which a login ends: a week. */
const LIFETIME = 7 * 24 * 3600 * 1000;

/** Random bytes of a login's id. */
const ID_SIZE = 32;

/** Options of {@linkcode Logins}. */
export interface LoginsOptions {
  clock?: Pick<Clock, "now">;
  /** @default 1000 */
  max?: number;
}

/** The logins of a server, in memory: they end with it, and when the token changes. */
export class Logins {
  #clock: Pick<Clock, "now">;
  #max: number;
  /** By id; the one that was used longest ago comes first. */
  #logins = new Map<string, { token: unknown; until: number }>();

  constructor({ clock = MONOTONIC_CLOCK, max = MAX_LOGINS }: LoginsOptions = {}) {
    this.#clock = clock;
    this.#max = max;
  }

  get size(): number {
    return this.#logins.size;
  }

  /** Seconds for which a login lasts. */
  get lifetime(): number {
    return LIFETIME / 1000;
  }

  /**
   * Begins a login.
   *
   * @param token stands for the token that was sent, and is another object for another one
   * @returns its id, which nobody can guess
   */
  begin(token: unknown): string {
    const bytes = crypto.getRandomValues(new Uint8Array(ID_SIZE));
    const id = bytes.toBase64({ alphabet: "base64url", omitPadding: true });
    this.#logins.set(id, { token, until: this.#clock.now() + LIFETIME });
    if (this.#logins.size > this.#max) {
      const oldest = this.#logins.keys().next().value;
      if (oldest !== undefined) this.#logins.delete(oldest);
    }
    return id;
  }

  /**
   * Whether a login goes on.
   *
   * @param token stands for the one that is needed now
   */
  has(id: string, token: unknown): boolean {
    const login = this.#logins.get(id);
    if (login === undefined) return false;
    this.#logins.delete(id);
    if (login.token !== token || this.#clock.now() >= login.until) return false;
    this.#logins.set(id, login);
    return true;
  }
}
