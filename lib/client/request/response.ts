import type { Description, Frame } from "../../media/frame.ts";
import type { Control } from "../../protocol/native/request.ts";
import type { EndReport, Notice } from "../../protocol/native/response.ts";

/** What comes back for an image or a video: one description, frames, one end, and news between. */
export type ResponsePart =
  | { kind: "describe"; description: Description }
  /** The frame is good until the next part is asked for. */
  | {
    kind: "frame";
    frame: Frame;
    /** Frames were left out before it. */
    dropped: boolean;
    /** Milliseconds since a live frame was captured, where both clocks are known. */
    latency?: number;
  }
  | { kind: "notice"; notice: Notice }
  /** The server's answer to a seek: what follows comes from there. */
  | { kind: "control"; control: Control }
  | { kind: "end"; end: EndReport };

/** An answer as it comes, and what can be done about it meanwhile. */
export interface MediaResponse extends AsyncIterable<ResponsePart> {
  /** Tells the server to pause, go on, seek or stop; absent where the wire has no such message. */
  control?(control: Control): Promise<void>;
  /** Ends the connection at once, and so the answer; harmless when it has ended. */
  abandon?(): void;
}
