/** What of an answer has come, over however many connections. Pure. */

/** What the user did in an answer, so that a later connection can be led to the same place. Pure. */

/** Whether an answer goes on where another broke off. Pure. */
import {
  type Description,
  type Frame,
  pcmTicks,
  sameFormats,
  sameStreams,
  type StreamDescription,
  toSeconds,
} from "../../media/frame.ts";
import type { Control, MediaRequest, ResumePoint } from "../../protocol/native/request.ts";
import type { EndReport, StreamTotals } from "../../protocol/native/response.ts";
import { formatCount } from "../terminal/progress.ts";

/** What has come of one stream. */
interface Received {
  stream: StreamDescription;
  point?: ResumePoint;
  /** Frames that did not follow upon what was before them. */
  breaks: number;
}

/** Knows of each stream what came last, so that the rest can be asked for. */
export class ResumeState {
  #streams: Map<number, Received>;
  #hasPicture: boolean;
  #position = 0;
  #totals = { frames: 0, audioFrames: 0, bytes: 0 };

  constructor(streams: readonly StreamDescription[]) {
    this.#streams = new Map(streams.map((stream) => [stream.id, { stream, breaks: 0 }]));
    this.#hasPicture = streams.some(({ type }) => type === "video");
  }

  /** Where each stream of which something came goes on. */
  get points(): ResumePoint[] {
    return [...this.#streams.values()].flatMap(({ point, breaks }) =>
      point === undefined ? [] : breaks === 0 ? [point] : [{ ...point, breaks }]
    );
  }

  /** Seconds on the time line of the timestamps: of the newest picture, or sound where it is all. */
  get position(): number {
    return this.#position;
  }

  /** Everything that came. */
  get totals(): Pick<EndReport, "frames" | "audioFrames" | "bytes"> {
    return this.#totals;
  }

  /** Takes note of a frame that is passed on. */
  take(frame: Frame): void {
    const received = this.#streams.get(frame.streamId);
    if (received === undefined) return;
    const { stream } = received;
    if (frame.discontinuity) received.breaks++;
    received.point = pointAfter(frame, stream);
    this.#totals.bytes += frame.data.byteLength;
    if (stream.type === "video") this.#totals.frames++;
    else this.#totals.audioFrames++;
    if (this.#hasPicture && stream.type !== "video") return;
    this.#position = Math.max(this.#position, toSeconds(frame.timestamp, stream.timeBase));
  }

  /** What follows comes from elsewhere: `position` seconds on the time line of the timestamps. */
  jump(position: number): void {
    this.#position = position;
  }
}

function pointAfter({ timestamp, data }: Frame, stream: StreamDescription): ResumePoint {
  const { id } = stream;
  const ticks = pcmTicks(data.byteLength, stream);
  if (ticks === undefined) return { id, after: timestamp };
  return { id, after: timestamp, next: timestamp + ticks };
}

/** What came over one connection, to be compared with what the server says that it sent. */
export class Totals {
  #streams = new Map<number, StreamTotals>();

  /** Counts a frame, whatever becomes of it. */
  count({ streamId, data }: Frame): void {
    const stream = this.#of(streamId);
    stream.frames++;
    stream.bytes += data.byteLength;
    this.#streams.set(streamId, stream);
  }

