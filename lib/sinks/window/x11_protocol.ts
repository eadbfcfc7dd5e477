/**
 * As much of the X protocol as it takes to hear of keys in another program's window (X Window System
 * Protocol, version 11). Little-endian. Pure.
 */

/** Bytes of each error, event, and of each reply before what follows it. */
export const PACKET_SIZE = 32;

/** Bytes of the answer to a greeting before what follows it. */
export const SETUP_HEAD = 8;

/** Kinds of packets that are no events. */
export const [ERROR, REPLY] = [0, 1];

/** The one kind of event that more may follow (X Generic Event Extension). */
export const GENERIC_EVENT = 35;

const KEY_PRESS = 2;
const KEY_RELEASE = 3;
const CREATE_NOTIFY = 16;
const PROPERTY_NOTIFY = 28;
const MAPPING_NOTIFY = 34;

/** Events that a program can ask to be told of. */
export const EVENT_MASKS = { substructure: 1 << 19, property: 1 << 22 };

const CHANGE_ATTRIBUTES = 2;
const INTERN_ATOM = 16;
const GET_PROPERTY = 20;
const GRAB_BUTTON = 28;
const GRAB_KEY = 33;
const UNGRAB_KEY = 34;
const GET_KEYBOARD_MAPPING = 101;

/** The attribute of a window that says which events a program is told of. */
const EVENT_MASK_ATTRIBUTE = 1 << 11;

/** Type of properties that are numbers. */
const CARDINAL = 6;

/** Any key, in place of a key's code. */
const ANY_KEY = 0;

/** Whatever else is held down, in place of a set of modifiers. */
const ANY_MODIFIER = 1 << 15;

/** Nobody else is kept waiting while a key is down, neither for the pointer nor for keys. */
const ASYNCHRONOUS = 1 | 1 << 8;

/** A press of a button, as events that are asked for. */
const BUTTON_PRESS_MASK = 1 << 2;

/** Modifiers, in the state of a key, that say which of the keyboard's layouts is in use. */
const GROUP_SHIFT = 13;

/** What a server says of itself. */
export interface XSetup {
  /** The window that fills the screen. */
  root: number;
  minKeycode: number;
  maxKeycode: number;
}

/** What a server tells of by itself. */
export type XEvent =
  | { kind: "created"; window: number }
  | { kind: "property"; window: number; atom: number }
  | {
    kind: "pressed" | "released";
    keycode: number;
    /** Which of the keyboard's layouts is in use, from 0. */
    group: number;
    /** Milliseconds by the server's clock. */
    time: number;
  }
  | { kind: "mapping" };

/** The greeting that a connection begins with. */
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
 * How the answer to a greeting goes on.
 *
 * @param head its first {@linkcode SETUP_HEAD} bytes
 * @returns whether programs are let in, and how many bytes follow
 */
export function parseSetupHead(head: DataView): { accepted: boolean; length: number } {
  return { accepted: head.getUint8(0) === 1, length: 4 * head.getUint16(6, true) };
}

/**
 * What follows {@linkcode parseSetupHead}.
 *
 * @throws {RangeError} where it is too short
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

/** Asks for the number of a name. */
export function internAtom(name: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8 + padded(name.length));
  bytes.set(request(INTERN_ATOM, [name.length]));
  new DataView(bytes.buffer).setUint16(2, bytes.byteLength / 4, true);
  new TextEncoder().encodeInto(name, bytes.subarray(8));
  return bytes;
}

/** The number in the reply to {@linkcode internAtom}. */
export function parseAtom(reply: DataView): number {
  return reply.getUint32(8, true);
}

/** Asks to be told of what happens to a window, by {@linkcode EVENT_MASKS}; 0 for nothing. */
export function selectEvents(window: number, mask: number): Uint8Array<ArrayBuffer> {
  return request(CHANGE_ATTRIBUTES, [window, EVENT_MASK_ATTRIBUTE, mask]);
}

/** Asks for a number that is a window's property. */
export function getNumber(window: number, atom: number): Uint8Array<ArrayBuffer> {
  return request(GET_PROPERTY, [window, atom, CARDINAL, 0, 1]);
}

