/**
 * The part of the X protocol for watching keys in another program's windows (X Window System
 * Protocol, version 11). Little-endian.
 */

/** Bytes of each error and event, and of each reply before its data. */
export const PACKET_SIZE = 32;

/** Bytes of the reply to a greeting before its data. */
export const SETUP_HEAD = 8;

/** Kinds of packets that are no events. */
export const [ERROR, REPLY] = [0, 1];

/** The only kind of event with additional data (X Generic Event Extension). */
export const GENERIC_EVENT = 35;

const KEY_PRESS = 2;
const KEY_RELEASE = 3;
const CREATE_NOTIFY = 16;
const PROPERTY_NOTIFY = 28;
const MAPPING_NOTIFY = 34;

/** Masks of events that a program can select. */
export const EVENT_MASKS = { substructure: 1 << 19, property: 1 << 22 };

const CHANGE_ATTRIBUTES = 2;
const INTERN_ATOM = 16;
const GET_PROPERTY = 20;
const GRAB_BUTTON = 28;
const GRAB_KEY = 33;
const UNGRAB_KEY = 34;
const GET_KEYBOARD_MAPPING = 101;

/** Attribute of a window that selects its events. */
const EVENT_MASK_ATTRIBUTE = 1 << 11;

const CARDINAL = 6;

/** Any key, in place of a keycode. */
const ANY_KEY = 0;

const ANY_MODIFIER = 1 << 15;

/** Grabs without freezing the pointer or the keyboard. */
const ASYNCHRONOUS = 1 | 1 << 8;

const BUTTON_PRESS_MASK = 1 << 2;

/** Bits of the layout in the state of a key event. */
const GROUP_SHIFT = 13;

/** Description of a display. */
export interface XSetup {
  root: number;
  minKeycode: number;
  maxKeycode: number;
}

/** Event of a display. */
export type XEvent =
  | { kind: "created"; window: number }
  | { kind: "property"; window: number; atom: number }
  | {
    kind: "pressed" | "released";
    keycode: number;
    /** Layout in use, from 0. */
    group: number;
    /** Milliseconds by the display's clock. */
    time: number;
  }
  | { kind: "mapping" };

/** Encodes the greeting of a connection. */
export function greeting(cookie: XCookie | undefined): Uint8Array<ArrayBuffer> {
  const name = new TextEncoder().encode(cookie?.name ?? "");
  const data = cookie?.data ?? new Uint8Array(0);
  const bytes = new Uint8Array(12 + padded(name.byteLength) + padded(data.byteLength));
  const view = new DataView(bytes.buffer);
  bytes[0] = "l".charCodeAt(0);
  view.setUint16(2, 11, true);
  view.setUint16(6, name.byteLength, true);
  view.setUint16(8, data.byteLength, true);
  bytes.set(name, 12);
  bytes.set(data, 12 + padded(name.byteLength));
  return bytes;
}

/**
 * Parses the head of the reply to a greeting.
 *
 * @param head first {@linkcode SETUP_HEAD} bytes
 * @returns whether the connection is accepted, and how many bytes follow
 */
export function parseSetupHead(head: DataView): { accepted: boolean; length: number } {
  return { accepted: head.getUint8(0) === 1, length: 4 * head.getUint16(6, true) };
}

/**
 * Parses the data behind the head of that reply.
 *
 * @throws {RangeError} if it is too short
 */
export function parseSetup(rest: DataView): XSetup {
  const vendor = padded(rest.getUint16(16, true));
  const formats = rest.getUint8(21);
  return {
    root: rest.getUint32(32 + vendor + 8 * formats, true),
    minKeycode: rest.getUint8(26),
    maxKeycode: rest.getUint8(27),
  };
}

/** Encodes a request for the atom of a name. */
export function internAtom(name: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8 + padded(name.length));
  bytes.set(request(INTERN_ATOM, [name.length]));
  new DataView(bytes.buffer).setUint16(2, bytes.byteLength / 4, true);
  new TextEncoder().encodeInto(name, bytes.subarray(8));
  return bytes;
}

/** Parses the reply to {@linkcode internAtom}. */
export function parseAtom(reply: DataView): number {
  return reply.getUint32(8, true);
}

/** Encodes a request to select a window's events by {@linkcode EVENT_MASKS}; 0 for none. */
export function selectEvents(window: number, mask: number): Uint8Array<ArrayBuffer> {
  return request(CHANGE_ATTRIBUTES, [window, EVENT_MASK_ATTRIBUTE, mask]);
}

/** Encodes a request for a numeric property of a window. */
export function getNumber(window: number, atom: number): Uint8Array<ArrayBuffer> {
  return request(GET_PROPERTY, [window, atom, CARDINAL, 0, 1]);
}

/** Parses the reply to {@linkcode getNumber}; `undefined` if the window has no such property. */
export function parseNumber(reply: DataView): number | undefined {
  return reply.byteLength < PACKET_SIZE + 4 ? undefined : reply.getUint32(PACKET_SIZE, true);
}

/** Encodes a request for the keyboard mapping. */
export function getKeyboardMapping({ minKeycode, maxKeycode }: XSetup): Uint8Array<ArrayBuffer> {
  const count = maxKeycode - minKeycode + 1;
  return request(GET_KEYBOARD_MAPPING, [minKeycode | count << 8]);
}