  /**
   * Compares with the end of the answer, where that says what was sent.
   *
   * @throws {Error} where anything else came
   */
  check(end: Pick<EndReport, "streams" | "frames" | "audioFrames" | "bytes">): void {
    if (end.streams === undefined) return;
    const sent = new Map(end.streams.map((stream) => [stream.id, stream]));
    for (const id of new Set([...sent.keys(), ...this.#streams.keys()])) {
      const { frames, bytes } = sent.get(id) ?? { frames: 0, bytes: 0 };
      const came = this.#of(id);
      if (came.frames !== frames) {
        throw new Error(
          `the server sent ${
            formatCount(frames, "frame")
          } of stream ${id} and ${came.frames} came, ` +
            "get it again",
        );
      }
      if (came.bytes !== bytes) {
        throw new Error(
          `the server sent ${formatCount(bytes, "byte")} of stream ${id} and ${came.bytes} came, ` +
            "get it again",
        );
      }
    }
    const all = [...this.#streams.values()];
    const frames = all.reduce((sum, stream) => sum + stream.frames, 0);
    const bytes = all.reduce((sum, stream) => sum + stream.bytes, 0);
    const sentFrames = end.frames + end.audioFrames;
    if (frames === sentFrames && bytes === end.bytes) return;
    throw new Error(
      `the server sent ${formatCount(sentFrames, "frame")} of ${end.bytes} bytes in all and ` +
        `${frames} of ${bytes} came, get it again`,
    );
  }

  #of(id: number): StreamTotals {
    return this.#streams.get(id) ?? { id, frames: 0, bytes: 0 };
  }
}

/** What {@linkcode Steering} has to know. */
export interface PlaybackStateOptions {
  /** It is looked at, so that the user may seek in it. */
  seekable: boolean;
}

/** Remembers seeks and pauses. */
export class PlaybackState {
  #request: MediaRequest;
  #seekable: boolean;
  #paused = false;
  /** The newest seek: where to, and by which number; and whether it was answered. */
  #seek: { to: unknown; id: unknown; arrived: boolean } | undefined;

  constructor(request: MediaRequest, { seekable }: PlaybackStateOptions) {
    this.#request = request;
    this.#seekable = seekable;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Whether the place is found by a seek: timestamps that came twice do not tell it. */
  get seeks(): boolean {
    return this.#seek !== undefined || (this.#seekable && this.#request.loop === true);
  }

  /** Takes note of what the user does. */
  act({ action, to, id }: Control): void {
    if (action === "pause") this.#paused = true;
    else if (action === "resume") this.#paused = false;
    else if (action === "seek") this.#seek = { to, id, arrived: false };
  }

  /**
   * Takes note of the server's answer to a seek.
   *
   * @returns where what follows begins, seconds on the time line of the timestamps
   */
  arrive({ to, id }: Control): number {
    // Another seek may have followed the one that this is the answer to.
    if (this.#seek?.id === id) this.#seek = { to, id, arrived: true };
    return (typeof to === "number" ? to : 0) - (this.#request.start ?? 0);
  }

  /**
   * The seek that leads to where the user is, or wants to be.
   *
   * @param position seconds on the time line of the timestamps
   * @param whole seconds of the media, where that is known
   */
  seekTo(position: number, whole = Infinity): Control {
    const action = "seek";
    const seek = this.#seek;
    if (seek !== undefined && !seek.arrived) return { action, to: seek.to, id: seek.id };
    const { start = 0, duration = Infinity, loop } = this.#request;
    const round = Math.min(whole - start, duration);
    const inRound = loop && round > 0 && round < Infinity ? position % round : position;
    return { action, to: Math.max(0, start + inRound), id: seek?.id ?? 0 };
  }
}

/**
 * Compares what is described after a cut with what was described at first.
 *
 * @throws {Error} where frames of the one cannot follow those of the other
 */
export function checkSame(first: Description, again: Description): void {
  if (first.live !== again.live || first.name !== again.name) {
    throw new Error("the server has something else by this name now, ask for it anew");
  }
  if (first.live) {
    const [before, after] = [first, again].map(({ streams }) => streams);
    if (sameFormats(before, after)) return;
    throw new Error(
      `the source came back as something else: ${told(after)}, expected ${told(before)}; ask for ` +
        "it anew",
    );
  }
  if (first.etag !== again.etag) {
    throw new Error(
      "the file was replaced meanwhile: it is not the one that it began with, get it anew",
    );
  }
  if (sameStreams(first.streams, again.streams)) return;
  throw new Error(
    "the server sends it in another form now, as a server of another version may, get it anew",
  );
}

/** Streams in a few words: `rawvideo 1280×720 and pcm_s16le`. */
function told(streams: readonly StreamDescription[]): string {
  return streams.map((stream) => {
    const { codec } = stream;
    return stream.type === "video" ? `${codec} ${stream.width}×${stream.height}` : codec;
  }).join(" and ");
}
