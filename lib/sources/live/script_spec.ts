/** Parses live sources that are scripts: `script:HOST:PORT`, `script::PORT`, and what follows `?`. */
import { FormatError, UsageError } from "../../base/errors.ts";
import { isAnyAddress } from "../../net/address.ts";
import { parseScriptFormat, type ScriptFormat } from "../../protocol/script/format.ts";

/** A script whose frames are a live source. */
export interface ScriptInput {
  transport: "tcp" | "udp";
  /** Name or address that the script listens on; absent if the server listens. */
  host?: string;
  /** Port that the script, or the server, listens on; 0 for any free one of the server. */
  port: number;
  /** The script's framing. @default recognised */
  format?: ScriptFormat;
  /** Text to send at first, or `none`. */
  request?: string;
  /** Text to send after each frame, or `none`. @default recognised */
  ack?: string;
}

/** Forms of a script, for messages. */
export const SCRIPT_FORMS = "script:HOST:PORT or script::PORT, and behind a ? framing=, request= " +
  "and ack= joined by &, as in script:robot:8485?framing=u64le+jpeg&request=get&ack=ok";

/** Address of a script, and its options. */
const SCRIPT = /^script(\+udp)?:(?:\[([\da-f:.]+)\]|([\w.-]*)):(\d{1,5})(?:\?([^]*))?$/i;

/** The beginning that makes an input a script. */
const SCRIPT_SCHEME = /^script(\+\w*)?:/i;

/** Characters of a text that is sent to scripts. */
const MAX_WORD_LENGTH = 256;

/** Whether an input is meant to be a script. */
export function isScriptInput(input: string): boolean {
  return SCRIPT_SCHEME.test(input);
}

/**
 * Parses the input of a script.
 *
 * @throws {FormatError} with the reason alone, which callers put into a sentence
 * @throws {UsageError} for a framing that is none
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseScriptInput } from "./script_spec.ts";
 *
 * assertEquals(parseScriptInput("script:robot:8485?request=get"), {
 *   transport: "tcp",
 *   host: "robot",
 *   port: 8485,
 *   request: "get",
 * });
 * assertEquals(parseScriptInput("script::8485"), { transport: "tcp", port: 8485 });
 * ```
 */
export function parseScriptInput(input: string): ScriptInput {
  const [, udp, bracketed, plain, digits, query] = input.match(SCRIPT) ?? [];
  if (digits === undefined) throw new FormatError("that is no script and port");
  const host = bracketed ?? (plain === "" ? undefined : plain);
  const transport = udp === undefined ? "tcp" : "udp";
  const port = Number(digits);
  if (port > 65_535) throw new FormatError(`there is no port ${port}`);
  if (host !== undefined && port === 0) throw new FormatError("a script has no port 0");
  if (host !== undefined && isAnyAddress(host)) {
    throw new FormatError(`${host} is every address, and a script that pushes has none`);
  }
  if (transport === "udp" && host !== undefined) {
    throw new FormatError("scripts send datagrams to this server, which needs no host");
  }
  const options = query === undefined ? {} : parseOptions(query);
  if (transport === "udp" && Object.keys(options).length > 0) {
    throw new FormatError("datagrams have no options");
  }
  return { transport, ...(host === undefined ? {} : { host }), port, ...options };
}

function parseOptions(query: string): Pick<ScriptInput, "format" | "request" | "ack"> {
  const options: Pick<ScriptInput, "format" | "request" | "ack"> = {};
  const seen = new Set<string>();
  for (const part of query.split("&")) {
    const [name, ...rest] = part.split("=");
    if (seen.has(name)) throw new FormatError(`${name} stands there twice`);
    seen.add(name);
    const value = decode(name, rest.join("="));
    if (name === "framing") options.format = parseFraming(value);
    else if (name === "request" || name === "ack") options[name] = checkWord(name, value);
    else throw new FormatError(`there is no option "${name}"`);
  }
  return options;
}

function parseFraming(value: string): ScriptFormat {
  try {
    return parseScriptFormat(value);
  } catch (error) {
    // A sentence of its own, which says what is expected.
    if (error instanceof FormatError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

function checkWord(name: string, value: string): string {
  if (value === "") throw new FormatError(`${name} is empty`);
  if (value.length <= MAX_WORD_LENGTH) return value;
  const length = `${value.length} characters, more than ${MAX_WORD_LENGTH}`;
  throw new FormatError(`${name} has ${length}`);
}

/** Decodes percent-encoding, which a value needs for `&` and line feeds. A plus is a plus. */
function decode(name: string, value: string): string {
  try {
    return decodeURIComponent(value);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw new FormatError(`${name} has a % that begins no percent-encoding`);
  }
}
