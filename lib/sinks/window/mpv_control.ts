/** JSON IPC of a running mpv: keys that are pressed in its window, and text over the picture. */
import { isConnectionClosed, isConnectionLost } from "../../base/errors.ts";
import { actionOf, PLAY_KEYS, type PlayAction } from "../sink.ts";

/** Milliseconds between two attempts to connect: mpv does not report when its socket is ready. */
const RETRY_INTERVAL = 10;

/** Attempts to connect. mpv opens its socket before its input, so the first one mostly succeeds. */
const MAX_ATTEMPTS = 500;

/** Bytes of one read. */
const CHUNK_SIZE = 4096;

/** mpv's names of keys that have no character, or one with a meaning in its file of keys. */
const KEY_NAMES = new Map([
  [" ", "SPACE"],
  ["left", "LEFT"],
  ["right", "RIGHT"],
  ["up", "UP"],
  ["down", "DOWN"],
]);

/** Keys that may be held down, so that they repeat. */
const REPEATED: readonly PlayAction[] = ["back", "forward", "far_back", "far_forward"];

/** First word of the messages for this program. */
const PRESSED = "pressed";

/** The key that leaves full screen, or else quits. */
const ESCAPE = "escape";

/** Keys that mpv handles by itself. */
const OWN_KEYS = [
  ...["f cycle fullscreen", "MBTN_LEFT_DBL cycle fullscreen", "CLOSE_WIN quit"],
  ...["m cycle mute", "9 add volume -2", "0 add volume 2"],
];

/** Id of the property `fullscreen` in events. */
const FULL_SCREEN = 1;

/** Id of the property `time-pos`, seconds. */
const TIME = 2;

/** Id of the overlay that shows text. */
const TEXT_OVERLAY = 1;

/** Milliseconds for which a brief text shows. */
const BRIEFLY = 1500;

/** Style of text: centred at the bottom, with a border; height of a line, of 720. */
const TEXT_STYLE = "{\\an2\\bord2.5\\fs44}";

/** Content of mpv's file of keys (`--input-conf`): all others do nothing. */
export function keyBindings(): string {
  const actions = PLAY_KEYS.flatMap((key) => {
    const action = actionOf(key);
    const prefix = action !== undefined && REPEATED.includes(action) ? "repeatable " : "";
    // mpv distinguishes the two cases of a letter.
    const names = new Set(KEY_NAMES.has(key) ? [KEY_NAMES.get(key)] : [key, key.toUpperCase()]);
    return [...names].map((name) => `${name} ${prefix}script-message ${PRESSED} "${key}"`);
  });
  const escape = `ESC script-message ${PRESSED} ${ESCAPE}`;
  return `${[...actions, escape, ...OWN_KEYS].join("\n")}\n`;
}

/** Event of mpv, with the fields that are used here. */
interface MpvEvent {
  event?: string;
  args?: readonly unknown[];
  id?: number;
  data?: unknown;
  /** Number of the command that this replies to. */
  request_id?: number;
}

/** Options of {@linkcode MpvControl}. */
export interface MpvControlOptions {
  /** Called for each action of the user in the window. */
  onAction?: (action: PlayAction) => void;
  /** Called when the first picture shows. */
  onStarted?: () => void;
  /** Called with the time of what shows, in seconds of mpv's timeline, each time that it changes. */
  onTime?: (time: number) => void;
}

/** Connection to a running mpv. */
export class MpvControl implements AsyncDisposable {
  #options: MpvControlOptions;
  #isStarted = false;
  #connection: Deno.UnixConn | undefined;
  #isFullScreen = false;
  #disposed = false;
  /** Settles when everything so far is sent. */
  #sent: Promise<void> = Promise.resolve();
  /** Settles when the connection has ended. */
  #listening: Promise<void> = Promise.resolve();
  /** Called with the replies that are waited for, by number of the command. */
  #replies = new Map<number, () => void>();
  #lastRequest = 0;

  constructor(options: MpvControlOptions = {}) {
    this.#options = options;
  }

