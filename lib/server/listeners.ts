/** Accepts connections on the ports of a server and hands each to the protocol of its port. */
import { abortable, settlesWithin } from "../base/async.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { type Address, formatAddress } from "../net/address.ts";
import { closeSocket } from "../net/socket.ts";
import {
  ConnectionLimiter,
  type ConnectionLimits,
  type ConnectionSlot,
} from "./connection_limiter.ts";
import type { Refusal } from "./metrics/records.ts";

/** Talks with one connected peer until either side is done. Never rejects. */
export interface Conversation {
  /** @param slot of the connection, or why it has none; the protocol tells the peer so */
  (socket: Deno.TcpConn, slot: ConnectionSlot): Promise<void>;
}

/** A row of the listener table: a TCP port and the protocol spoken there. */
export interface PortRow {
  address: Address;
  /**
   * Flags that set the address, for error messages.
   *
   * - `freePort`: the flag for any free port. By default that of the port, and 0.
   */
  flags: { host: string; port: string; freePort?: string };
  /** Holds each conversation. Either side may speak first. */
  converse: Conversation;
  /** Called once the port is open. */
  onListening?: (address: Deno.NetAddr) => void | Promise<void>;
}

/** A row whose service listens itself, such as an HTTP server. It outlives all conversations. */
export interface ServiceRow {
  /** @throws {Error} if it cannot listen */
  start: () => Promise<AsyncDisposable>;
}

/** A row of the listener table. */
export type ListenerRow = PortRow | ServiceRow;

/** Options of {@linkcode Listeners}. */
export interface ListenersOptions {
  /** Limits that all ports share. */
  limits: ConnectionLimits;
  logger: Logger;
  /** Called for each connection that gets no slot. */
  onRefusal: (reason: Refusal) => void;
}

/** Milliseconds until the next try after a connection could not be accepted. */
const ACCEPT_PAUSE = 100;

/** Milliseconds between log lines about connections that could not be accepted. */
const ACCEPT_LOG_INTERVAL = 60_000;

/** EMFILE and ENFILE, for which Deno has no class of errors. */
const NO_DESCRIPTOR = /os error (24|23)\)/;

/** The open ports of a server and the conversations on them. */
export class Listeners implements AsyncDisposable {
  #limiter: ConnectionLimiter;
  #logger: Logger;
  #onRefusal: (reason: Refusal) => void;
  #ports: { listener: Deno.TcpListener; converse: Conversation }[] = [];
  #services: AsyncDisposable[] = [];
  #conversations = new Set<Promise<void>>();
  #closed = false;

  constructor({ limits, logger, onRefusal }: ListenersOptions) {
    this.#limiter = new ConnectionLimiter(limits);
    this.#logger = logger;
    this.#onRefusal = onRefusal;
  }

  /** Address of the first port. */
  get address(): Deno.NetAddr {
    return this.#ports[0].listener.addr;
  }

  /** Connections that hold a slot. */
  get connections(): number {
    return this.#limiter.taken;
  }

  /**
   * Opens the rows of a table in their order.
   *
   * @throws {Error} if a row cannot be opened; the rows before it stay open until disposed
   */
  async open(table: readonly ListenerRow[]): Promise<void> {
    for (const row of table) {
      if ("start" in row) {
        this.#services.push(await row.start());
      } else {
        const listener = listen(row);
        this.add(listener, row.converse);
        await row.onListening?.(listener.addr);
      }
    }
  }

  /** Adds a port that is open already, and closes it with the others. */
  add(listener: Deno.TcpListener, converse: Conversation): void {
    this.#ports.push({ listener, converse });
  }

  /**
   * Accepts connections on all ports until they are closed.
   *
   * @throws {Error} if nothing can be accepted any more
   */
  async run(): Promise<void> {
    await Promise.all(this.#ports.map((port) => this.#accept(port)));
  }

  /** Waits until every conversation is over. */
  async idle(): Promise<void> {
    await Promise.all(this.#conversations);
  }

  /** Waits until every conversation is over, but no longer than `milliseconds` or the signal. */
  async idleWithin(milliseconds: number, signal: AbortSignal): Promise<void> {
    // The caller looks at what is left, whatever ended the wait.
    await settlesWithin(abortable(this.idle(), signal), milliseconds).catch(() => {});
  }

  /** Adds a conversation that began elsewhere, to wait for its end with the others. */
  follow(conversation: Promise<void>): void {
    this.#conversations.add(conversation);
    conversation.finally(() => this.#conversations.delete(conversation));
  }

  /** Closes the ports; conversations and services go on. Harmless when repeated. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { listener } of this.#ports) listener.close();
  }

  /** Closes the ports, waits for the conversations, and ends the services, the last one first. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.idle();
    for (const service of this.#services.splice(0).reverse()) await service[Symbol.asyncDispose]();
  }

  async #accept({ listener, converse }: { listener: Deno.TcpListener; converse: Conversation }) {
    let loggedAt = -Infinity;
    while (true) {
      let socket: Deno.TcpConn;
      try {
        socket = await listener.accept();
      } catch (error) {
        if (this.#closed) return;
        // The peer left before it was accepted, or there is no file descriptor left: the next
        // conversation that ends frees one.
        const now = performance.now();
        if (now - loggedAt >= ACCEPT_LOG_INTERVAL) {
          loggedAt = now;
          this.#logger.log("warn", `Cannot accept a connection: ${reasonOf(error)}`);
        }
        await settlesWithin(Promise.race(this.#conversations), ACCEPT_PAUSE);
        continue;
      }
      this.#admit(socket, converse);
    }
  }

  #admit(socket: Deno.TcpConn, converse: Conversation): void {
    const { hostname } = socket.remoteAddr;
    const slot = this.#limiter.take(hostname, () => closeSocket(socket));
    if (slot.refusal !== undefined) this.#onRefusal(slot.refusal);
    this.follow(converse(socket, slot).finally(() => slot[Symbol.dispose]()));
  }
}

function reasonOf(error: unknown): string {
  const reason = messageOf(error);
  if (!NO_DESCRIPTOR.test(reason)) return reason;
  // At its start, Deno raises the soft limit to the hard one.
  return `${reason}, raise the hard limit of open files (ulimit -Hn, LimitNOFILE= of systemd)`;
}

function listen({ address: { hostname, port }, flags }: PortRow): Deno.TcpListener {
  const { freePort = `${flags.port} 0` } = flags;
  try {
    return Deno.listen({ hostname, port });
  } catch (cause) {
    const reason = cause instanceof Deno.errors.AddrInUse
      ? `the port is taken, choose another with ${flags.port}, or ${freePort} for a free one`
      : cause instanceof Deno.errors.PermissionDenied
      ? `not permitted, choose a port above 1023 with ${flags.port}`
      : `${messageOf(cause)}, choose an address of this machine with ${flags.host}`;
    throw new Error(`Cannot listen on ${formatAddress({ hostname, port })}: ${reason}`, { cause });
  }
}
