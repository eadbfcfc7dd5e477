/** Receives JPEGs that a script sends in datagrams, as the parts of a response. */
import { type Clock, MONOTONIC_CLOCK } from "../../../base/clock.ts";
import { FormatError } from "../../../base/errors.ts";
import type { Description, Rational } from "../../../media/frame.ts";
import type { DatagramListener, DatagramSocket } from "../../../net/datagram_socket.ts";
import { CutError } from "../../../net/errors.ts";
import type { ConversationObserver } from "../../../net/observer.ts";
import type { MediaResponse, ResponsePart } from "../../media_response.ts";
import { jpegSize } from "../jpeg.ts";
import { DatagramAssembler } from "./assembler.ts";

/** Options of {@linkcode receiveDatagrams}. */
export interface DatagramOptions {
  /** Name in the description. */
  name: string;
  /** Pixels of the largest picture. @default Infinity */
  maxPixels?: number;
  /** @default MONOTONIC_CLOCK */
  clock?: Clock;
  /** Called with sentences for the user. */
  notify?: (line: string) => void;
  /** Sees each frame as one message, once all of its datagrams have come. */
  observer?: ConversationObserver;
}

/** Datagrams have no timestamps: frames get their moment of arrival, in microseconds. */
const TIME_BASE: Rational = [1, 1_000_000];

const VIDEO_ID = 0;

/** NUT's four bytes of JPEG frames. */
const MJPEG_FOURCC = "MJPG";

/** Milliseconds of silence after which the port belongs to the next sender. */
const SENDER_SILENCE = 3000;

/** Frames, and their bytes, that wait to be taken. */
const MAX_WAITING = { frames: 32, bytes: 2 ** 26 };

/** Sentences about senders that are refused, at most. */
const MAX_REFUSALS = 16;

/**
 * Receives the frames of one sender: the first one, and another one once that has been silent for 3
 * seconds. Each frame has the moment of its arrival as its timestamp; the first is at 0. If they are
 * taken too slowly, the oldest are dropped. If the size changes, another description follows.
 *
 * The response has no end: it is over when the socket is closed. Iterating it throws
 *
 * - {@linkcode FormatError}: the first sender sends what is not known, or larger pictures than allowed.
 *   After the first frame, that is ignored, and notified
 * - {@linkcode CutError}: the socket was closed; or what it failed with
 */
export function receiveDatagrams(
  socket: DatagramSocket,
  options: DatagramOptions,
): MediaResponse {
  const inbox = new Inbox(options);
  socket.listen(inbox);
  return {
    [Symbol.asyncIterator]: () => parts(inbox, options.name),
    abandon: () => socket[Symbol.dispose](),
  };
}

async function* parts(inbox: Inbox, name: string): AsyncGenerator<ResponsePart> {
  let described: Picture | undefined;
  while (true) {
    const picture = await inbox.take();
    const { width, height, timestamp, jpeg: data, dropped } = picture;
    if (width !== described?.width || height !== described.height) {
      described = picture;
      yield { kind: "describe", description: describe(name, picture) };
    }
    yield {
      kind: "frame",
      frame: { streamId: VIDEO_ID, timestamp, keyframe: true, data },
      dropped,
    };
  }
}

function describe(name: string, { width, height }: Picture): Description {
  const codec = { codec: "mjpeg", fourcc: MJPEG_FOURCC, extradata: new Uint8Array(0) };
  const stream = { id: VIDEO_ID, type: "video", ...codec, timeBase: TIME_BASE } as const;
  return { name, live: true, streams: [{ ...stream, width, height }] };
}

/** Milliseconds between two sentences about lost datagrams. */
const LOSS_INTERVAL = 10_000;

/** A frame that waits to be taken. */
interface Picture {
  jpeg: Uint8Array<ArrayBuffer>;
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  /** Microseconds since the first frame. */
  timestamp: number;
  /** Frames before it were dropped. */
  dropped: boolean;
}

/** Makes frames of the datagrams of one sender, and keeps a few of them. */
class Inbox implements DatagramListener {
  #clock: Clock;
  #maxPixels: number;
  #notify: (line: string) => void;
  #observer: ConversationObserver | undefined;
  #sender: string | undefined;
  /** When the sender was heard of, milliseconds. */
  #heard = 0;
  #assembler = new DatagramAssembler();
  #waiting: Picture[] = [];
  #waitingBytes = 0;
  #hasDropped = false;
  #start: number | undefined;
  #timestamp = -1;
  /** Frames of which datagrams were lost. */
  #lost = 0;
  /** When that was said last, milliseconds. */
  #lossSaidAt = -Infinity;
  #refused: string | undefined;
  #refusals = 0;
  /** Why no more frames come. */
  #failure: unknown;
  #news = Promise.withResolvers<void>();

