/** Names what datagrams contain that are no part of a JPEG. */
import { quotable } from "../pickle/values.ts";

/** First bytes of formats that are sent over UDP by mistake. */
const SIGNATURES: readonly (readonly [name: string, pattern: readonly (number | undefined)[]])[] = [
  ["a PNG", [0x89, 0x50, 0x4e, 0x47]],
  ["a WebP", [...latin1("RIFF"), ...Array(4), ...latin1("WEBP")]],
  ["H.264 or H.265", [0, 0, 0, 1]],
  ["H.264 or H.265", [0, 0, 1]],
  ["MPEG-TS", [0x47, ...Array(187), 0x47]],
];

/** Bytes from which text is no accident. */
const MIN_TEXT = 8;

/** Text, with line ends. */
const TEXT = /^[\t\n\r -~]+$/;

/** Bytes in front of a piece that may be numbers. */
const MAX_NUMBERS = 16;

/** Bytes of the shortest header of RTP. */
const RTP_HEADER = 12;

/** Bytes that are shown of what is not known. */
const SHOWN = 8;

/** Describes a datagram: `12 bytes of text "hello"`. */
export function describeDatagram(datagram: Uint8Array): string {
  const { byteLength } = datagram;
  if (byteLength === 0) return "no byte";
  const name = SIGNATURES.find(([, pattern]) => begins(datagram, pattern))?.[0];
  if (name !== undefined) return `${byteLength} bytes of ${name}`;
  if (isText(datagram)) return `${byteLength} bytes of text "${quotable(datagram)}"`;
  if (isRtp(datagram)) {
    return `${byteLength} bytes that look like RTP of payload type ${datagram[1] & 0x7f}`;
  }
  const hex = [...datagram.subarray(0, SHOWN)].map((byte) => byte.toString(16).padStart(2, "0"));
  return `${byteLength} bytes that begin with ${hex.join(" ")}`;
}

/**
 * Whether a datagram may be a piece from the middle of a JPEG: behind some numbers, each byte `ff` is
 * that of a marker, or followed by 0 (ITU-T T.81, F.1.2.3). So may a number alone, which some scripts
 * send in front of the pieces.
 */
export function mayBePiece(datagram: Uint8Array): boolean {
  if (SIGNATURES.some(([, pattern]) => begins(datagram, pattern))) return false;
  if (datagram.byteLength >= MIN_TEXT && isText(datagram)) return isNumber(datagram);
  for (let at = MAX_NUMBERS; at + 1 < datagram.byteLength; at++) {
    at = datagram.indexOf(0xff, at);
    if (at < 0 || at + 1 === datagram.byteLength) break;
    const next = datagram[at + 1];
    if (next === 0xff || (next > 0 && next < 0xc0)) return false;
  }
  return true;
}

function begins(datagram: Uint8Array, pattern: readonly (number | undefined)[]): boolean {
  return datagram.byteLength >= pattern.length &&
    pattern.every((byte, at) => byte === undefined || byte === datagram[at]);
}

function isText(datagram: Uint8Array): boolean {
  return TEXT.test(new TextDecoder("latin1").decode(datagram));
}

function isNumber(text: Uint8Array): boolean {
  return /^\s*\d+\s*$/.test(quotable(text));
}

/** Version 2 of RTP with a payload type in use (RFC 3550, 5.1; RFC 3551, 6). */
function isRtp({ byteLength, 0: first, 1: second }: Uint8Array): boolean {
  const type = second & 0x7f;
  return byteLength >= RTP_HEADER && first >> 6 === 2 && (type <= 34 || type >= 96);
}

function latin1(text: string): number[] {
  return [...text].map((character) => character.charCodeAt(0));
}
