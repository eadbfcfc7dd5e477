/** Requests of scripts on the main port, and the end of its responses. */
import { FormatError } from "../../base/errors.ts";
import { LENGTH_PREFIXES } from "./lengths.ts";
import { bytesPickle } from "./pickle/pickler.ts";
import { asciiOf, quotable } from "./pickle/values.ts";

/** First bytes of every request. Read as a length of the native protocol, they exceed its limit. */
export const SCRIPT_MAGIC = "get_";

/** Bytes of a request. */
export const SCRIPT_REQUEST_LENGTH = 9;

/** Commands of requests. */
export type ScriptCommand = "get_image" | "get_video";

/**
 * Parses the nine bytes of a request.
 *
 * @throws {FormatError} for anything but `get_image` and `get_video`
 */
export function parseScriptRequest(bytes: Uint8Array): ScriptCommand {
  const text = asciiOf(bytes.subarray(0, SCRIPT_REQUEST_LENGTH + 1));
  if (text === "get_image" || text === "get_video") return text;
  throw new FormatError(
    `Cannot serve "${quotable(bytes)}": unknown request, expected get_image or get_video`,
  );
}

/** Last message of a response: length and pickle of `b"end"`. */
export const SCRIPT_END: Uint8Array<ArrayBuffer> = endMessage();

function endMessage(): Uint8Array<ArrayBuffer> {
  const pickle = bytesPickle(new TextEncoder().encode("end"));
  return Uint8Array.of(...LENGTH_PREFIXES.i32le.encode(pickle.byteLength), ...pickle);
}