  constructor(
    { maxPixels = Infinity, clock = MONOTONIC_CLOCK, notify, observer }: DatagramOptions,
  ) {
    this.#clock = clock;
    this.#maxPixels = maxPixels;
    this.#notify = notify ?? (() => {});
    this.#observer = observer;
  }

  onDatagram(bytes: Uint8Array, sender: string): void {
    if (this.#failure !== undefined || !this.#isTaken(sender)) return;
    try {
      const { dropped } = this.#assembler;
      const jpeg = this.#assembler.push(bytes);
      if (this.#assembler.dropped > dropped) this.#lose(this.#assembler.dropped - dropped);
      if (jpeg !== undefined) this.#accept(jpeg, sender);
    } catch (error) {
      // There is no caller who could handle it.
      if (!(error instanceof FormatError)) return this.#fail(error);
      this.#sender = undefined;
      this.#refuse(error, sender);
    }
  }

  onClose(reason: unknown = new CutError("the port was closed")): void {
    this.#observer?.event("closed", "the port is closed");
    this.#fail(reason);
  }

  /**
   * Takes the next frame.
   *
   * @throws the reason for which no more come
   */
  async take(): Promise<Picture> {
    while (true) {
      const picture = this.#waiting.shift();
      if (picture !== undefined) {
        this.#waitingBytes -= picture.jpeg.byteLength;
        return picture;
      }
      if (this.#failure !== undefined) throw this.#failure;
      await this.#news.promise;
    }
  }

  /** Whether the port belongs to the sender, now at least. */
  #isTaken(sender: string): boolean {
    const now = this.#clock.now();
    if (sender !== this.#sender) {
      if (this.#sender !== undefined && now - this.#heard < SENDER_SILENCE) return false;
      this.#sender = sender;
      this.#hasDropped ||= this.#start !== undefined;
      this.#assembler = new DatagramAssembler();
    }
    this.#heard = now;
    return true;
  }

  /** Keeps a frame until it is taken. */
  #accept(jpeg: Uint8Array<ArrayBuffer>, sender: string): void {
    const size = sizeOf(jpeg);
    if (size === undefined) return this.#lose(1);
    const { width, height } = size;
    this.#observer?.received({
      kind: "frame",
      bytes: jpeg.byteLength,
      words: `${width}x${height} JPEG: in datagrams from ${sender}`,
    });
    if (width * height > this.#maxPixels) {
      this.#hasDropped = true;
      const found = `Cannot take a frame of ${width}x${height} from a script`;
      this.#refuse(
        new FormatError(`${found}: ${width * height} pixels, expected at most ${this.#maxPixels}`),
        sender,
      );
      return;
    }
    this.#makeRoom(jpeg.byteLength);
    const now = this.#clock.now();
    this.#start ??= now;
    this.#timestamp = Math.max(this.#timestamp + 1, Math.round((now - this.#start) * 1000));
    const [timestamp, dropped] = [this.#timestamp, this.#hasDropped];
    this.#waiting.push({ jpeg, width, height, timestamp, dropped });
    this.#waitingBytes += jpeg.byteLength;
    this.#hasDropped = false;
    this.#tell();
  }

  /** Counts frames of which datagrams were lost, and says so from time to time. */
  #lose(frames: number): void {
    this.#hasDropped = true;
    this.#lost += frames;
    const now = this.#clock.now();
    if (now - this.#lossSaidAt < LOSS_INTERVAL) return;
    this.#lossSaidAt = now;
    const count = `${this.#lost} ${this.#lost === 1 ? "frame" : "frames"}`;
    this.#notify(
      `Datagrams were lost, of ${count} so far; a larger net.core.rmem_default keeps more`,
    );
  }

  /** Drops the oldest frames if too many wait. */
  #makeRoom(bytes: number): void {
    while (this.#waiting.length > 0) {
      const isFull = this.#waiting.length >= MAX_WAITING.frames ||
        this.#waitingBytes + bytes > MAX_WAITING.bytes;
      if (!isFull) break;
      this.#waitingBytes -= this.#waiting.shift()!.jpeg.byteLength;
      const [next] = this.#waiting;
      if (next === undefined) this.#hasDropped = true;
      else next.dropped = true;
    }
  }

  /** Fails before the first frame, and says why; later, it only says so. */
  #refuse(error: FormatError, sender: string): void {
    if (this.#start === undefined) return this.#fail(error);
    if (this.#refused === sender || this.#refusals === MAX_REFUSALS) return;
    this.#refused = sender;
    this.#refusals++;
    this.#notify(error.message);
  }

  #fail(reason: unknown): void {
    this.#failure ??= reason;
    this.#tell();
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}

/** The size of a JPEG; `undefined` if it has none, since a piece was lost. */
function sizeOf(jpeg: Uint8Array): { width: number; height: number } | undefined {
  try {
    return jpegSize(jpeg);
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}
