import { MONOTONIC_CLOCK } from "../lib/base/clock.ts";

/** Pixels. */
const [WIDTH, HEIGHT] = [640, 360];

/** Frames per second. */
export const CAMERA_RATE = 30;

/** Bytes of a frame that contain its mark: the first pixels of luma. */
export const MARK_LENGTH = 16;

/** Time and number of a frame. */
export interface Mark {
  /** Capture time, milliseconds since 1970. */
  madeAt: number;
  /** Number of frames due before it since the camera started, sent or not. */
  number: number;
}

/** Bytes of a raw frame, 4:2:0. */
export const CAMERA_FRAME_SIZE = WIDTH * HEIGHT * 3 / 2;

/** Headers of the stream and of each frame: YUV4MPEG2, see yuv4mpeg(5). */
const HEADER = `YUV4MPEG2 W${WIDTH} H${HEIGHT} F${CAMERA_RATE}:1 Ip A1:1 C420jpeg\n`;
const FRAME_HEADER = "FRAME\n";

/** Milliseconds since 1970, with more digits than `Date.now()`. */
export function wallClock(): number {
  return performance.timeOrigin + performance.now();
}

/** Parses the mark in the first bytes of a frame. */
export function parseMark(bytes: Uint8Array): Mark {
  const view = new DataView(bytes.buffer, bytes.byteOffset, MARK_LENGTH);
  return { madeAt: view.getFloat64(0, true), number: view.getFloat64(8, true) };
}

/**
 * A simulated camera: sends 640×360 at 30 frames per second to each connection, each frame on time,
 * with its capture time and number in its pixels, so that a viewer of raw frames can measure
 * latency and lost frames.
 */
export class Camera implements AsyncDisposable {
  #startedAt = performance.now();
  #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  #stopping = new AbortController();
  #sockets = new Set<Deno.Conn>();
  #running: Promise<void>[];

  constructor() {
    this.#running = [this.#accept()];
  }

  /** Its input for `--live`, after the name. */
  get input(): string {
    return `yuv4mpegpipe:tcp://127.0.0.1:${this.#listener.addr.port}`;
  }

  /** The number of the frame that is due next. */
  get next(): number {
    return Math.ceil((performance.now() - this.#startedAt) * CAMERA_RATE / 1000);
  }

  /** Stops the camera. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    this.#listener.close();
    for (const socket of this.#sockets) socket.close();
    await Promise.all(this.#running);
  }

  async #accept(): Promise<void> {
    try {
      for await (const socket of this.#listener) {
        this.#sockets.add(socket);
        this.#running.push(this.#send(socket));
      }
    } catch (error) {
      if (!this.#stopping.signal.aborted) throw error;
    }
  }

  async #send(socket: Deno.Conn): Promise<void> {
    const frame = new Uint8Array(FRAME_HEADER.length + CAMERA_FRAME_SIZE).fill(128);
    new TextEncoder().encodeInto(FRAME_HEADER, frame);
    const mark = new DataView(frame.buffer, FRAME_HEADER.length, MARK_LENGTH);
    try {
      await writeAll(socket, new TextEncoder().encode(HEADER));
      for (let number = this.next;; number++) {
        // Skips frames that were not read in time, as a camera does.
        number = Math.max(number, this.next - 1);
        const due = this.#startedAt + number * 1000 / CAMERA_RATE;
        await MONOTONIC_CLOCK.sleep(Math.max(0, due - performance.now()), this.#stopping.signal);
        mark.setFloat64(0, wallClock(), true);
        mark.setFloat64(8, number, true);
        await writeAll(socket, frame);
      }
    } catch {
      // The reader has disconnected, or the camera has stopped.
      if (this.#sockets.delete(socket) && !this.#stopping.signal.aborted) socket.close();
    }
  }
}

async function writeAll(socket: Deno.Conn, bytes: Uint8Array): Promise<void> {
  let sent = 0;
  while (sent < bytes.byteLength) sent += await socket.write(bytes.subarray(sent));
}
