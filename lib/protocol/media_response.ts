/** The response to a request, whatever its protocol. */
import type { AnyStream, Description, Frame } from "../media/frame.ts";
import type { Control } from "./native/request.ts";
import type { EndReport, Notice, StreamTotals } from "./native/response.ts";

/** A part of a response: one description, frames, one end, and messages in between. */
export type ResponsePart =
  | { kind: "describe"; description: Description }
  /** The frame's memory is valid until the next part is requested, or until it is recycled. */
  | {
    kind: "frame";
    frame: Frame;
    /** The server dropped frames before this one. */
    dropped: boolean;
    /** Milliseconds since a live frame was captured, if the server's clock is known. */
    latency?: number;
    /** Microseconds since 1970 by the own clock at which it was captured, if that is known. */
    captured?: number;
  }
  | { kind: "notice"; notice: Notice }
  /** The server's reply to a seek: the frames that follow start there. */
  | { kind: "control"; control: Control }
  | { kind: "end"; end: EndReport };

/** The response to a request for media, as it arrives. */
export interface MediaResponse extends AsyncIterable<ResponsePart> {
  /** Pauses, resumes, seeks or stops; absent if the protocol has no such message. */
  control?(control: Control): Promise<void>;
  /** Closes the connection, which ends the response. May be called more than once. */
  abandon?(): void;
  /** Takes the memory of a frame back, if frames are kept. Nothing may use the frame any more. */
  recycle?(frame: Frame): void;
}

/** A response that owns its connection. */
export type OpenResponse = MediaResponse & Disposable;

/** Counts the frames of a response, or of a publisher, and the bytes of their data. */
export class FrameCounter {
  #types = new Map<number, AnyStream["type"]>();
  #streams = new Map<number, StreamTotals>();
  #totals = { frames: 0, audioFrames: 0, bytes: 0 };

  /** Adds streams to those that {@linkcode FrameCounter.totals} covers from then on. */
  describe(streams: readonly Pick<AnyStream, "id" | "type">[]): void {
    for (const { id, type } of streams) this.#types.set(id, type);
  }

  count({ streamId, data }: Pick<Frame, "streamId" | "data">): void {
    let stream = this.#streams.get(streamId);
    if (stream === undefined) {
      stream = { id: streamId, frames: 0, bytes: 0 };
      this.#streams.set(streamId, stream);
    }
    stream.frames++;
    stream.bytes += data.byteLength;
    const type = this.#types.get(streamId);
    if (type === undefined) return;
    if (type === "video") this.#totals.frames++;
    else if (type === "audio") this.#totals.audioFrames++;
    this.#totals.bytes += data.byteLength;
  }

  /** Sums by stream. */
  get streams(): readonly StreamTotals[] {
    return [...this.#streams.values()];
  }

  /** Messages of data streams. */
  get messages(): number {
    return this.streams.filter(({ id }) => this.#types.get(id) === "data")
      .reduce((sum, { frames }) => sum + frames, 0);
  }

  /** Sums over all streams that were described when their frames were counted. */
  get totals(): Pick<EndReport, "frames" | "audioFrames" | "bytes"> {
    return { ...this.#totals };
  }
}