/** The number in the reply to {@linkcode getNumber}; `undefined` where there is none. */
export function parseNumber(reply: DataView): number | undefined {
  return reply.byteLength < PACKET_SIZE + 4 ? undefined : reply.getUint32(PACKET_SIZE, true);
}

/** Asks for what stands on the keys. */
export function getKeyboardMapping({ minKeycode, maxKeycode }: XSetup): Uint8Array<ArrayBuffer> {
  const count = maxKeycode - minKeycode + 1;
  return request(GET_KEYBOARD_MAPPING, [minKeycode | count << 8]);
}

/** What stands on the keys: the symbols of each, two for each layout. By their codes. */
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

/** Takes a key from a window, whatever else is held down. */
export function grabKey(window: number, keycode: number): Uint8Array<ArrayBuffer> {
  return request(GRAB_KEY, [window, ANY_MODIFIER | keycode << 16 | 1 << 24, 1]);
}

/** Gives all keys back that were taken from a window. */
export function ungrabKeys(window: number): Uint8Array<ArrayBuffer> {
  return request(UNGRAB_KEY, [window, ANY_MODIFIER], ANY_KEY);
}

/** Takes a button of the mouse from a window, whatever else is held down. */
export function grabButton(window: number, button: number): Uint8Array<ArrayBuffer> {
  const modes = BUTTON_PRESS_MASK | ASYNCHRONOUS << 16;
  return request(GRAB_BUTTON, [window, modes, 0, 0, button | ANY_MODIFIER << 16]);
}

/** What an event tells; `undefined` for those that nobody here asks for. */
export function parseEvent(packet: DataView): XEvent | undefined {
  // The highest bit says that another program has sent it, and not the server.
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

/** A request: its kind, a detail, its length in words, then words. */
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

/** Where an X screen is, and the password for it. Pure. */

/** What DISPLAY names. */
export interface XDisplay {
  /** Machine that it is on; `""` for this one, by a local socket. */
  host: string;
  /** Number of the display on its machine. */
  number: number;
}

/** A password, as programs send it when they connect. */
export interface XCookie {
  /** Name of the kind of password. */
  name: string;
  data: Uint8Array<ArrayBuffer>;
}

/** The kind of password that all servers know: 16 random bytes. */
const COOKIE_KIND = "MIT-MAGIC-COOKIE-1";

/** Family of the addresses that are names of machines (Xauth.h, `FamilyLocal`). */
const LOCAL = 256;

/** Family of what is for any address (Xauth.h, `FamilyWild`). */
const WILD = 65535;

/** One entry of a password file. */
interface Entry {
  family: number;
  address: string;
  number: string;
  name: string;
  data: Uint8Array<ArrayBuffer>;
}

/**
 * Reads the value of DISPLAY: `:0`, `:0.0`, `unix:0`, `host:10.0` (X(7), "Display names").
 *
 * @returns `undefined` for anything else, such as the path of a socket
 */
export function parseDisplay(text: string): XDisplay | undefined {
  const [, host, number] = text.match(/^([^/:]*):(\d{1,5})(?:\.\d+)?$/) ?? [];
  if (number === undefined) return undefined;
  return { host: host === "unix" ? "" : host, number: Number(number) };
}

/**
 * The password for a display, out of the file that the user's programs share (Xsecurity(7), Xauth.h).
 * A file that is damaged is used as far as it goes.
 *
 * @param file all of it
 * @param number of the display
 * @param hostname name of this machine, where it is known
 * @returns `undefined` where there is none for it
 */
export function cookieFor(
  file: Uint8Array<ArrayBuffer>,
  number: number,
  hostname?: string,
): XCookie | undefined {
  const fitting = [...entriesOf(file)].filter((entry) =>
    entry.name === COOKIE_KIND && (entry.number === "" || entry.number === String(number))
  );
  // A home folder may be shared by machines, each of which has a display of this number.
  return fitting.find(({ family, address }) =>
    family === WILD || family === LOCAL && address === hostname
  ) ?? fitting[0];
}

/** The entries: numbers of two bytes from the big end, and texts of a length before them. */
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
