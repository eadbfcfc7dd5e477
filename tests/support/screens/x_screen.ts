/** A screen without a monitor (Xvfb), and the part of the X protocol that tests need. */
import { ByteReader, fromSocket } from "../../../lib/base/byte_reader.ts";
import { HelperProgram } from "../programs/running_program.ts";

/** Bytes of the fixed part of every reply and event (X protocol, section 1). */
const REPLY_SIZE = 32;

/** The kind of a reply; 0 is an error, and higher numbers are events. */
const REPLY = 1;

const OPCODES = {
  ...{ queryTree: 15, internAtom: 16, getProperty: 20, sendEvent: 25, setInputFocus: 42 },
  ...{ getImage: 73, queryExtension: 98, getKeyboardMapping: 101 },
};

/** The XTEST request that presses keys and buttons. */
const FAKE_INPUT = 2;

/** Kinds of events: pressed and released. */
const [KEY, BUTTON] = [[2, 3], [4, 5]];

/** First key code and number of key codes. */
const [FIRST_KEY, KEY_COUNT] = [8, 248];

/** Type of the event ClientMessage. */
const CLIENT_MESSAGE = 33;

/** Format and planes of whole pixels: four bytes each, blue first. */
const [Z_PIXMAP, ALL_PLANES] = [2, 0xffffffff];

/** A window on the screen. */
export interface ScreenWindow {
  id: number;
  title: string;
}

/** A running Xvfb. */
export class XScreen implements AsyncDisposable {
  /** The value for DISPLAY. */
  readonly display: string;
  #program: HelperProgram;
  #socket: Deno.UnixConn;
  #reader: ByteReader;
  #root = 0;

  private constructor(program: HelperProgram, display: string, socket: Deno.UnixConn) {
    this.#program = program;
    this.display = display;
    this.#socket = socket;
    this.#reader = new ByteReader(fromSocket(socket));
  }

  /**
   * Starts it on a free display number and waits until it is ready.
   *
   * @param options `size` in pixels
   */
  static async start({ size = "320x240" } = {}): Promise<XScreen> {
    const args = ["-displayfd", "1", "-screen", "0", `${size}x24`, "-nolisten", "tcp", "-ac"];
    const program = new HelperProgram("Xvfb", args, { signal: "SIGTERM" });
    const [, number] = await program.stdout.until(/^(\d+)\n/);
    const socket = await Deno.connect({ transport: "unix", path: `/tmp/.X11-unix/X${number}` });
    const screen = new XScreen(program, `:${number}`, socket);
    await screen.#introduce();
    return screen;
  }

  /** The windows on the screen. */
  async windows(): Promise<ScreenWindow[]> {
    const tree = await this.#ask(OPCODES.queryTree, [this.#root]);
    if (tree === undefined) return [];
    const ids = Array.from(
      { length: tree.getUint16(16, true) },
      (_, index) => tree.getUint32(REPLY_SIZE + 4 * index, true),
    );
    const name = await this.#atom("_NET_WM_NAME");
    const windows: ScreenWindow[] = [];
    for (const id of ids) {
      const property = await this.#ask(OPCODES.getProperty, [id, name, 0, 0, 1000]);
      if (property === undefined) continue;
      const title = new Uint8Array(property.buffer, REPLY_SIZE, property.getUint32(16, true));
      windows.push({ id, title: new TextDecoder().decode(title) });
    }
    return windows;
  }

