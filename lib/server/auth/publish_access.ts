/** Decides who may publish. */
import { RequestError } from "../../base/errors.ts";
import { isLoopback } from "../../net/address.ts";
import type { AuthenticateOptions, Authenticator } from "./authenticator.ts";

/** Who may publish: nobody, peers of this machine, or who has the token for it. */
export const PUBLISH_MODES = ["none", "local", "token"] as const;

/** One of {@linkcode PUBLISH_MODES}. */
export type PublishMode = typeof PUBLISH_MODES[number];

/** Checks whether a peer may publish. */
export class PublishAccess {
  readonly mode: PublishMode;
  #authenticator: Authenticator;
  #option: string;

  /**
   * @param authenticator knows the token for publishing
   * @param option sets the mode, for errors
   */
  constructor(mode: PublishMode, authenticator: Authenticator, option = "--publish") {
    this.mode = mode;
    this.#authenticator = authenticator;
    this.#option = option;
  }

  /**
   * Checks a request to publish.
   *
   * @throws {RequestError} `unauthorized` if the peer may not publish
   */
  async authorize(token: string | undefined, options: AuthenticateOptions): Promise<void> {
    if (this.mode === "token") return await this.#authenticator.authenticate(token, options);
    if (this.mode === "local" && isLoopback(options.address)) return;
    const reason = this.mode === "none"
      ? `this server takes nothing, start it with ${this.#option} local or ${this.#option} token`
      : `this server takes only what its own machine sends, start it with ${this.#option} token`;
    throw new RequestError("unauthorized", `Cannot publish: ${reason}`);
  }
}
