/** Waits for scripts that connect and send: one at a time. */
import { abortable, settlesWithin } from "../../base/async.ts";
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import { DeadlineError, isConnectionLost, messageOf } from "../../base/errors.ts";
import { type Address, formatAddress, isLoopback } from "../../net/address.ts";
import { ServerConnection } from "../../net/connection.ts";
import type { ConversationObserver, Observation } from "../../net/observer.ts";
import { closeSocket } from "../../net/socket.ts";
import type { ScriptConnection } from "../../protocol/script/receiver.ts";

/** Milliseconds that a script may be silent. */
const IDLE_TIMEOUT = 30_000;

/** Milliseconds between lines about scripts that are turned away. */
const NOTICE_INTERVAL = 5_000;

/** Milliseconds until the next try after a connection could not be accepted. */
const ACCEPT_PAUSE = 100;

/** Options of {@linkcode ScriptListener}. */
export interface ScriptListenerOptions {
  address: Address;
  /** The flag that names the address, without the dashes. */
  flag: string;
  /** Something is sent to a script before it sends. @default false */
  speaksFirst?: boolean;
  /** Milliseconds that a script may be silent. @default 30_000 */
  idle?: number;
  /** Shows a line to the user. */
  notify: (line: string) => void;
  /** @default MONOTONIC_CLOCK */
  clock?: Clock;
}

/** A connection that a script has made. */
export interface ListenedConnection extends ScriptConnection {
  /** Address of the script. */
  readonly peer: Deno.NetAddr;
}

/** A port that scripts connect to. While one sends, others are closed at once. */
export class ScriptListener implements AsyncDisposable {
  #options: ScriptListenerOptions;
  #clock: Clock;
  #listener: Deno.TcpListener;
  /** The script that sends, or has connected to do so. */
  #current: Deno.TcpConn | undefined;
  /** The script that nobody has taken yet. */
  #waiting: Deno.TcpConn | undefined;
  #arrived = Promise.withResolvers<void>();
  #closed = false;
  #noticedAt = -Infinity;
  #isAnnounced = false;
  #onConnected = () => {};
  #accepting: Promise<void>;

  /** @throws {Error} if the address cannot be listened on */
  constructor(options: ScriptListenerOptions) {
    const { address, flag, clock = MONOTONIC_CLOCK } = options;
    this.#options = options;
    this.#clock = clock;
    try {
      this.#listener = Deno.listen(address);
    } catch (cause) {
      const reason = cause instanceof Deno.errors.AddrInUse
        ? "another program listens there"
        : messageOf(cause);
      throw new Error(
        `Cannot wait for a script on ${formatAddress(address)}: ${reason}, expected another ` +
          `address or port in --${flag}`,
        { cause },
      );
    }
    this.#accepting = this.#accept();
  }

  /** Address of the port. */
  get address(): Deno.NetAddr {
    return this.#listener.addr as Deno.NetAddr;
  }

  /** Tells the user its address, once. */
  announce(): void {
    if (this.#isAnnounced) return;
    this.#isAnnounced = true;
    this.#options.notify(waitingLine(this.address, this.#options.flag));
  }

  /** Shows lines to the user in another way from now on. */
  notifyBy(notify: (line: string) => void): void {
    this.#options = { ...this.#options, notify };
  }

  /** Calls a function with each script that connects from now on. */
  onConnected(act: () => void): void {
    this.#onConnected = act;
  }

  /** Shows a line, unless there was one just before: peers must not flood the terminal. */
  notice(line: string): void {
    const now = this.#clock.now();
    if (now - this.#noticedAt < NOTICE_INTERVAL) return;
    this.#noticedAt = now;
    this.#options.notify(line);
  }

  /**
   * Waits for a script. It is the only one until the connection is disposed.
   *
   * @param observe sees the conversation
   * @throws the signal's reason, which also closes the connection
   */
  async next(signal: AbortSignal, observe?: Observation): Promise<ListenedConnection> {
    this.announce();
    while (true) {
      const observer = observe?.begin();
      observer?.event("connect", `waiting for it on ${formatAddress(this.address)}`);
      const socket = await this.#take(signal);
      this.#onConnected();
      observer?.event("connected", `from ${formatAddress(socket.remoteAddr)}, without TLS`);
      const connection = this.#open(socket, { signal, observer });
      const silence = this.#options.speaksFirst
        ? undefined
        : await this.#silenceOf(connection, signal);
      if (silence === undefined) return connection;
      connection[Symbol.dispose]();
      this.notice(`${formatAddress(socket.remoteAddr)} ${silence}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#listener.close();
      if (this.#waiting !== undefined) closeSocket(this.#waiting);
    }
    await this.#accepting;
  }

  async #accept(): Promise<void> {
    while (!this.#closed) {
      let socket: Deno.TcpConn;
      try {
        socket = await this.#listener.accept();
      } catch {
        // It is closed, or the script has left before it was accepted, or no descriptor is left.
        if (!this.#closed) await settlesWithin(new Promise(() => {}), ACCEPT_PAUSE);
        continue;
      }
      if (this.#current !== undefined) {
        closeSocket(socket);
        this.notice(`Closed ${formatAddress(socket.remoteAddr)}: another script is sending`);
        continue;
      }
      this.#current = this.#waiting = socket;
      this.#arrived.resolve();
    }
  }

  async #take(signal: AbortSignal): Promise<Deno.TcpConn> {
    while (this.#waiting === undefined) {
      signal.throwIfAborted();
      this.#arrived = Promise.withResolvers();
      await abortable(this.#arrived.promise, signal);
    }
    const socket = this.#waiting;
    this.#waiting = undefined;
    return socket;
  }

  #open(
    socket: Deno.TcpConn,
    { signal, observer }: { signal: AbortSignal; observer: ConversationObserver | undefined },
  ): ListenedConnection {
    const { idle = IDLE_TIMEOUT } = this.#options;
    socket.setNoDelay();
    socket.setKeepAlive();
    const connection = new ServerConnection(socket, signal, {
      timeouts: { connect: idle, idle },
      observer,
      peer: "script",
    });
    return {
      peer: socket.remoteAddr,
      reader: connection.reader,
      writer: connection.writer,
      observer,
      [Symbol.dispose]: () => {
        connection[Symbol.dispose]();
        if (this.#current === socket) this.#current = undefined;
      },
    };
  }

  /** Waits for the first byte; if there is none, says so in words. */
  async #silenceOf(
    connection: ScriptConnection,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const left = "has left without sending anything";
    try {
      return await connection.reader.peek(1) === undefined ? left : undefined;
    } catch (error) {
      if (signal.aborted) connection[Symbol.dispose]();
      signal.throwIfAborted();
      if (isConnectionLost(error)) return left;
      if (error instanceof DeadlineError) return "is closed: it has sent nothing";
      throw error;
    }
  }
}

/** The line with the address at which a script is awaited, and how others reach it. */
function waitingLine(address: Deno.NetAddr, flag: string): string {
  const place = formatAddress(address);
  const hint = isLoopback(address.hostname)
    ? `; for scripts on other machines use --${flag} ${flag === "probe" ? "listen:" : ""}0.0.0.0:` +
      address.port
    : "";
  return `Waiting for a camera on ${place}${hint}`;
}