/** Parses the keyboard mapping: the keysyms of each keycode, two for each layout. */
export function parseKeyboardMapping(
  reply: DataView,
  { minKeycode }: XSetup,
): Map<number, number[]> {
  const each = reply.getUint8(1);
  const count = each === 0 ? 0 : Math.floor((reply.byteLength - PACKET_SIZE) / 4 / each);
  return new Map(Array.from({ length: count }, (_, key) => [
    minKeycode + key,
    Array.from(
      { length: each },
      (_, column) => reply.getUint32(PACKET_SIZE + 4 * (key * each + column), true),
    ),
  ]));
}

/** Encodes a request to grab a key of a window, with any modifiers. */
export function grabKey(window: number, keycode: number): Uint8Array<ArrayBuffer> {
  return request(GRAB_KEY, [window, ANY_MODIFIER | keycode << 16 | 1 << 24, 1]);
}

/** Encodes a request to release all grabbed keys of a window. */
export function ungrabKeys(window: number): Uint8Array<ArrayBuffer> {
  return request(UNGRAB_KEY, [window, ANY_MODIFIER], ANY_KEY);
}

/** Encodes a request to grab a mouse button of a window, with any modifiers. */
export function grabButton(window: number, button: number): Uint8Array<ArrayBuffer> {
  const modes = BUTTON_PRESS_MASK | ASYNCHRONOUS << 16;
  return request(GRAB_BUTTON, [window, modes, 0, 0, button | ANY_MODIFIER << 16]);
}

/** Parses an event; `undefined` for kinds that are not selected here. */
export function parseEvent(packet: DataView): XEvent | undefined {
  // Other programs' events have the highest bit set, and do not count.
  const kind = packet.getUint8(0);
  if (kind === CREATE_NOTIFY) return { kind: "created", window: packet.getUint32(8, true) };
  if (kind === MAPPING_NOTIFY) return { kind: "mapping" };
  if (kind === PROPERTY_NOTIFY) {
    const [window, atom] = [packet.getUint32(4, true), packet.getUint32(8, true)];
    return { kind: "property", window, atom };
  }
  if (kind !== KEY_PRESS && kind !== KEY_RELEASE) return undefined;
  return {
    kind: kind === KEY_PRESS ? "pressed" : "released",
    keycode: packet.getUint8(1),
    group: packet.getUint16(28, true) >> GROUP_SHIFT & 3,
    time: packet.getUint32(4, true),
  };
}

/** Encodes a request: opcode, detail, length in words, then words. */
function request(opcode: number, words: readonly number[], detail = 0): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 + 4 * words.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, opcode | detail << 8 | (words.length + 1) << 16, true);
  words.forEach((word, index) => view.setUint32(4 + 4 * index, word, true));
  return bytes;
}

function padded(length: number): number {
  return 4 * Math.ceil(length / 4);
}

/** Address of a display. */
export interface XDisplay {
  /** Host; `""` for a local socket. */
  host: string;
  /** Number of the display on its host. */
  number: number;
}

/** Cookie that authorises a connection. */
export interface XCookie {
  /** Name of the authorisation protocol. */
  name: string;
  data: Uint8Array<ArrayBuffer>;
}

/** The authorisation protocol that all servers support: 16 random bytes. */
const COOKIE_KIND = "MIT-MAGIC-COOKIE-1";

/** Address family of host names (Xauth.h, `FamilyLocal`). */
const LOCAL = 256;

/** Address family of any address (Xauth.h, `FamilyWild`). */
const WILD = 65535;

/** Entry of an Xauthority file. */
interface Entry {
  family: number;
  address: string;
  number: string;
  name: string;
  data: Uint8Array<ArrayBuffer>;
}

/**
 * Parses DISPLAY: `:0`, `:0.0`, `unix:0`, `host:10.0` (X(7), "Display names").
 *
 * @returns `undefined` for anything else, such as the path of a socket
 */
export function parseDisplay(text: string): XDisplay | undefined {
  const [, host, number] = text.match(/^([^/:]*):(\d{1,5})(?:\.\d+)?$/) ?? [];
  if (number === undefined) return undefined;
  return { host: host === "unix" ? "" : host, number: Number(number) };
}

/**
 * Finds the cookie of a display in an Xauthority file (Xsecurity(7), Xauth.h). A damaged file is
 * used as far as it can be read.
 *
 * @param file content of the file
 * @param number number of the display
 * @param hostname name of this machine, if known
 * @returns `undefined` if there is none
 */
export function cookieFor(
  file: Uint8Array<ArrayBuffer>,
  number: number,
  hostname?: string,
): XCookie | undefined {
  const fitting = [...entriesOf(file)].filter((entry) =>
    entry.name === COOKIE_KIND && (entry.number === "" || entry.number === String(number))
  );
  // A home folder may be shared by machines that each have a display of this number.
  return fitting.find(({ family, address }) =>
    family === WILD || family === LOCAL && address === hostname
  ) ?? fitting[0];
}

/** Entries: big-endian numbers of two bytes, and fields with their length. */
function* entriesOf(file: Uint8Array<ArrayBuffer>): Generator<Entry> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let at = 0;
  while (at + 2 <= file.byteLength) {
    const family = view.getUint16(at);
    at += 2;
    const fields: Uint8Array<ArrayBuffer>[] = [];
    while (fields.length < 4) {
      if (at + 2 > file.byteLength) return;
      const end = at + 2 + view.getUint16(at);
      if (end > file.byteLength) return;
      fields.push(file.slice(at + 2, end));
      at = end;
    }
    const [address, number, name] = fields.map((field) => new TextDecoder("latin1").decode(field));
    yield { family, address, number, name, data: fields[3] };
  }
}
