/** A connection to an X display, without a library. */
import { deadline } from "../../base/async.ts";
import { ByteReader, fromSocket } from "../../base/byte_reader.ts";
import { ByteWriter } from "../../base/byte_writer.ts";
import {
  cookieFor,
  ERROR,
  GENERIC_EVENT,
  greeting,
  PACKET_SIZE,
  parseDisplay,
  parseEvent,
  parseSetup,
  parseSetupHead,
  REPLY,
  SETUP_HEAD,
  type XCookie,
  type XDisplay,
  type XEvent,
  type XSetup,
} from "./x11_protocol.ts";

/** Milliseconds in which a display has to reply, or to take a request. */
const PATIENCE = 5_000;

/** TCP port of display 0 (X Window System Protocol, appendix B). */
const FIRST_PORT = 6000;

/** Options of {@linkcode XConnection}. */
export interface XConnectionOptions {
  onEvent: (event: XEvent) => void;
  /** Milliseconds in which the display has to accept the connection. @default 5_000 */
  patience?: number;
}

/** Connection to an X display, to watch other programs' windows. */
export class XConnection implements AsyncDisposable {
  readonly setup: XSetup;
  #socket: Deno.Conn;
  #reader: ByteReader;
  #writer: ByteWriter;
  #onEvent: (event: XEvent) => void;
  /** Sequence number of the last request; packets carry its lower 16 bits. */
  #sequence = 0;
  #waiting = new Map<number, PromiseWithResolvers<DataView>>();
  #reading: Promise<void>;
  #closed = false;

  private constructor(
    { socket, reader }: { socket: Deno.Conn; reader: ByteReader },
    setup: XSetup,
    { onEvent }: XConnectionOptions,
  ) {
    this.setup = setup;
    this.#socket = socket;
    this.#reader = reader;
    this.#onEvent = onEvent;
    this.#writer = new ByteWriter(socket, {
      stallTimeout: PATIENCE,
      onStall: () => this.#close(),
    });
    this.#reading = this.#read();
  }

  /**
   * Connects to the display of DISPLAY with the user's cookie.
   *
   * @throws {Error} if there is none, or it refuses the connection
   */
  static async open(options: XConnectionOptions): Promise<XConnection> {
    const named = Deno.env.get("DISPLAY") ?? "";
    const display = parseDisplay(named);
    if (display === undefined) {
      throw new Error(`Cannot find the screen "${named}": expected HOST:NUMBER`);
    }
    const cookie = await readCookie(display);
    const { patience = PATIENCE } = options;
    const socket = await connect(display, patience);
    let late = false;
    using _limit = deadline(patience, () => {
      late = true;
      socket.close();
    });
    try {
      const reader = new ByteReader(fromSocket(socket));
      return new XConnection({ socket, reader }, await greet(socket, reader, cookie), options);
    } catch (error) {
      if (!late) socket.close();
      throw error;
    }
  }

  /** Sends requests without replies in one write. Their errors are ignored. */
  async send(...requests: readonly Uint8Array[]): Promise<void> {
    this.#sequence = (this.#sequence + requests.length) & 0xffff;
    await this.#writer.write(...requests);
  }

  /**
   * Sends a request and waits for its reply.
   *
   * @returns `undefined` if the display reports an error, since the request's object is gone
   * @throws {Error} if the connection ends first
   */
  async ask(request: Uint8Array): Promise<DataView | undefined> {
    const response = Promise.withResolvers<DataView>();
    const sent = this.send(request);
    this.#waiting.set(this.#sequence, response);
    const [reply] = await Promise.all([response.promise, sent]);
    return reply.getUint8(0) === ERROR ? undefined : reply;
  }

  /** Closes the connection, and waits until reading has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
    await this.#reading;
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  }

  async #read(): Promise<void> {
    try {
      while (true) this.#take(await this.#readPacket());
    } catch (reason) {
      // The display is gone, or the connection was closed; pending requests fail.
      for (const { reject } of this.#waiting.values()) reject(reason);
      this.#close();
    }
  }

  async #readPacket(): Promise<DataView> {
    const head = await readExactly(this.#reader, PACKET_SIZE);
    const kind = head.getUint8(0);
    const goesOn = kind === REPLY || kind === GENERIC_EVENT;
    const length = goesOn ? 4 * head.getUint32(4, true) : 0;
    if (length === 0) return head;
    const rest = await readExactly(this.#reader, length);
    const whole = new Uint8Array(PACKET_SIZE + length);
    whole.set(new Uint8Array(head.buffer));
    whole.set(new Uint8Array(rest.buffer), PACKET_SIZE);
    return new DataView(whole.buffer);
  }

  #take(packet: DataView): void {
    const kind = packet.getUint8(0);
    if (kind === ERROR || kind === REPLY) {
      const sequence = packet.getUint16(2, true);
      this.#waiting.get(sequence)?.resolve(packet);
      this.#waiting.delete(sequence);
      return;
    }
    const event = parseEvent(packet);
    if (event !== undefined) this.#onEvent(event);
  }
}

async function connect({ host, number }: XDisplay, patience: number): Promise<Deno.Conn> {
  if (host === "") {
    return await Deno.connect({ transport: "unix", path: `/tmp/.X11-unix/X${number}` });
  }
  const late = new AbortController();
  using _limit = deadline(patience, () => late.abort());
  return await Deno.connect({ hostname: host, port: FIRST_PORT + number, signal: late.signal });
}

/** @throws {Error} if the display refuses the connection */
async function greet(
  socket: Deno.Conn,
  reader: ByteReader,
  cookie: XCookie | undefined,
): Promise<XSetup> {
  await socket.write(greeting(cookie));
  const { accepted, length } = parseSetupHead(await readExactly(reader, SETUP_HEAD));
  if (!accepted) throw new Error("Cannot use the screen: it does not let this program in");
  return parseSetup(await readExactly(reader, length));
}

async function readExactly(reader: ByteReader, count: number): Promise<DataView<ArrayBuffer>> {
  const bytes = await reader.readInto(new Uint8Array(count));
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Cookie for a display; `undefined` if the user has none. */
async function readCookie({ number }: XDisplay): Promise<XCookie | undefined> {
  const path = Deno.env.get("XAUTHORITY") ?? `${Deno.env.get("HOME")}/.Xauthority`;
  const file = await readIfThere(path);
  if (file === undefined) return undefined;
  const hostname = await readIfThere("/etc/hostname");
  return cookieFor(file, number, hostname && new TextDecoder().decode(hostname).trim());
}

async function readIfThere(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
