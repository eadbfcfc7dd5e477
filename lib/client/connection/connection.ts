import { deadline } from "../../base/async.ts";
import { ByteReader, fromSocket } from "../../base/byte_reader.ts";
import { ByteWriter } from "../../base/byte_writer.ts";
import { DeadlineError, isConnectionLost, messageOf } from "../../base/errors.ts";
import { formatAddress } from "../../net/address.ts";
import { closeSocket, type Socket } from "../../net/socket.ts";
import type { Secret } from "../../net/secret.ts";
import type { Credentials } from "./credentials.ts";
import { ConnectError } from "./errors.ts";
import { connectSecurely } from "./tls.ts";

/** Where a server is. */
export interface Target {
  host: string;
  port: number;
  credentials?: Credentials;
  /** It is a script, which gives no signs of life in between. */
  classic?: boolean;
}

/** How long the server may keep the client waiting, milliseconds. */
export interface ConnectionTimeouts {
  /** Until the connection stands. */
  connect: number;
  /** Without a byte in either direction that something is expected in. */
  silence: number;
}

/** Waits of the client, where nothing else is said. A server pings every 5 seconds. */
export const DEFAULT_CONNECTION_TIMEOUTS: ConnectionTimeouts = { connect: 10_000, silence: 15_000 };

/** Waits for a script, which may have nothing to send for a while. */
const SCRIPT_CONNECTION_TIMEOUTS: ConnectionTimeouts = { connect: 10_000, silence: 30_000 };

/** A connection to a server. Every wait on it has a deadline. */
export class ServerConnection implements Disposable {
  readonly reader: ByteReader;
  readonly writer: ByteWriter;
  /** Goes with every request. */
  readonly token: Secret | undefined;
  #socket: Socket;
  #signal: AbortSignal;
  #closed = false;

  constructor(
    socket: Socket,
    signal: AbortSignal,
    { timeouts, token }: { timeouts: ConnectionTimeouts; token?: Secret },
  ) {
    this.#socket = socket;
    this.token = token;
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
 * @throws {ConnectError} with what to do, where that is not possible
 */
export async function connect(
  target: Target,
  signal: AbortSignal,
  timeouts: ConnectionTimeouts = target.classic
    ? SCRIPT_CONNECTION_TIMEOUTS
    : DEFAULT_CONNECTION_TIMEOUTS,
): Promise<ServerConnection> {
  const { token, trust } = target.credentials ?? {};
  const timeout = AbortSignal.timeout(timeouts.connect);
  const limit = AbortSignal.any([signal, timeout]);
  const raw = await connectPlainly(target, { signal, timeout, limit, timeouts });
  raw.setNoDelay();
  raw.setKeepAlive();
  if (trust === undefined) return new ServerConnection(raw, signal, { timeouts, token });
  const { host: hostname, port } = target;
  const close = () => closeSocket(raw);
  limit.addEventListener("abort", close);
  try {
    if (limit.aborted) close();
    const socket = await connectSecurely(raw, { hostname, port }, trust);
    return new ServerConnection(socket, signal, { timeouts, token });
  } catch (cause) {
    signal.throwIfAborted();
    if (!timeout.aborted) {
      const lasting = !(cause instanceof Error && isConnectionLost(cause.cause));
      throw new ConnectError(messageOf(cause), { cause, lasting });
    }
    const reason = `no TLS within ${timeouts.connect / 1000} s, is that stream-server with ` +
      "--tls-cert and --tls-key?";
    throw new ConnectError(`Cannot connect to ${formatAddress({ hostname, port })}: ${reason}`, {
      cause,
    });
  } finally {
    limit.removeEventListener("abort", close);
  }
}

async function connectPlainly(
  { host: hostname, port }: Target,
  { signal, timeout, limit, timeouts }: {
    signal: AbortSignal;
    timeout: AbortSignal;
    /** Of both, the one that fires first. */
    limit: AbortSignal;
    timeouts: ConnectionTimeouts;
  },
): Promise<Deno.TcpConn> {
  try {
    return await Deno.connect({ hostname, port, signal: limit });
  } catch (cause) {
    signal.throwIfAborted();
    const [reason, advice] = timeout.aborted
      ? [`no answer within ${timeouts.connect / 1000} s`, "check the address and the firewall"]
      : cause instanceof Deno.errors.ConnectionRefused
      ? ["nothing listens there", "start stream-server or name it with --host and --port"]
      : [messageOf(cause), "name the server with --host and --port"];
    const brief = `Cannot connect to ${formatAddress({ hostname, port })}: ${reason}`;
    throw new ConnectError(`${brief}, ${advice}`, { brief, cause });
  }
}