  /** Colour of a pixel of a window: red, green, blue; empty if it is not visible. */
  async colourAt({ id }: ScreenWindow, x: number, y: number): Promise<number[]> {
    const image = await this.#ask(
      OPCODES.getImage,
      [id, x | y << 16, 1 | 1 << 16, ALL_PLANES],
      Z_PIXMAP,
    );
    return image === undefined ? [] : [2, 1, 0].map((byte) => image.getUint8(REPLY_SIZE + byte));
  }

  /** Presses and releases a key, by its X symbol (keysymdef.h), while those of `held` are down. */
  async press(symbol: number, { held = [] }: { held?: readonly number[] } = {}): Promise<void> {
    for (const modifier of held) await this.#fake(KEY[0], await this.#keycode(modifier));
    const keycode = await this.#keycode(symbol);
    for (const kind of KEY) await this.#fake(kind, keycode);
    for (const modifier of held) await this.#fake(KEY[1], await this.#keycode(modifier));
    await this.#settle();
  }

  /** Clicks with a button of the mouse, in the middle of the screen. */
  async click(button: number): Promise<void> {
    for (const kind of BUTTON) await this.#fake(kind, button);
    await this.#settle();
  }

  /** Gives a window the keyboard focus. */
  async focus({ id }: ScreenWindow): Promise<void> {
    await this.#send(OPCODES.setInputFocus, [id, 0]);
    await this.#settle();
  }

  /** Asks a window's program to close it, as a window manager does. */
  async close({ id }: ScreenWindow): Promise<void> {
    const [protocols, deletion] = [
      await this.#atom("WM_PROTOCOLS"),
      await this.#atom("WM_DELETE_WINDOW"),
    ];
    const event = [CLIENT_MESSAGE | REPLY_SIZE << 8, id, protocols, deletion, 0, 0, 0, 0];
    await this.#send(OPCODES.sendEvent, [id, 0, ...event]);
    await this.#settle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.#program[Symbol.asyncDispose]();
  }

  /** Opens the connection: protocol 11.0, little-endian, without authorization. */
  async #introduce(): Promise<void> {
    await this.#socket.write(Uint8Array.of(0x6c, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    const head = await this.#read(8);
    if (head.getUint8(0) !== 1) throw new Error("Cannot use the screen: it refuses the connection");
    const rest = await this.#read(4 * head.getUint16(6, true));
    const vendor = rest.getUint16(16, true);
    const formats = rest.getUint8(21);
    this.#root = rest.getUint32(32 + Math.ceil(vendor / 4) * 4 + 8 * formats, true);
  }

  async #atom(name: string): Promise<number> {
    const reply = await this.#ask(OPCODES.internAtom, named(name));
    return reply?.getUint32(8, true) ?? 0;
  }

  async #fake(kind: number, detail: number): Promise<void> {
    const extension = await this.#ask(OPCODES.queryExtension, named("XTEST"));
    const opcode = extension?.getUint8(9) ?? 0;
    await this.#send(opcode, [kind | detail << 8, 0, 0, 0, 0, 0, 0, 0], FAKE_INPUT);
  }

  /** Code of the key with a symbol. */
  async #keycode(symbol: number): Promise<number> {
    const reply = await this.#ask(OPCODES.getKeyboardMapping, [FIRST_KEY | KEY_COUNT << 8]);
    if (reply === undefined) throw new Error("Cannot use the screen: it has no keyboard");
    const each = reply.getUint8(1);
    const place = Array.from({ length: KEY_COUNT * each }, (_, index) => index)
      .find((index) => reply.getUint32(REPLY_SIZE + 4 * index, true) === symbol);
    if (place === undefined) throw new Error(`Cannot press "${symbol}": no key has it`);
    return FIRST_KEY + Math.floor(place / each);
  }

  /** Waits until all requests are done, by a request with a reply. */
  async #settle(): Promise<void> {
    await this.windows();
  }

  /** Sends a request: a word of opcode, detail and length, then more words. */
  async #send(opcode: number, words: readonly number[], detail = 0): Promise<void> {
    const request = Uint32Array.of(opcode | detail << 8 | (words.length + 1) << 16, ...words);
    await this.#socket.write(new Uint8Array(request.buffer));
  }

  /** @returns the reply; `undefined` if the window is gone or not visible yet */
  async #ask(
    opcode: number,
    words: readonly number[],
    detail?: number,
  ): Promise<DataView | undefined> {
    await this.#send(opcode, words, detail);
    let head = await this.#read(REPLY_SIZE);
    // Changes of the keyboard map are events for all clients.
    while (head.getUint8(0) > REPLY) head = await this.#read(REPLY_SIZE);
    if (head.getUint8(0) !== REPLY) return undefined;
    const rest = await this.#read(4 * head.getUint32(4, true));
    const whole = new Uint8Array(REPLY_SIZE + rest.byteLength);
    whole.set(new Uint8Array(head.buffer));
    whole.set(new Uint8Array(rest.buffer), REPLY_SIZE);
    return new DataView(whole.buffer);
  }

  async #read(count: number): Promise<DataView<ArrayBuffer>> {
    return new DataView((await this.#reader.readInto(new Uint8Array(count))).buffer);
  }
}

/** A name in a request: its length, then its letters. */
function named(name: string): number[] {
  const words = new Uint32Array(Math.ceil(name.length / 4));
  new TextEncoder().encodeInto(name, new Uint8Array(words.buffer));
  return [name.length, ...words];
}
