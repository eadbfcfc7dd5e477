import { createHash, timingSafeEqual } from "node:crypto";
import { RequestError } from "../core/errors.ts";
import type { Secret } from "../core/secret.ts";
import { Attempts } from "./attempts.ts";
import type { Clock } from "../core/clock.ts";

/** What {@linkcode Access.admit} has to know of a peer. */
export interface Visitor {
  /** IP address. */
  address: string;
  /** Fires when the peer need not be answered any more. */
  signal: AbortSignal;
}

/** Lets in who has the token. Where there is none, everybody may enter. */
export class Access {
  /** Of the token: it has the same length whatever the token's is. */
  #digest: Uint8Array | undefined;
  #attempts: Attempts;

  constructor(token?: Secret, clock?: Clock) {
    this.#attempts = new Attempts(clock);
    this.expect(token);
  }

  /** Whether a token is needed. */
  get isGuarded(): boolean {
    return this.#digest !== undefined;
  }

  /** Names the token that is right from now on. */
  expect(token: Secret | undefined): void {
    this.#digest = token === undefined ? undefined : digestOf(token.reveal());
  }

  /**
   * Looks at the token of a request, wrong ones more and more slowly.
   *
   * @throws {RequestError} `unauthorized` where it is not the right one
   */
  async admit(token: string | undefined, { address, signal }: Visitor): Promise<void> {
    if (!this.isGuarded) return;
    if (token === undefined) {
      throw new RequestError("unauthorized", "Cannot serve without a token: this server needs one");
    }
    const given = digestOf(token);
    const isRight = () => this.#digest === undefined || timingSafeEqual(given, this.#digest);
    if (await this.#attempts.judge(address, isRight, { signal })) return;
    throw new RequestError("unauthorized", "Cannot serve with that token: it is not the right one");
  }
}

function digestOf(token: string): Uint8Array {
  return createHash("sha256").update(token).digest();
}
