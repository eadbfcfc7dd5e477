/** Keys pressed in ffplay's window, on X11. */
import { actionOf, PLAY_KEYS, type PlayAction } from "../sink.ts";
import { XConnection } from "./x11_connection.ts";
import {
  EVENT_MASKS,
  getKeyboardMapping,
  getNumber,
  grabButton,
  grabKey,
  internAtom,
  parseAtom,
  parseKeyboardMapping,
  parseNumber,
  selectEvents,
  ungrabKeys,
  type XEvent,
} from "./x11_protocol.ts";

/** Keys without a character, by keysym (keysymdef.h). */
const NAMED_KEYS = new Map([
  [0xff51, "left"],
  [0xff52, "up"],
  [0xff53, "right"],
  [0xff54, "down"],
  [0xff55, "page up"],
  [0xff56, "page down"],
]);

/** Keys by which ffplay would step or seek, which it cannot do in a stream. */
const BLOCKED_KEYS = ["s", "page up", "page down"];

/** Mouse button by which ffplay would seek. */
const SEEK_BUTTON = 3;

const GRABBED_KEYS = new Set([...PLAY_KEYS, ...BLOCKED_KEYS]);

/** Actions that repeat while a key is held down. */
const REPEATED: readonly PlayAction[] = ["back", "forward", "far_back", "far_forward"];

/**
 * Grabs the keys of another program's windows, on X11.
 *
 * Keys are grabbed as soon as a window is created, and count only while it has the focus.
 */
export class WindowKeys implements AsyncDisposable {
  #connection: XConnection | undefined;
  #onAction: (action: PlayAction) => void;
  /** Atom of the property that holds a window's process ID. */
  #owner = 0;
  #pid: number | undefined;
  /** Windows whose keys are grabbed. */
  #windows = new Set<number>();
  #symbols = new Map<number, number[]>();
  /** Last released key: X repeats a key that is held down by releasing it. */
  #released = { keycode: 0, time: 0 };

  private constructor(onAction: (action: PlayAction) => void) {
    this.#onAction = onAction;
  }

  /**
   * Connects to the display and watches for new windows.
   *
   * @throws {Error} if the display cannot be used
   */
  static async open(onAction: (action: PlayAction) => void): Promise<WindowKeys> {
    const keys = new WindowKeys(onAction);
    const connection = await XConnection.open({ onEvent: (event) => keys.#onEvent(event) });
    keys.#connection = connection;
    try {
      const reply = await connection.ask(internAtom("_NET_WM_PID"));
      keys.#owner = reply === undefined ? 0 : parseAtom(reply);
      await keys.#readKeyboard();
      await connection.send(selectEvents(connection.setup.root, EVENT_MASKS.substructure));
      return keys;
    } catch (error) {
      await keys[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Sets the process whose windows count. Windows from before are ignored. */
  watch(pid: number): void {
    this.#pid = pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection?.[Symbol.asyncDispose]();
  }

  #onEvent(event: XEvent): void {
    if (event.kind === "created") this.#ignoreFailure(() => this.#onCreated(event.window));
    else if (event.kind === "property") {
      if (event.atom === this.#owner) this.#ignoreFailure(() => this.#checkOwner(event.window));
    } else if (event.kind === "mapping") this.#ignoreFailure(() => this.#changeKeyboard());
    else if (event.kind === "released") this.#released = event;
    else this.#press(event);
  }

  /** A new window has its process ID already, or will get it soon. */
  async #onCreated(window: number): Promise<void> {
    await this.#connection?.send(selectEvents(window, EVENT_MASKS.property));
    await this.#checkOwner(window);
  }

  async #checkOwner(window: number): Promise<void> {
    const reply = await this.#connection?.ask(getNumber(window, this.#owner));
    const pid = reply && parseNumber(reply);
    if (pid === undefined || this.#windows.has(window)) return;
    await this.#connection?.send(selectEvents(window, 0));
    if (pid !== this.#pid) return;
    this.#windows.add(window);
    await this.#grab(window);
  }

  async #grab(window: number): Promise<void> {
    const keys = this.#grabbedKeycodes().map((keycode) => grabKey(window, keycode));
    await this.#connection?.send(...keys, grabButton(window, SEEK_BUTTON));
  }

  /** Keycodes of the keys to grab. */
  #grabbedKeycodes(): number[] {
    return [...this.#symbols].filter(([, symbols]) =>
      symbols.some((symbol) => GRABBED_KEYS.has(nameOf(symbol) ?? ""))
    ).map(([keycode]) => keycode);
  }

  async #readKeyboard(): Promise<void> {
    const { setup } = this.#connection ?? {};
    if (setup === undefined) return;
    const reply = await this.#connection?.ask(getKeyboardMapping(setup));
    if (reply !== undefined) this.#symbols = parseKeyboardMapping(reply, setup);
  }

  async #changeKeyboard(): Promise<void> {
    const before = this.#grabbedKeycodes().join();
    await this.#readKeyboard();
    // Usually it is the same, and then no key gets through meanwhile.
    if (this.#grabbedKeycodes().join() === before) return;
    for (const window of this.#windows) {
      await this.#connection?.send(ungrabKeys(window));
      await this.#grab(window);
    }
  }

  #press({ keycode, group, time }: { keycode: number; group: number; time: number }): void {
    const name = keyName(this.#symbols.get(keycode) ?? [], group);
    const action = name === undefined ? undefined : actionOf(name);
    if (action === undefined) return;
    const again = this.#released.keycode === keycode && this.#released.time === time;
    if (!again || REPEATED.includes(action)) this.#onAction(action);
  }

  /** Runs an action, and ignores its failure. */
  #ignoreFailure(action: () => Promise<void>): void {
    // Without the display there are no windows, and ffplay reports why.
    action().catch(() => {});
  }
}

/**
 * Character or name of a key.
 *
 * @param symbols keysyms, two for each layout: without shift and with it
 * @param group layout in use, from 0
 */
export function keyName(symbols: readonly number[], group: number): string | undefined {
  const inUse = symbols[2 * group] || symbols[0];
  const isLatin = inUse !== undefined && inUse <= 0xff;
  // On a layout of another script, the Latin keysym counts.
  const candidates = isLatin ? [inUse] : [inUse, ...symbols];
  return candidates.map(nameOf).find((name) => name !== undefined && GRABBED_KEYS.has(name));
}

function nameOf(symbol: number | undefined): string | undefined {
  if (symbol === undefined) return undefined;
  const isCharacter = symbol >= 0x20 && symbol < 0x7f;
  return isCharacter ? String.fromCharCode(symbol).toLowerCase() : NAMED_KEYS.get(symbol);
}
