/** Who may use the page and the addresses of a server: tokens, and logins of those who sent one. */
import { RequestError } from "../../base/errors.ts";
import { type Address, isAddress, isLoopback } from "../../net/address.ts";
import { cookieNameOf, cookieOf, isCrossSite, refusalOf } from "../../web/access.ts";
import { errorResponse } from "../../web/api.ts";
import { PAGE_FILES } from "../../web/assets.ts";
import { html, isShown, refusalResponse, reload, toStart } from "../../web/responses.ts";
import { PEER_LIMITS } from "../session/peer_limits.ts";
import type { ServerVisitor } from "./connection.ts";
import style from "./login.css" with { type: "text" };
import page from "./login.html" with { type: "text" };
import { Logins, type LoginsOptions } from "./logins.ts";

/** Path that the form sends the token to. */
const LOGIN = "/login";

const FORMS = new Set([LOGIN]);

/** Files that the form needs. */
const STYLE = "/login.css";
const OPEN_FILES = new Set(["/page.css", "/icon.svg"]);

/** Place of a message in the form. */
const MESSAGE = '<p role="alert">';

/** Asks programs for the token (RFC 7617). Browsers would show a dialog of their own. */
const CHALLENGE = { "WWW-Authenticate": 'Basic realm="stream-server", charset="UTF-8"' };

/** Options of {@linkcode ServerAccess}. */
export interface ServerAccessOptions extends LoginsOptions {
  /** Of the page. */
  address: Address;
}

/** Decides about the requests of a server's visitors. */
export class ServerAccess {
  #address: Address;
  #logins: Logins;

  constructor({ address, ...options }: ServerAccessOptions) {
    this.#address = address;
    this.#logins = new Logins(options);
  }

  /**
   * Decides about a request. With a token, a visitor needs a login, which begins with the form, or
   * sends the token with each request, by `Authorization`.
   *
   * @returns the response if it is not to be routed
   */
  async admit(request: Request, url: URL, visitor: ServerVisitor): Promise<Response | undefined> {
    const { method, headers } = request;
    const { authenticator } = visitor.context;
    const visit = { method, url, header: (name: string) => headers.get(name) };
    const refusal = refusalOf(visit, {
      isOwnName: (name) => this.#isOwnName(name, authenticator.isRequired),
      forms: FORMS,
    });
    if (refusal !== undefined) return refusalResponse(request, refusal);
    if (url.pathname === LOGIN) return await this.#logIn(request, url, visitor);
    if (!authenticator.isRequired) return undefined;
    const login = cookieOf(headers.get("cookie") ?? "", cookieNameOf(this.#address));
    if (this.#logins.has(login, authenticator.current)) {
      visitor.context.rate.limits = PEER_LIMITS;
      return undefined;
    }
    const authorization = headers.get("authorization");
    if (authorization !== null) return await admitByHeader(authorization, visitor);
    if (OPEN_FILES.has(url.pathname) && PAGE_FILES.has(url.pathname)) return undefined;
    if (url.pathname === STYLE) return styleSheet();
    if (url.pathname !== "/" || !isShown(request)) return unauthorized(request);
    // A link on another site comes without the cookie, which the browser may have.
    return isCrossSite(visit) ? reload(url) : form();
  }

  async #logIn(request: Request, url: URL, visitor: ServerVisitor): Promise<Response> {
    const { authenticator } = visitor.context;
    if (request.method !== "POST" || !authenticator.isRequired) return toStart();
    const token = new URLSearchParams(await request.text()).get("token") ?? "";
    const refusal = await checkToken(token, visitor);
    if (refusal?.code === "unauthorized") return form("That is not the token of this server", 403);
    if (refusal !== undefined) return form(refusal.message, 503);
    const id = this.#logins.begin(authenticator.current);
    const response = toStart();
    response.headers.set(
      "Set-Cookie",
      `${cookieNameOf(this.#address)}=${id}; Path=/; Max-Age=${this.#logins.lifetime}; HttpOnly; ` +
        `SameSite=Strict${url.protocol === "https:" ? "; Secure" : ""}`,
    );
    return response;
  }

  /** Whether the page has a name. A site that is rebound to this machine has none of these. */
  #isOwnName(name: string, needsToken: boolean): boolean {
    if (isAddress(name) || isLoopback(name)) return true;
    // Behind a proxy the page may have any name; a rebound site lacks the token.
    return needsToken ? name !== "" : name === this.#address.hostname.toLowerCase();
  }
}

/** Lets a program in that sends the token with each request. */
async function admitByHeader(
  authorization: string,
  visitor: ServerVisitor,
): Promise<Response | undefined> {
  const token = tokenOf(authorization);
  const refusal = token === undefined
    ? new RequestError(
      "unauthorized",
      "Cannot read the header Authorization: expected Bearer or Basic",
    )
    : await checkToken(token, visitor);
  return refusal && challenged(errorResponse(refusal));
}

/** The token in the header `Authorization`: by itself, or as a password for any name. */
export function tokenOf(authorization: string): string | undefined {
  const [, scheme, value] = authorization.match(/^(Bearer|Basic) +(\S+) *$/i) ?? [];
  if (scheme === undefined) return undefined;
  if (scheme.toLowerCase() === "bearer") return value;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.fromBase64(value));
    const colon = text.indexOf(":");
    return colon < 0 ? undefined : text.slice(colon + 1);
  } catch {
    return undefined;
  }
}

/**
 * Checks a token; wrong ones are delayed, logged and counted.
 *
 * @returns the refusal
 */
async function checkToken(
  token: string,
  { context, signal }: ServerVisitor,
): Promise<RequestError | undefined> {
  const { authenticator, requestLog, address, rate } = context;
  try {
    await authenticator.authenticate(token, { address, signal });
    rate.limits = PEER_LIMITS;
    return undefined;
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    requestLog.begin({}, context).refused(error);
    return error;
  }
}

function unauthorized(request: Request): Response {
  const message = "Cannot serve without the token: load the page again to sign in, or send it by " +
    "Authorization: Bearer";
  const response = errorResponse(new RequestError("unauthorized", message));
  return isBrowser(request) ? response : challenged(response);
}

/** By plain HTTP, only its name shows a browser on another machine. */
function isBrowser({ headers }: Request): boolean {
  return /^Mozilla\//.test(headers.get("user-agent") ?? "");
}

function challenged(response: Response): Response {
  for (const [name, value] of Object.entries(CHALLENGE)) response.headers.set(name, value);
  return response;
}

/** @param message one of our own, without markup */
function form(message = "", status = 200): Response {
  // A browser that hides the referrer hides the origin of the form, too.
  const headers = { "Referrer-Policy": "same-origin" };
  return html(page.replace(MESSAGE, `${MESSAGE}${message}`), { status, headers });
}

function styleSheet(): Response {
  return new Response(style, {
    headers: { "Content-Type": "text/css; charset=utf-8", "Cache-Control": "no-cache" },
  });
}
