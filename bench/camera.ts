import { MONOTONIC_CLOCK } from "../lib/base/clock.ts";

/** Pixels. */
const [WIDTH, HEIGHT] = [640, 360];

/** Frames a second. */
export const CAMERA_RATE = 30;

/** Bytes of a frame in which its mark stands: the first pixels of its luma. */
export const MARK_LENGTH = 16;

/** What a frame says of itself. */
export interface Mark {
  /** When it was made, milliseconds since 1970. */
  madeAt: number;
  /** How many were due before it since there was a camera, whether anybody took them or not. */
  number: number;
}

/** Bytes of a raw frame, 4:2:0. */
export const CAMERA_FRAME_SIZE = WIDTH * HEIGHT * 3 / 2;

/** Before the first frame, and before each: YUV4MPEG2, as yuv4mpeg(5) describes it. */
const HEAD = `YUV4MPEG2 W${WIDTH} H${HEIGHT} F${CAMERA_RATE}:1 Ip A1:1 C420jpeg\n`;
const FRAME_HEAD = "FRAME\n";

/** Milliseconds since 1970, with more digits than `Date.now()`. */
export function wallClock(): number {
  return performance.timeOrigin + performance.now();
}

/** Reads the mark out of the first bytes of a frame. */
export function parseMark(bytes: Uint8Array): Mark {
  const view = new DataView(bytes.buffer, bytes.byteOffset, MARK_LENGTH);
  return { madeAt: view.getFloat64(0, true), number: view.getFloat64(8, true) };
}

/**
 * Stands in for a camera: gives 640×360 at 30 frames a second to whoever connects, each frame at
 * its moment, with that moment and its number in its pixels, so that a viewer of raw frames can tell
 * how old what it sees is, and what it did not see.
 */
export class Camera implements AsyncDisposable {
  #began = performance.now();
  #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  #over = new AbortController();
  #sockets = new Set<Deno.Conn>();
  #running: Promise<void>[];

  constructor() {
    this.#running = [this.#accept()];
  }

  /** What `--live` takes for it, behind the name. */
  get input(): string {
    return `yuv4mpegpipe:tcp://127.0.0.1:${this.#listener.addr.port}`;
  }

  /** The number of the frame that is due next. */
  get next(): number {
    return Math.ceil((performance.now() - this.#began) * CAMERA_RATE / 1000);
  }

  /** Ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    this.#listener.close();
    for (const socket of this.#sockets) socket.close();
    await Promise.all(this.#running);
  }

  async #accept(): Promise<void> {
    try {
      for await (const socket of this.#listener) {
        this.#sockets.add(socket);
        this.#running.push(this.#film(socket));
      }
    } catch (error) {
      if (!this.#over.signal.aborted) throw error;
    }
  }

  async #film(socket: Deno.Conn): Promise<void> {
    const frame = new Uint8Array(FRAME_HEAD.length + CAMERA_FRAME_SIZE).fill(128);
    new TextEncoder().encodeInto(FRAME_HEAD, frame);
    const mark = new DataView(frame.buffer, FRAME_HEAD.length, MARK_LENGTH);
    try {
      await writeAll(socket, new TextEncoder().encode(HEAD));
      for (let number = this.next;; number++) {
        // As a camera does that nobody reads from: what has passed is lost.
        number = Math.max(number, this.next - 1);
        const due = this.#began + number * 1000 / CAMERA_RATE;
        await MONOTONIC_CLOCK.sleep(Math.max(0, due - performance.now()), this.#over.signal);
        mark.setFloat64(0, wallClock(), true);
        mark.setFloat64(8, number, true);
        await writeAll(socket, frame);
      }
    } catch {
      // Whoever looked has gone, or it is over.
      if (this.#sockets.delete(socket) && !this.#over.signal.aborted) socket.close();
    }
  }
}

async function writeAll(socket: Deno.Conn, bytes: Uint8Array): Promise<void> {
  let sent = 0;
  while (sent < bytes.byteLength) sent += await socket.write(bytes.subarray(sent));
}
