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
