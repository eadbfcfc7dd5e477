/** Connections to a server: TCP or TLS, with timeouts. */
import { deadline, onAbort } from "../base/async.ts";
import { ByteReader, fromSocket } from "../base/byte_reader.ts";
import { ByteWriter } from "../base/byte_writer.ts";
import { DeadlineError, isConnectionLost, messageOf } from "../base/errors.ts";
import { formatAddress } from "./address.ts";
import { ConnectError } from "./errors.ts";
import { type ConversationObserver, endingOf, type Observation } from "./observer.ts";
import type { Secret } from "./secret.ts";
import { closeSocket, type Socket } from "./socket.ts";
import { connectTls, type Trust } from "./tls.ts";

/** Protocols that servers speak: that of stream-server, and what scripts send. */
export type Protocol = "native" | "script";

/** How a client authenticates itself, and how it verifies the server. */
export interface Credentials {
  /** Part of every request. */
  token?: Secret;
  /** Which certificate to accept; without it, the connection is not encrypted. */
  trust?: Trust;
}

/** The words in which errors advise the user: the flags of a program, or the options of a function. */
export interface TargetAdvice {
  /** The names of host and port. */
  address: string;
  /** Added if the server requires a token and got none. */
  missingToken: string;
  /** Added if the server requires another token. */
  wrongToken: string;
  /** Added if the peer may not be the expected server, for each protocol that was expected. */
  foreign: Record<Protocol, string>;
}

/** The flags of `stream-client`. */
export const CLIENT_ADVICE: TargetAdvice = {
  address: "--host and --port",
  missingToken: "name a file with it in --token-file, or set STREAM_TOKEN",
  wrongToken:
    "look at --token-file or STREAM_TOKEN, and ask who keeps the server for the right one",
  foreign: {
    native: "is that stream-server? For a script that sends arrays or JPEGs use --classic",
    script: "is that a script that sends arrays or JPEGs? For stream-server leave out --classic",
  },
};

/** The address of a server, and how to connect to it. */
export interface Target {
  host: string;
  port: number;
  credentials?: Credentials;
  /** @default "native" */
  protocol?: Protocol;
  /** @default CLIENT_ADVICE */
  advice?: TargetAdvice;
  /** Sees the conversations with the server. */
  observe?: Observation;
}

/** Timeouts of a connection, milliseconds. */
export interface ConnectionTimeouts {
  /** For TCP and TLS together. */
  connect: number;
  /** For each read, and for a write that makes no progress. */
  idle: number;
}

const TIMEOUTS: Record<Protocol, ConnectionTimeouts> = {
  // A stream-server pings every 5 seconds.
  native: { connect: 10_000, idle: 15_000 },
  // A script sends no pings, and may have nothing to send for a while.
  script: { connect: 10_000, idle: 30_000 },
};

/** Names of the peer of each protocol and of the program that runs there, for errors and events. */
const PEERS: Record<Protocol, { name: string; program: string }> = {
  native: { name: "server", program: "stream-server" },
  script: { name: "script", program: "the script" },
};

/** How a certificate was trusted, in words. */
const TRUSTED_BY: Record<Trust["kind"], string> = {
  fingerprint: "its fingerprint",
  authority: "the named authority",
  system: "the authorities of this machine",
};

/** A connection to a server. Reads and writes on it time out. */
export class ServerConnection implements Disposable {
  readonly reader: ByteReader;
  readonly writer: ByteWriter;
  /** Part of every request. */
  readonly token: Secret | undefined;
  /** Sees the conversation. */
  readonly observer: ConversationObserver | undefined;
  #socket: Socket;
  #abortListener: Disposable;
  #closed = false;

