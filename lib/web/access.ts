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
   * @param address of the page
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
    const { url } = visit;
    const refusal = refusalOf(visit, { isOwnName: (name) => this.#isOwnName(name) });
    if (refusal !== undefined) return refusal;
    if (this.#token === undefined) return { kind: "enter" };
    const cookieName = cookieNameOf(this.#address);
    if (isSame(url.searchParams.get("token") ?? "", this.#token) && url.pathname === "/") {
      const cookie = `${cookieName}=${this.#token}; Path=/; HttpOnly; SameSite=Strict`;
      return { kind: "welcome", cookie, isCrossSite: isCrossSite(visit) };
    }
    const cookie = cookieOf(visit.header("cookie") ?? "", cookieName);
    if (isSame(cookie, this.#token)) return { kind: "enter" };
    return refused(401, "Cannot show the page: expected the address with the token, as printed");
  }

  #isOwnName(name: string): boolean {
    const { hostname } = this.#address;
    if (isLoopback(name) || name === hostname.toLowerCase()) return true;
    // At all addresses the page may have any name; a rebound site lacks the token.
    return isAnyAddress(hostname) && this.#token !== undefined && name !== "";
  }
}

/** Paths of pictures that pages of other ports of this host may show, as those of printers do. */
const EMBEDDED = /^\/(snapshot|stream)\//;

/** Options of {@linkcode refusalOf}. */
export interface VisitRules {
  /** Whether the page has a name: a host without its port, in lower case. */
  isOwnName: (name: string) => boolean;
  /** Paths that take POST, from pages of this site. @default none */
  forms?: ReadonlySet<string>;
}

/** A refusal, with its HTTP status. */
export type Refused = Extract<Verdict, { kind: "refused" }>;

/**
 * Refuses what no visitor may do, whether a token is known or not: methods that are not taken,
 * foreign names of the page, against DNS rebinding, and requests that other sites cause.
 *
 * @returns `undefined` if none of that is so
 */
export function refusalOf(
  visit: Visit,
  { isOwnName, forms = new Set() }: VisitRules,
): Refused | undefined {
  const { method, url } = visit;
  const isForm = method === "POST" && forms.has(url.pathname);
  if (method !== "GET" && method !== "HEAD" && !isForm) {
    return refused(405, `Cannot take ${method}: expected GET`);
  }
  if (!isOwnName(hostOf(visit.header("host") ?? ""))) {
    return refused(
      403,
      "Cannot serve by this name: expected an address as it was printed at the start",
    );
  }
  const destination = visit.header("sec-fetch-dest");
  const isLink = url.pathname === "/" && destination === "document";
  const isPicture = EMBEDDED.test(url.pathname) && destination === "image" &&
    visit.header("sec-fetch-site") === "same-site" && isFromThisHost(visit);
  if (isCrossSite(visit) && !isLink && !isPicture || isForeign(visit, { isForm })) {
    return refused(403, "Cannot serve the pages of others");
  }
  return undefined;
}

/**
 * Whether a page of this host caused the request, at whatever port. Other sites can hide their names,
 * but not take this one.
 */
export function isFromThisHost({ url, header }: Pick<Visit, "url" | "header">): boolean {
  return URL.parse(header("referer") ?? "")?.hostname === url.hostname;
}

/** Whether a page of another site caused the request. */
export function isCrossSite(visit: Visit): boolean {
  return !["same-origin", "none", null].includes(visit.header("sec-fetch-site"));
}

/** Whether another site sent the request; WebSockets have no other protection, and forms need it. */
function isForeign(visit: Visit, { isForm }: { isForm: boolean }): boolean {
  const origin = visit.header("origin");
  const own = `${visit.url.protocol}//${visit.header("host")}`;
  return origin === null ? isForm : origin !== own;
}

function refused(status: number, message: string): Refused {
  return { kind: "refused", status, message };
}

/** Name of the cookie; with the port, since all ports of a host share their cookies. */
export function cookieNameOf({ port }: Pick<Address, "port">): string {
  return `stream_${port}`;
}

/** The value of a cookie; `""` if there is none. */
export function cookieOf(header: string, name: string): string {
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