  /**
   * Connects to mpv's socket, which may not exist yet.
   *
   * @throws {Error} if mpv does not accept
   */
  async connect(path: string): Promise<void> {
    const connection = await this.#open(path);
    if (this.#disposed) return connection.close();
    this.#connection = connection;
    this.#listening = this.#listen(connection);
    this.#send(["observe_property", FULL_SCREEN, "fullscreen"]);
    if (this.#options.onTime !== undefined) this.#send(["observe_property", TIME, "time-pos"]);
    // Older versions have no such property, and refuse.
    this.#send(["set_property", "drag-and-drop", "no"]);
  }

  /** Pauses, or goes on. */
  pause(paused: boolean): void {
    this.#send(["set_property", "pause", paused]);
  }

  /** Drops all frames that mpv has read but not shown; resolves when that is done. */
  async dropBuffers(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    // Without a connection there is no reply, nor a window that shows the frames.
    if (this.#connection === undefined) return;
    this.#replies.set(this.#send(["drop-buffers"]), resolve);
    await promise;
  }

  /** Shows text below the picture until it is replaced; an empty one removes it. */
  showText(text: string): void {
    const [name, id] = ["osd-overlay", TEXT_OVERLAY];
    const shown = { name, id, format: "ass-events", data: `${TEXT_STYLE}${escapeText(text)}` };
    this.#send(text === "" ? { name, id, format: "none", data: "" } : shown);
  }

  /** Shows text over the picture for a moment. */
  showBriefly(text: string): void {
    this.#send(["show-text", text, BRIEFLY]);
  }

  /** Closes the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    this.#close();
    await Promise.all([this.#listening, this.#sent]);
  }

  #close(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  async #open(path: string): Promise<Deno.UnixConn> {
    for (let attempt = 1;; attempt++) {
      try {
        return await Deno.connect({ transport: "unix", path });
      } catch (error) {
        const isEarly = error instanceof Deno.errors.NotFound ||
          error instanceof Deno.errors.ConnectionRefused;
        if (!isEarly || this.#disposed || attempt === MAX_ATTEMPTS) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_INTERVAL));
    }
  }

  async #listen(connection: Deno.UnixConn): Promise<void> {
    const decoder = new TextDecoder();
    const chunk = new Uint8Array(CHUNK_SIZE);
    let rest = "";
    await ignoreEnd(async () => {
      for (let count; (count = await connection.read(chunk)) !== null;) {
        const lines = (rest + decoder.decode(chunk.subarray(0, count), { stream: true }))
          .split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) this.#take(JSON.parse(line));
      }
    });
    this.#close();
    this.#replies.forEach((resolve) => resolve());
  }

  #take({ event, args = [], id, data, request_id }: MpvEvent): void {
    if (request_id !== undefined) this.#replies.get(request_id)?.();
    if (event === "property-change" && id === FULL_SCREEN) this.#isFullScreen = data === true;
    if (event === "property-change" && id === TIME && typeof data === "number") {
      this.#options.onTime?.(data);
    }
    if (event === "playback-restart" && !this.#isStarted) {
      this.#isStarted = true;
      this.#options.onStarted?.();
    }
    const [kind, key] = args;
    if (event !== "client-message" || kind !== PRESSED) return;
    if (key === ESCAPE && this.#isFullScreen) {
      this.#send(["set_property", "fullscreen", false]);
      return;
    }
    const action = key === ESCAPE ? "quit" : actionOf(String(key));
    if (action !== undefined) this.#options.onAction?.(action);
  }

  /**
   * Sends a command, in order. If mpv has gone, its exit says why.
   *
   * @returns its number
   */
  #send(command: readonly unknown[] | Record<string, unknown>): number {
    const request_id = ++this.#lastRequest;
    const bytes = new TextEncoder().encode(`${JSON.stringify({ command, request_id })}\n`);
    this.#sent = this.#sent.then(() =>
      ignoreEnd(async () => {
        let rest = bytes;
        while (this.#connection !== undefined && rest.byteLength > 0) {
          rest = rest.subarray(await this.#connection.write(rest));
        }
      })
    );
    return request_id;
  }
}

/** Runs an action on a connection, whose end is no failure. */
async function ignoreEnd(action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!isConnectionLost(error) && !isConnectionClosed(error)) throw error;
  }
}

/** Escapes the marks of ASS, in which mpv takes text. */
function escapeText(text: string): string {
  return text.replaceAll("\\", "\\\u2060").replaceAll("{", "\\{").replaceAll(/\r?\n/g, "\\N");
}
