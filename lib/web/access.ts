/** Access rules of the page. */
import { type Address, hostOf, isAnyAddress, isLoopback } from "../net/address.ts";

/** The parts of a request that decide about access; header names in lower case. */
export interface Visit {
  method: string;
  url: URL;
  header(name: string): string | null;
}

/** The decision about a request. */
export type Verdict =
  | { kind: "enter" }
  | { kind: "refused"; status: number; message: string }
  /** The token is right: it moves from the URL to a cookie. */
  | { kind: "welcome"; cookie: string; isCrossSite: boolean };

/** Decides who may see the page. */
export class Access {
  #address: Address;
  #token: string | undefined;

  /**
   * @param address where the page is served
   * @param token that visitors need; `undefined` if only this machine can reach the page
   */
  constructor(address: Address, token: string | undefined) {
    this.#address = address;
    this.#token = token;
  }

  /**
   * Decides about a request.
   *
   * - Only GET and HEAD are allowed.
   * - The header Host has to be a name of the page, against DNS rebinding.
   * - Other sites may link to the page, but load nothing from it.
   * - If there is a token, it is needed in the URL or in the cookie.
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
      return refused(403, "Cannot serve the pages of others");
    }
    if (this.#token === undefined) return { kind: "enter" };
    const cookieName = this.#cookieName;
    if (isSame(url.searchParams.get("token") ?? "", this.#token) && url.pathname === "/") {
      const cookie = `${cookieName}=${this.#token}; Path=/; HttpOnly; SameSite=Strict`;
      return { kind: "welcome", cookie, isCrossSite };
    }
    const cookie = cookieOf(visit.header("cookie") ?? "", cookieName);
    if (isSame(cookie, this.#token)) return { kind: "enter" };
    return refused(401, "Cannot show the page: expected the address with the token, as printed");
  }

  /** Name of the cookie; with the port, since all ports of a host share their cookies. */
  get #cookieName(): string {
    return `stream_${this.#address.port}`;
  }

  /** Whether another site sent the request; WebSockets have no other protection. */
  #isForeign(visit: Visit): boolean {
    const origin = visit.header("origin");
    return origin !== null && origin !== `http://${visit.header("host")}`;
  }

  #isOwnName(name: string): boolean {
    const { hostname } = this.#address;
    if (isLoopback(name) || name === hostname.toLowerCase()) return true;
    // At all addresses the page may have any name; a rebound site lacks the token.
    return isAnyAddress(hostname) && this.#token !== undefined && name !== "";
  }
}

function refused(status: number, message: string): Verdict {
  return { kind: "refused", status, message };
}

/** The value of a cookie; `""` if there is none. */
function cookieOf(header: string, name: string): string {
  const found = header.split(";").map((pair) => pair.trim())
    .find((pair) => pair.startsWith(`${name}=`));
  return found?.slice(name.length + 1) ?? "";
}

/** Compares in constant time. */
function isSame(given: string, expected: string): boolean {
  let difference = given.length ^ expected.length;
  for (let at = 0; at < expected.length; at++) {
    difference |= given.charCodeAt(at) ^ expected.charCodeAt(at);
  }
  return difference === 0;
}
