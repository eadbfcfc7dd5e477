/** Decides how a response continues after a cut. */
import { FormatError } from "../../base/errors.ts";
import {
  allStreams,
  type AnyStream,
  type Description,
  type Frame,
  pcmTicks,
  sameData,
  sameFormats,
  sameStreams,
  type StreamDescription,
  toSeconds,
} from "../../media/frame.ts";
import type { Control, MediaRequest, ResumePoint } from "../../protocol/native/request.ts";
import { LiveTimeline } from "./live_timeline.ts";

/** Options of {@linkcode ResumeState}. */
export interface ResumeStateOptions {
  /** The user may seek in the response. */
  seekable: boolean;
  /** Milliseconds since a fixed time; never goes back. */
  now: () => number;
}

/** The progress of one stream. */
interface StreamState {
  stream: AnyStream;
  point?: ResumePoint;
  /** Messages of a file with the last timestamp, which come again when the stream is resumed. */
  latest: Set<string>;
  /** Frames that were marked as a discontinuity. */
  breaks: number;
}

/** Seconds of the shortest part that can be requested. */
const MIN_DURATION = 0.001;

/**
 * The progress of a response over all of its connections, and how the next connection continues
 * it.
 *
 * - A file continues with the frame after the last one of each stream ({@linkcode ResumePoint}).
 * - After a seek, or in a loop that is watched, a file continues with a seek to the position:
 *   timestamps that were delivered twice do not identify a frame.
 * - A live source continues with its newest frame, on one timeline. Its streams may be others then.
 */
export class ResumeState {
  #request: MediaRequest;
  #options: ResumeStateOptions;
  /** The description that was passed on last. */
  #description: Description | undefined;
  #streams = new Map<number, StreamState>();
  #hasVideo = false;
  /** Of a live source. */
  #timeline: LiveTimeline | undefined;
  #position = 0;
  #isPaused = false;
  /** The latest seek. */
  #seek: { to: unknown; id: unknown; isAnswered: boolean } | undefined;

  constructor(request: MediaRequest, options: ResumeStateOptions) {
    this.#request = request;
    this.#options = options;
  }

  /** A connection has described the response. */
  get isDescribed(): boolean {
    return this.#description !== undefined;
  }