  /** @param signal closes the connection; reads then throw its reason */
  constructor(
    socket: Socket,
    signal: AbortSignal,
    { timeouts: { idle }, token, observer, peer = "server" }: {
      timeouts: ConnectionTimeouts;
      token?: Secret;
      observer?: ConversationObserver;
      /** The name of the peer in errors. @default "server" */
      peer?: string;
    },
  ) {
    this.#socket = socket;
    this.token = token;
    this.observer = observer;
    let timedOut = false;
    const onTimeout = () => {
      timedOut = true;
      observer?.event("timed out", `nothing passed for ${idle / 1000} s`);
      this.#close();
    };
    this.reader = new ByteReader(fromSocket({
      read: async (target) => {
        using _limit = deadline(idle, onTimeout);
        try {
          const count = await socket.read(target);
          if (count === null) observer?.event("closed", `by the ${peer}`);
          return count;
        } catch (cause) {
          observer?.event(...endingOf(cause));
          signal.throwIfAborted();
          if (!timedOut) throw cause;
          throw new DeadlineError(`the ${peer} was silent for ${idle / 1000} s`, { cause });
        }
      },
    }));
    this.writer = new ByteWriter(socket, { stallTimeout: idle, onStall: onTimeout });
    this.#abortListener = onAbort(signal, () => this.#close());
  }

  [Symbol.dispose](): void {
    this.#abortListener[Symbol.dispose]();
    this.#close();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.observer?.event("closed", "by this client");
    this.#socket.close();
  }
}

/**
 * Connects to a server, with TLS if the credentials say how to verify its certificate.
 *
 * @param timeouts by default, those of the server's protocol
 * @throws {ConnectError} with what the user can do about it
 */
export async function connect(
  target: Target,
  signal: AbortSignal,
  timeouts: ConnectionTimeouts = TIMEOUTS[target.protocol ?? "native"],
): Promise<ServerConnection> {
  const { host: hostname, port, observe } = target;
  const observer = observe?.begin();
  observer?.event("connect", `to ${formatAddress({ hostname, port })}`);
  try {
    return await open(target, signal, { timeouts, observer });
  } catch (error) {
    // An event has no advice; the error has it.
    const failure = error instanceof ConnectError ? error.brief : messageOf(error);
    const reason = signal.aborted ? "by this client" : failure;
    observer?.event(signal.aborted ? "closed" : "failed", reason);
    throw error;
  }
}

async function open(
  { host: hostname, port, credentials = {}, protocol = "native", advice = CLIENT_ADVICE }: Target,
  signal: AbortSignal,
  { timeouts, observer }: { timeouts: ConnectionTimeouts; observer?: ConversationObserver },
): Promise<ServerConnection> {
  const { token, trust } = credentials;
  const { name, program } = PEERS[protocol];
  const timeout = AbortSignal.timeout(timeouts.connect);
  const limit = AbortSignal.any([signal, timeout]);
  const seconds = timeouts.connect / 1000;
  const failed = `Cannot connect to ${formatAddress({ hostname, port })}`;
  let tcp: Deno.TcpConn;
  try {
    tcp = await Deno.connect({ hostname, port, signal: limit });
  } catch (cause) {
    signal.throwIfAborted();
    const [reason, remedy] = timeout.aborted
      ? [`no answer within ${seconds} s`, "check the address and the firewall"]
      : cause instanceof Deno.errors.ConnectionRefused
      ? ["nothing listens there", `start ${program} or name it with ${advice.address}`]
      : [messageOf(cause), `name the ${name} with ${advice.address}`];
    const brief = `${failed}: ${reason}`;
    throw new ConnectError(`${brief}, ${remedy}`, { brief, cause });
  }
  tcp.setNoDelay();
  tcp.setKeepAlive();
  const options = { timeouts, token, observer, peer: name };
  const encryption = trust === undefined ? "without TLS" : "TLS follows";
  observer?.event("connected", `from ${formatAddress(tcp.localAddr)}, ${encryption}`);
  if (trust === undefined) return new ServerConnection(tcp, signal, options);
  try {
    using _close = onAbort(limit, () => closeSocket(tcp));
    const socket = await connectTls(tcp, { hostname, port }, trust);
    observer?.event("tls", `handshake done, certificate trusted by ${TRUSTED_BY[trust.kind]}`);
    return new ServerConnection(socket, signal, options);
  } catch (cause) {
    signal.throwIfAborted();
    if (timeout.aborted) {
      const hint = "is that stream-server with --tls-cert and --tls-key?";
      throw new ConnectError(`${failed}: no TLS within ${seconds} s, ${hint}`, { cause });
    }
    const permanent = !(cause instanceof Error && isConnectionLost(cause.cause));
    throw new ConnectError(messageOf(cause), { cause, permanent });
  }
}
