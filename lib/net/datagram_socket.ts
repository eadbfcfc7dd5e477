/** A UDP port that datagrams arrive at. */
import type { RemoteInfo, Socket as UdpSocket } from "node:dgram";
import { onAbort } from "../base/async.ts";
import { messageOf } from "../base/errors.ts";
import { type Address, formatAddress } from "./address.ts";
import { ConnectError } from "./errors.ts";

/** Takes what arrives at a port. */
export interface DatagramListener {
  /**
   * Called with each datagram.
   *
   * @param bytes valid during the call
   * @param sender address and port
   */
  onDatagram(bytes: Uint8Array, sender: string): void;
  /** Called once, when the port is closed; with the reason, if it failed. */
  onClose(reason?: unknown): void;
}

/** An open port. Disposing of it closes it. */
export interface DatagramSocket extends Disposable {
  /** Own address and port. */
  readonly address: Address;
  /** Hands over what arrives from now on, and nothing to the listener before. */
  listen(listener: DatagramListener): void;
}

/** Options of {@linkcode openDatagramSocket}. */
export interface DatagramSocketOptions {
  /** IP address to listen on. @default all of this machine, IPv4 and IPv6 */
  hostname?: string;
  /** UDP port; 0 for any. */
  port: number;
  /** Closes the port. */
  signal: AbortSignal;
}

/** Codes of the error if the system has no IPv6. */
const NO_IPV6: readonly unknown[] = ["EAFNOSUPPORT", "EADDRNOTAVAIL"];

/**
 * Opens a UDP port. Node's sockets do it, since Deno's own need a flag of their own
 * (`--unstable-net`).
 *
 * Datagrams that are not read yet wait in the system's buffer, and are lost if it is full. Deno 2.9
 * does not pass Node's `setRecvBufferSize()` on, so that its size is the system's default: on Linux
 * `net.core.rmem_default`, by default 208 KiB, which 92 datagrams of 1400 bytes fill.
 *
 * @throws {ConnectError} if that is not possible, such as because another program uses it
 */
export async function openDatagramSocket(
  { hostname, port, signal }: DatagramSocketOptions,
): Promise<DatagramSocket> {
  signal.throwIfAborted();
  try {
    const socket = await bind(hostname ?? "::", port).catch((error) => {
      if (hostname !== undefined || !NO_IPV6.includes(error.code)) throw error;
      return bind("0.0.0.0", port);
    });
    const opened = new OpenSocket(socket, signal);
    signal.throwIfAborted();
    return opened;
  } catch (cause) {
    signal.throwIfAborted();
    const place = hostname === undefined ? `port ${port}` : formatAddress({ hostname, port });
    const isUsed = isCode(cause, "EADDRINUSE");
    const reason = isUsed ? "another program uses it, expected a free one" : messageOf(cause);
    throw new ConnectError(`Cannot receive datagrams on UDP ${place}: ${reason}`, {
      brief: `Cannot receive datagrams: ${
        isUsed ? "another program uses" : "it cannot open"
      } the port`,
      cause,
    });
  }
}

class OpenSocket implements DatagramSocket {
  readonly address: Address;
  #socket: UdpSocket;
  #listener: DatagramListener | undefined;
  #abortListener: Disposable;
  /** Why it was closed. */
  #closed: { reason?: unknown } | undefined;

  constructor(socket: UdpSocket, signal: AbortSignal) {
    this.#socket = socket;
    const { address: hostname, port } = socket.address();
    this.address = { hostname, port };
    socket.on("message", (message: Uint8Array, { address, port }: RemoteInfo) => {
      // The methods of Node's buffers differ from those of their base class: slice() copies nothing.
      const bytes = new Uint8Array(message.buffer, message.byteOffset, message.byteLength);
      this.#listener?.onDatagram(bytes, formatAddress({ hostname: address, port }));
    });
    socket.on("error", (reason: Error) => this.#close(reason));
    this.#abortListener = onAbort(signal, () => this.#close(signal.reason));
  }

  listen(listener: DatagramListener): void {
    this.#listener = listener;
    if (this.#closed !== undefined) listener.onClose(this.#closed.reason);
  }

  [Symbol.dispose](): void {
    this.#close();
  }

  #close(reason?: unknown): void {
    if (this.#closed !== undefined) return;
    this.#closed = { reason };
    // The signal may have aborted before the listener was set.
    this.#abortListener?.[Symbol.dispose]();
    this.#socket.close();
    this.#listener?.onClose(reason);
  }
}

async function bind(hostname: string, port: number): Promise<UdpSocket> {
  // Loaded for those who receive datagrams, since that takes long; see net/socket.ts.
  const { createSocket } = await import("node:dgram");
  const socket = createSocket(hostname.includes(":") ? "udp6" : "udp4");
  const { promise, resolve, reject } = Promise.withResolvers<UdpSocket>();
  const onError = (error: Error) => {
    socket.close();
    reject(error);
  };
  socket.once("error", onError);
  socket.bind(port, hostname, () => {
    socket.off("error", onError);
    resolve(socket);
  });
  return await promise;
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
