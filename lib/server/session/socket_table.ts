/** The bytes that wait in the system's sockets, as far as Linux tells. */
import { MissingProgramError, ProcessError } from "../../base/errors.ts";
import { startProcess } from "../../ffmpeg/process.ts";

/** The two ports of a connection. */
export interface Ports {
  local: number;
  remote: number;
}

/** Milliseconds from the beginning of one reading of the table to that of the next, at least. */
const GAP = 40;

/** Deno lets only programs with all permissions read these files. */
const READ = ["-c", "cat /proc/net/tcp /proc/net/tcp6"];

/** Reads the system's table of TCP connections, once for all who ask before it begins. */
export class SocketTable {
  #read: () => Promise<string>;
  /** The reading that has not begun. */
  #next: Promise<string> | undefined;
  /** When the last reading began. */
  #begun = -Infinity;
  /** There is no table. */
  #isMissing = Deno.build.os !== "linux";

  /** @param read reads the table; rejects if there is none */
  constructor(read: () => Promise<string> = readTable) {
    this.#read = read;
  }

  /**
   * Bytes of a connection that its peer has not acknowledged and, if that is on this machine, that
   * it has not read.
   *
   * @returns `undefined` if the system does not tell
   */
  async unread(ports: Ports): Promise<number | undefined> {
    if (this.#isMissing) return undefined;
    this.#next ??= this.#readLater();
    try {
      return unreadBytes(await this.#next, ports);
    } catch (error) {
      // A busy system may start no process for now: no reason to end a response.
      this.#isMissing = error instanceof MissingProgramError || error instanceof ProcessError;
      return undefined;
    }
  }

  async #readLater(): Promise<string> {
    const wait = this.#begun + GAP - performance.now();
    await new Promise<void>((resolve) => wait > 0 ? setTimeout(resolve, wait) : resolve());
    this.#next = undefined;
    this.#begun = performance.now();
    return await this.#read();
  }
}

/** The table of this machine, or of the network namespace that the server runs in. */
export const SOCKET_TABLE: SocketTable = new SocketTable();

async function readTable(): Promise<string> {
  // Without the permission, Deno would ask a person for it.
  const { state } = await Deno.permissions.query({ name: "run", command: "sh" });
  if (state !== "granted") throw new MissingProgramError("Cannot run sh: it is not permitted");
  // In the group of the server: the system copies no memory to start it.
  await using child = startProcess("sh", READ, { leavesGroup: true });
  const text = await new Response(child.stdout).text();
  // Without IPv6 there is no second file.
  if (text === "") await child.finished();
  return text;
}

/** How IPv6 writes an address of IPv4, in the words of the table. */
const MAPPED = /\b0000000000000000FFFF0000(?=[0-9A-F]{8}:)/g;

/**
 * Finds a connection in the table: local and remote address, state, and the bytes that wait to be
 * sent and to be read, in hexadecimal digits (Linux, Documentation/networking/proc_net_tcp.rst).
 */
export function unreadBytes(table: string, { local, remote }: Ports): number | undefined {
  const [from, to] = [local, remote].map((port) =>
    port.toString(16).toUpperCase().padStart(4, "0")
  );
  const line = `(\\w+:${from}) (\\w+:${to}) \\w\\w (\\w{8}):\\w{8}`;
  const text = table.replaceAll(MAPPED, "");
  const [found, ...others] = text.matchAll(new RegExp(line, "g"));
  // Two peers of other addresses may have the same port.
  if (found === undefined || others.length > 0) return undefined;
  const [, own, peer, unsent] = found;
  const [, unread = "0"] = text.match(`${peer} ${own} \\w\\w \\w{8}:(\\w{8})`) ?? [];
  return parseInt(unsent, 16) + parseInt(unread, 16);
}
