/** The interface of observers of a connection, such as `--explain`. */
import { DeadlineError, isConnectionClosed, isConnectionLost, messageOf } from "../base/errors.ts";

/** A message of the native protocol, as it is on the wire. Valid only during the call. */
export interface NativeMessage {
  /** 16 bytes. */
  header: Uint8Array;
  payload: Uint8Array;
}

/** A message of any other framing, in words. */
export interface WordedMessage {
  /** Its place in the conversation; a reply is an acknowledgement, or a result. */
  kind: "request" | "frame" | "reply" | "end";
  /** Bytes on the wire, those of its framing included. */
  bytes: number;
  /** Payload and framing: `640x480 bgr24: 4-byte length (little-endian), then a pickle`. */
  words: string;
}

/** A message on its way. */
export type ObservedMessage = NativeMessage | WordedMessage;

/** Events after which a connection is over. */
export const ENDINGS = ["closed", "cut", "timed out", "failed"] as const;

/** An event of a connection. */
export type ConnectionEvent =
  | "connect"
  | "connected"
  | "tls"
  | "retry"
  | typeof ENDINGS[number];

/** Sees one conversation. Its methods must not throw. */
export interface ConversationObserver {
  /** Called with each message of this side, before it is written. */
  sent(message: ObservedMessage): void;
  /** Called with each message of the peer, once it has been read to its end. */
  received(message: ObservedMessage): void;
  /** Called with each other event, and with what it means in words. */
  event(event: ConnectionEvent, words: string): void;
}

/** Sees all conversations of a client. */
export interface Observation {
  /** Called before each attempt to connect. */
  begin(): ConversationObserver;
  /** Called when the last attempt has failed, or its connection is lost, and another one follows. */
  retry(words: string): void;
}

/** The event that an error means to a connection, and its reason in words. */
export function endingOf(error: unknown): [event: typeof ENDINGS[number], words: string] {
  const words = messageOf(error);
  if (error instanceof DeadlineError) return ["timed out", words];
  if (isConnectionLost(error)) return ["cut", words];
  return [isConnectionClosed(error) ? "closed" : "failed", words];
}
