/** From the query of an address to the request that gets its media. */
import { encodeJson } from "../../protocol/native/json.ts";
import { PROTOCOL_VERSION } from "../../protocol/native/framing.ts";
import { type MediaRequest, parseRequest } from "../../protocol/native/request.ts";

/** The parameters of each address: fields of the request, by their names there but for one. */
const FIELDS = {
  snapshot: ["width", "height", "quality", "start"],
  stream: ["width", "height", "quality", "fps", "start", "duration", "loop"],
  hls: ["width", "height", "fps", "bitrate", "audio", "track", "start", "duration"],
} as const;

/** What each address asks for, whatever its parameters are. */
const FIXED = {
  snapshot: { command: "get_image", encoding: "mjpeg" },
  stream: { command: "get_video", encoding: "mjpeg", audio: false, late: "drop", redescribe: true },
  hls: { command: "get_video", encoding: "h264", redescribe: true },
} as const;

/** Parameters whose field has another name. */
const NAMES: Readonly<Record<string, string>> = { track: "audioTrack" };

/** Parameters that are true or false. */
const SWITCHES: readonly string[] = ["audio", "loop"];

const TRUTHS = new Map<string, boolean>([["1", true], ["true", true], ["0", false], [
  "false",
  false,
]]);

/**
 * Makes the request for the media of an address. Parameters that it does not know are ignored, since
 * programs add some of their own against caches.
 *
 * @throws {RequestError} `bad_request` if a value is out of range, as for the protocol
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseQuery } from "./queries.ts";
 *
 * const { command, width } = parseQuery("snapshot", "cam", new URLSearchParams("width=640"));
 * assertEquals([command, width], ["get_image", 640]);
 * ```
 */
export function parseQuery(
  kind: keyof typeof FIELDS,
  name: string,
  params: URLSearchParams,
): MediaRequest {
  const given = FIELDS[kind].flatMap((field) => {
    const text = params.get(field);
    return text === null || text === "" ? [] : [[NAMES[field] ?? field, valueOf(field, text)]];
  });
  const fields = { ...Object.fromEntries(given), ...FIXED[kind], name };
  // The protocol's own checks, so that the limits are the same.
  return parseRequest(encodeJson({ version: PROTOCOL_VERSION, ...fields }));
}

/** A text that is no such value stays one, and is refused with what was expected. */
function valueOf(field: string, text: string): number | boolean | string {
  if (SWITCHES.includes(field)) return TRUTHS.get(text) ?? text;
  const value = text.trim() === "" ? NaN : Number(text);
  return Number.isFinite(value) ? value : text;
}
