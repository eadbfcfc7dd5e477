import { formatAddress } from "../core/address.ts";
import { ByteReader, fromSocket } from "../core/byte_reader.ts";
import { ByteWriter } from "../core/byte_writer.ts";
import { deadline } from "../core/deadline.ts";
import { DeadlineError, messageOf } from "../core/errors.ts";

/** Where a server is. */
export interface Target {
  host: string;
  port: number;
}

/** How long the server may keep the client waiting, milliseconds. */
export interface LinkTimeouts {
  /** Until the connection stands. */
  connect: number;
  /** Without a byte in either direction that something is expected in. */
  silence: number;
}

/** Waits of the client, where nothing else is said. A server gives signs of life in between. */
export const DEFAULT_LINK_TIMEOUTS: LinkTimeouts = { connect: 10_000, silence: 30_000 };

/** A connection to a server. Every wait on it has a deadline. */
export class Link implements Disposable {
  readonly reader: ByteReader;
  readonly writer: ByteWriter;
  #socket: Deno.TcpConn;
  #signal: AbortSignal;
  #closed = false;

  constructor(socket: Deno.TcpConn, signal: AbortSignal, timeouts: LinkTimeouts) {
    this.#socket = socket;
    this.#signal = signal;
    const { silence } = timeouts;
    let silent = false;
    const giveUp = () => {
      silent = true;
      this.#close();
    };
    this.reader = new ByteReader(fromSocket({
      read: async (target) => {
        using _limit = deadline(silence, giveUp);
        try {
          return await socket.read(target);
        } catch (cause) {
          signal.throwIfAborted();
          if (!silent) throw cause;
          throw new DeadlineError(`the server was silent for ${silence / 1000} s`, { cause });
        }
      },
    }));
    this.writer = new ByteWriter(socket, { stallTimeout: silence, onStall: giveUp });
    signal.addEventListener("abort", this.#close);
    if (signal.aborted) this.#close();
  }

  [Symbol.dispose](): void {
    this.#signal.removeEventListener("abort", this.#close);
    this.#close();
  }

  #close = (): void => {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  };
}

/**
 * Connects to a server.
 *
 * @throws {Error} with what to do, where that is not possible
 */
export async function connect(
  target: Target,
  signal: AbortSignal,
  timeouts: LinkTimeouts = DEFAULT_LINK_TIMEOUTS,
): Promise<Link> {
  const { host: hostname, port } = target;
  const timeout = AbortSignal.timeout(timeouts.connect);
  try {
    const socket = await Deno.connect({
      hostname,
      port,
      signal: AbortSignal.any([signal, timeout]),
    });
    socket.setNoDelay();
    return new Link(socket, signal, timeouts);
  } catch (cause) {
    signal.throwIfAborted();
    const reason = timeout.aborted
      ? `no answer within ${timeouts.connect / 1000} s, check the address and the firewall`
      : cause instanceof Deno.errors.ConnectionRefused
      ? "nothing listens there, start stream-server or name it with --host and --port"
      : `${messageOf(cause)}, name the server with --host and --port`;
    throw new Error(`Cannot connect to ${formatAddress({ hostname, port })}: ${reason}`, { cause });
  }
}
