/** What a peer receives: messages, parsed. */
import type { RequestError } from "../../../lib/base/errors.ts";
import type { AnyStream, Description } from "../../../lib/media/frame.ts";
import type { ListPiece } from "../../../lib/protocol/native/list.ts";
import type { Control } from "../../../lib/protocol/native/request.ts";
import type {
  Acceptance,
  EndReport,
  ListEntry,
  Notice,
} from "../../../lib/protocol/native/response.ts";
import type { FrameSum } from "../media/reference.ts";

/** A frame without its bytes. */
export interface ReceivedFrame extends FrameSum {
  streamId: number;
  type: AnyStream["type"];
  /** Ticks of the stream's time base. */
  timestamp: number;
  seconds: number;
  keyframe: boolean;
  dropped: boolean;
  discontinuity: boolean;
  /** Microseconds since 1970, of a live source. */
  captured?: number;
}

/** A frame with its bytes. */
export interface WholeFrame extends ReceivedFrame {
  data: Uint8Array<ArrayBuffer>;
}

/** A message, parsed. */
export type Received =
  | { kind: "describe"; description: Description }
  | { kind: "frame"; frame: WholeFrame }
  | { kind: "control"; control: Control }
  | { kind: "notice"; notice: Notice }
  | { kind: "list"; list: readonly ListEntry[]; piece: ListPiece }
  | { kind: "end"; end: EndReport }
  | { kind: "error"; error: RequestError }
  | { kind: "accept"; acceptance: Acceptance }
  | { kind: "ping" }
  | { kind: "pong" }
  | { kind: "request" };

/** A {@linkcode Received} of a kind. */
export type ReceivedOf<Kind extends Received["kind"]> = Extract<Received, { kind: Kind }>;
