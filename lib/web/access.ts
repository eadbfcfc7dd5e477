/** Who may see the page. Pure. */
import { type Address, hostOf, isAnyAddress, isLoopback } from "../net/address.ts";

/** What decides about a request; header names in lower case. */
export interface Visit {
  method: string;
  /** Where to, with its query. */
  url: URL;
  header(name: string): string | null;
}

/** What becomes of a request. */
export type Verdict =
  | { kind: "enter" }
  | { kind: "refused"; status: number; message: string }
  /** The token was right: it becomes a cookie, and the address is shown without it. */
  | { kind: "welcome"; cookie: string; isCrossSite: boolean };

/** Guards the page by the rules of {@linkcode Access.judge}. */
export class Access {
  #address: Address;
  #token: string | undefined;

  /**
   * @param address where it listens
   * @param token has to be known; absent where no other machine can reach the page
   */
  constructor(address: Address, token: string | undefined) {
    this.#address = address;
    this.#token = token;
  }

  /**
   * Decides about a request. Only reading is allowed; by the name that the page has, since another
   * could be a strange page's own that leads here; and not for the pages of others, but that they
   * may link to this one. Where a token is needed, it comes in the address or in the cookie.
   */
  judge(visit: Visit): Verdict {
    const { method, url } = visit;
    if (method !== "GET" && method !== "HEAD") {
      return refused(405, `Cannot take ${method}: expected GET`);
    }
    if (!this.#isOwnName(hostOf(visit.header("host") ?? ""))) {
      return refused(403, "Cannot show the page by this name: expected the address it has");
    }
    const isCrossSite = !["same-origin", "none", null].includes(visit.header("sec-fetch-site"));
    const isLink = url.pathname === "/" && visit.header("sec-fetch-dest") === "document";
    if (isCrossSite && !isLink || this.#isForeign(visit)) {
      return refused(403, "Cannot answer the pages of others");
    }
    if (this.#token === undefined) return { kind: "enter" };
    const { name } = this;
    if (isSame(url.searchParams.get("token") ?? "", this.#token) && url.pathname === "/") {
      const cookie = `${name}=${this.#token}; Path=/; HttpOnly; SameSite=Strict`;
      return { kind: "welcome", cookie, isCrossSite };
    }
    if (isSame(cookieOf(visit.header("cookie") ?? "", name), this.#token)) return { kind: "enter" };
    return refused(401, "Cannot show the page: expected the address with the token, as printed");
  }

  /** Name of the cookie: all ports of a host have the same ones. */
  get name(): string {
    return `stream_${this.#address.port}`;
  }

  /** Whether another page has sent for it; sockets know no other protection. */
  #isForeign(visit: Visit): boolean {
    const origin = visit.header("origin");
    return origin !== null && origin !== `http://${visit.header("host")}`;
  }

  #isOwnName(name: string): boolean {
    const { hostname } = this.#address;
    if (isLoopback(name) || name === hostname.toLowerCase()) return true;
    // It may have any name there; what a strange page lacks is the token.
    return isAnyAddress(hostname) && this.#token !== undefined && name !== "";
  }
}

function refused(status: number, message: string): Verdict {
  return { kind: "refused", status, message };
}

/** The value of a cookie; `""` where there is none. */
function cookieOf(header: string, name: string): string {
  const found = header.split(";").map((pair) => pair.trim())
    .find((pair) => pair.startsWith(`${name}=`));
  return found?.slice(name.length + 1) ?? "";
}

/** Compares in a time that does not tell how much of it was right. */
function isSame(given: string, expected: string): boolean {
  let difference = given.length ^ expected.length;
  for (let at = 0; at < expected.length; at++) {
    difference |= given.charCodeAt(at) ^ expected.charCodeAt(at);
  }
  return difference === 0;
}
