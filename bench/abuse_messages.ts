/** Messages of clients that harm others, as pure functions. */
import { encodeMessage } from "../lib/protocol/native/framing.ts";
import { encodeControl } from "../lib/protocol/native/request.ts";

/** Bytes of a large ping: nearly the most that the protocol allows. */
const PING_SIZE = 65_000;

/** Characters of the longest name that a request may have; each of these takes four bytes. */
const NAME_LENGTH = 1024;

/** Encodes a ping of 65,000 bytes. */
export function largePing(): Uint8Array<ArrayBuffer> {
  return encodeMessage("ping", new Uint8Array(PING_SIZE));
}

/** Encodes a seek to a time in seconds. */
export function seekTo(to: number): Uint8Array<ArrayBuffer> {
  return encodeMessage("control", encodeControl({ action: "seek", to, id: 1 }));
}

/** Encodes a control that no server knows. */
export function unknownControl(): Uint8Array<ArrayBuffer> {
  return encodeMessage("control", encodeControl({ action: "harm" }));
}

/** A name of 4 KB that no media has. */
export function longName(): string {
  return "🎞".repeat(NAME_LENGTH);
}

/** Concatenates a message with copies of itself. */
export function repeated(message: Uint8Array, count: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(message.byteLength * count);
  for (let copy = 0; copy < count; copy++) all.set(message, copy * message.byteLength);
  return all;
}
