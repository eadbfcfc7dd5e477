/** Requests and responses of the main port as a script writes and reads them. */
import { checkLength, LENGTH_PREFIXES } from "../../../lib/protocol/script/lengths.ts";
import { decodePayload } from "../../../lib/protocol/script/payloads.ts";
import type { ScriptCommand } from "../../../lib/protocol/script/request.ts";

/** A message of a response. */
export type ScriptMessage =
  | { kind: "frame"; width: number; height: number; data: Uint8Array }
  | { kind: "end" };

/** Encodes the nine bytes of a request. */
export function scriptRequest(command: ScriptCommand): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(command);
}

/** Bytes of the pickle that follows. */
export function parseScriptLength(fourBytes: Uint8Array): number {
  return checkLength(LENGTH_PREFIXES.i32le.parse(fourBytes));
}

/** Reads a pickle: BGR, or the end. */
export function parseScriptMessage(pickle: Uint8Array): ScriptMessage {
  const content = decodePayload(pickle, { kind: "pickle" });
  if (content.kind === "end") return content;
  if (content.kind !== "image" || content.image.pixelFormat !== "bgr24") {
    throw new Error(`Cannot take a message of kind ${content.kind}: expected BGR`);
  }
  const { width, height, data } = content.image;
  return { kind: "frame", width, height, data };
}
