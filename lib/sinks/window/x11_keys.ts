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

/** Keys without a character, by their X symbols (keysymdef.h). */
const NAMED_KEYS = new Map([
  [0xff51, "left"],
  [0xff52, "up"],
  [0xff53, "right"],
  [0xff54, "down"],
  [0xff55, "page up"],
  [0xff56, "page down"],
]);

/** Keys that ffplay would stop by, or go elsewhere, which it cannot do in a pipe. */
const KEPT_FROM_PLAYER = ["s", "page up", "page down"];

/** The button of the mouse that ffplay would go elsewhere by. */
const SEEK_BUTTON = 3;

const TAKEN = new Set([...PLAY_KEYS, ...KEPT_FROM_PLAYER]);

/** What one does by holding a key down. */
const REPEATED: readonly PlayAction[] = ["back", "forward", "far_back", "far_forward"];

/**
 * The keys that are pressed in the windows of another program, on X11: it does not get them.
 *
 * Keys are grabbed on the windows as soon as they are made, so that they count where the window has
 * the focus, and nowhere else. Without X11 there is no such thing.
 */
export class WindowKeys implements AsyncDisposable {
  #screen: XConnection | undefined;
  #onAction: (action: PlayAction) => void;
  /** Number of the property in which a program's process tells of itself. */
  #owner = 0;
  #pid: number | undefined;
  /** Windows whose keys are taken. */
  #windows = new Set<number>();
  #symbols = new Map<number, number[]>();
  /** The key that was let go of last: X repeats one that is held down by letting it go. */
  #released = { keycode: 0, time: 0 };

  private constructor(onAction: (action: PlayAction) => void) {
    this.#onAction = onAction;
  }

  /**
   * Begins to look for windows.
   *
   * @throws {Error} where there is no X screen that this program may look at
   */
  static async open(onAction: (action: PlayAction) => void): Promise<WindowKeys> {
    const keys = new WindowKeys(onAction);
    const screen = await XConnection.open({ onEvent: (event) => keys.#onEvent(event) });
    keys.#screen = screen;
    try {
      const reply = await screen.ask(internAtom("_NET_WM_PID"));
      keys.#owner = reply === undefined ? 0 : parseAtom(reply);
      await keys.#readKeyboard();
      await screen.send(selectEvents(screen.setup.root, EVENT_MASKS.substructure));
      return keys;
    } catch (error) {
      await keys[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Names the process whose windows are meant. Those that were made before are left alone. */
  watch(pid: number): void {
    this.#pid = pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#screen?.[Symbol.asyncDispose]();
  }

  #onEvent(event: XEvent): void {
    if (event.kind === "created") this.#attempt(() => this.#onCreated(event.window));
    else if (event.kind === "property") {
      if (event.atom === this.#owner) this.#attempt(() => this.#inspect(event.window));
    } else if (event.kind === "mapping") this.#attempt(() => this.#changeKeyboard());
    else if (event.kind === "released") this.#released = event;
    else this.#press(event);
  }

  /** A new window: whose it is stands on it now, or will do in a moment. */
  async #onCreated(window: number): Promise<void> {
    await this.#screen?.send(selectEvents(window, EVENT_MASKS.property));
    await this.#inspect(window);
  }

  async #inspect(window: number): Promise<void> {
    const reply = await this.#screen?.ask(getNumber(window, this.#owner));
    const pid = reply && parseNumber(reply);
    if (pid === undefined || this.#windows.has(window)) return;
    await this.#screen?.send(selectEvents(window, 0));
    if (pid !== this.#pid) return;
    this.#windows.add(window);
    await this.#grab(window);
  }

  async #grab(window: number): Promise<void> {
    const keys = this.#takenKeys().map((keycode) => grabKey(window, keycode));
    await this.#screen?.send(...keys, grabButton(window, SEEK_BUTTON));
  }

  /** Codes of the keys that are taken from windows. */
  #takenKeys(): number[] {
    return [...this.#symbols].filter(([, symbols]) =>
      symbols.some((symbol) => TAKEN.has(nameOf(symbol) ?? ""))
    ).map(([keycode]) => keycode);
  }

  async #readKeyboard(): Promise<void> {
    const { setup } = this.#screen ?? {};
    if (setup === undefined) return;
    const reply = await this.#screen?.ask(getKeyboardMapping(setup));
    if (reply !== undefined) this.#symbols = parseKeyboardMapping(reply, setup);
  }

  /** What stands on the keys has changed, as when another keyboard is used. */
  async #changeKeyboard(): Promise<void> {
    const before = this.#takenKeys().join();
    await this.#readKeyboard();
    // Mostly it is the same, and then no key gets through meanwhile.
    if (this.#takenKeys().join() === before) return;
    for (const window of this.#windows) {
      await this.#screen?.send(ungrabKeys(window));
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

  /** Does something about a window, for as long as there is a screen. */
  #attempt(action: () => Promise<void>): void {
    // Without the screen there are no windows either, and ffplay tells why.
    action().catch(() => {});
  }
}

/**
 * What a key stands for: a character, or the name of one without.
 *
 * @param symbols two for each layout of the keyboard, without shift and with it
 * @param group the layout in use, from 0
 */
export function keyName(symbols: readonly number[], group: number): string | undefined {
  const inUse = symbols[2 * group] || symbols[0];
  const isLatin = inUse !== undefined && inUse <= 0xff;
  // On a keyboard of another script a key is known by what it is in Latin.
  const candidates = isLatin ? [inUse] : [inUse, ...symbols];
  return candidates.map(nameOf).find((name) => name !== undefined && TAKEN.has(name));
}

function nameOf(symbol: number | undefined): string | undefined {
  if (symbol === undefined) return undefined;
  const isCharacter = symbol >= 0x20 && symbol < 0x7f;
  return isCharacter ? String.fromCharCode(symbol).toLowerCase() : NAMED_KEYS.get(symbol);
}
