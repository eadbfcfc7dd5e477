/** The response to a request, whatever its protocol. */
import type { AnyStream, Description, Frame } from "../media/frame.ts";
import type { Control } from "./native/request.ts";
import type { EndReport, Notice, StreamTotals } from "./native/response.ts";

/** A part of a response: one description, frames, one end, and messages in between. */
export type ResponsePart =
  | { kind: "describe"; description: Description }
  /** The frame's memory is valid until the next part is requested. */
  | {
    kind: "frame";
    frame: Frame;
    /** The server dropped frames before this one. */
    dropped: boolean;
    /** Milliseconds since a live frame was captured, if the server's clock is known. */
    latency?: number;
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
}

/** A response that owns its connection. */
export type OpenResponse = MediaResponse & Disposable;

/** Counts the frames of a response, and the bytes of their data. */
export class FrameCounter {
  #types = new Map<number, AnyStream["type"]>();
  #streams = new Map<number, StreamTotals>();

  /** Adds streams to those that {@linkcode FrameCounter.totals} covers. */
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

  /** Sums over all streams that were described. */
  get totals(): Pick<EndReport, "frames" | "audioFrames" | "bytes"> {
    const totals = { frames: 0, audioFrames: 0, bytes: 0 };
    for (const { id, frames, bytes } of this.#streams.values()) {
      const type = this.#types.get(id);
      if (type === undefined) continue;
      totals.bytes += bytes;
      if (type === "video") totals.frames += frames;
      else if (type === "audio") totals.audioFrames += frames;
    }
    return totals;
  }
}