  get isLive(): boolean {
    return this.#timeline !== undefined;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Another connection can continue the response. */
  get isResumable(): boolean {
    const description = this.#description;
    return description === undefined || description.live || description.etag !== undefined;
  }

  /** Timestamp of the latest video frame, or of the latest frame if there is no video; seconds. */
  get position(): number {
    return this.#position;
  }

  /** The position at which each stream continues of which a frame was delivered. */
  get points(): ResumePoint[] {
    return [...this.#streams.values()].flatMap(({ point, breaks }) =>
      point === undefined ? [] : breaks === 0 ? [point] : [{ ...point, breaks }]
    );
  }

  /** Seconds since the latest frame of a live source arrived. */
  get idle(): number {
    return this.#timeline?.idle ?? 0;
  }

  /** Seconds of a live source that are missing at the latest cut. */
  get gap(): number {
    return this.#timeline?.gap ?? 0;
  }

  /** The request for what was not delivered yet; `undefined` if nothing is left of it. */
  get nextRequest(): MediaRequest | undefined {
    // Once the server has chosen the media, the request names it.
    const request = { ...this.#request, name: this.#description?.name ?? this.#request.name };
    if (this.#timeline !== undefined && request.duration !== undefined) {
      const duration = request.duration - this.#timeline.length;
      return duration < MIN_DURATION ? undefined : { ...request, duration };
    }
    const { points } = this;
    return this.isLive || this.#needsSeek || points.length === 0
      ? request
      : { ...request, resume: points };
  }

  /** The seek that {@linkcode ResumeState.nextRequest} has to be followed by, if any. */
  get nextSeek(): Control | undefined {
    if (!this.#needsSeek) return undefined;
    const action = "seek";
    const seek = this.#seek;
    if (seek?.isAnswered === false) return { action, to: seek.to, id: seek.id };
    const { start = 0, duration = Infinity, loop } = this.#request;
    const round = Math.min((this.#description?.duration ?? Infinity) - start, duration);
    const isRound = loop && round > 0 && round < Infinity;
    const position = isRound ? this.#position % round : this.#position;
    return { action, to: Math.max(0, start + position), id: seek?.id ?? 0 };
  }

  get #needsSeek(): boolean {
    const isLooped = this.#options.seekable && this.#request.loop === true;
    return !this.isLive && (this.#seek !== undefined || isLooped);
  }

  /**
   * Takes a description.
   *
   * @param options whether the same connection has described the response before
   * @returns the description to pass on; `undefined` if everything goes on as before
   * @throws {Error} if it cannot continue the earlier ones
   */
  describe(
    description: Description,
    { isFurther = false }: { isFurther?: boolean } = {},
  ): Description | undefined {
    const before = this.#description;
    const all = allStreams(description);
    if (before === undefined) {
      if (description.live) this.#timeline = new LiveTimeline(all, this.#options.now);
      return this.#begin(description);
    }
    checkSame(before, description);
    if (!description.live) {
      if (!isFurther) return undefined;
      throw new FormatError("Cannot understand the server: a second description came unannounced");
    }
    const isSame = sameFormats(before.streams, description.streams);
    if (isSame && sameData(before.data, description.data)) {
      this.#timeline?.resume(all, { isSameConnection: isFurther });
      return undefined;
    }
    // Unless a decoder needs something else, not even the time bases change.
    const next = isSame ? { ...description, streams: before.streams } : description;
    this.#timeline?.resume(all, {
      streams: allStreams(next),
      isSameMedia: isSame,
      isSameConnection: isFurther,
    });
    return this.#begin(next);
  }

  #begin(description: Description): Description {
    const { streams } = description;
    this.#description = description;
    this.#streams = new Map(
      allStreams(description).map((stream) => [
        stream.id,
        { stream, breaks: 0, latest: new Set() },
      ]),
    );
    this.#hasVideo = streams.some(({ type }) => type === "video");
    return description;
  }

  /**
   * Records a frame.
   *
   * @returns the frame to deliver, with its time on the common timeline; `undefined` if it precedes
   * what was delivered, or is a text that was
   */
  take(original: Frame): Frame | undefined {
    const frame = this.#timeline === undefined ? original : this.#timeline.retime(original);
    if (frame === undefined) return undefined;
    const state = this.#streams.get(frame.streamId);
    if (state === undefined) return frame;
    const { stream } = state;
    if (stream.type === "data") return this.isLive || isNew(frame, state) ? frame : undefined;
    if (frame.discontinuity) state.breaks++;
    state.point = pointAfter(frame, stream);
    if (!this.#hasVideo || stream.type === "video") {
      this.#position = Math.max(this.#position, toSeconds(frame.timestamp, stream.timeBase));
    }
    return frame;
  }

  /** Records a control that the user sends. */
  onControl({ action, to, id }: Control): void {
    if (action === "pause") this.#isPaused = true;
    else if (action === "resume") this.#isPaused = false;
    else if (action === "seek") this.#seek = { to, id, isAnswered: false };
  }

  /** Records the server's reply to a seek. */
  onSeekReply({ to, id }: Control): void {
    // The user may have sent another seek since.
    if (this.#seek?.id === id) this.#seek = { to, id, isAnswered: true };
    this.#position = (typeof to === "number" ? to : 0) - (this.#request.start ?? 0);
    // Texts from the target on come again.
    for (const { latest } of this.#streams.values()) latest.clear();
  }
}

/** Records a message of a file. */
function isNew({ timestamp, data }: Frame, state: StreamState): boolean {
  const { stream: { id }, point, latest } = state;
  if (timestamp !== point?.after) latest.clear();
  state.point = { id, after: timestamp };
  const text = new TextDecoder().decode(data);
  if (latest.has(text)) return false;
  latest.add(text);
  return true;
}

function pointAfter({ timestamp, data }: Frame, stream: StreamDescription): ResumePoint {
  const { id } = stream;
  const ticks = pcmTicks(data.byteLength, stream);
  if (ticks === undefined) return { id, after: timestamp };
  return { id, after: timestamp, next: timestamp + ticks };
}

/** @throws {Error} if frames of the second description cannot follow frames of the first */
function checkSame(first: Description, second: Description): void {
  if (first.live !== second.live || first.name !== second.name) {
    throw new Error("the server has something else by this name now, ask for it anew");
  }
  if (first.live) return;
  if (first.etag !== second.etag) {
    throw new Error(
      "the file was replaced meanwhile: it is not the one that it began with, get it anew",
    );
  }
  if (sameStreams(first.streams, second.streams)) return;
  throw new Error(
    "the server sends it in another form now, as a server of another version may, get it anew",
  );
}
