import type { Description, Frame } from "../core/frame.ts";
import type { EndReport } from "../wire/answer.ts";

/** What comes back for an image or a video: one description, frames, one end. */
export type AnswerPart =
  | { kind: "describe"; description: Description }
  /** The frame is good until the next part is asked for. */
  | { kind: "frame"; frame: Frame; dropped: boolean }
  | { kind: "end"; end: EndReport };

/** The connection ended before the answer did. */
export class CutError extends Error {
  override name = "CutError";
}
