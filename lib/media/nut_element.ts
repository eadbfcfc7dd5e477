/** What a NUT demuxer tells of the bytes that it is given. */

/** Give at least `needed` bytes, beginning at the same place. */
export interface NutMore {
  kind: "more";
  /** Bytes; always more than were given. */
  needed: number;
}

/** Not a frame: `length` bytes of input are to be dropped, maybe more than were given. */
export interface NutSkip {
  kind: "skip";
  /** Bytes. */
  length: number;
}

/** The header of a frame, whose payload follows it in the input. */
export interface NutFrame {
  kind: "frame";
  /** Bytes of the frame header; they are to be dropped. */
  length: number;
  streamId: number;
  /** Ticks of the stream's time base. */
  timestamp: number;
  keyframe: boolean;
  /** Bytes of payload that follow the frame header in the input. */
  size: number;
  /** Bytes that belong in front of the payload but were left out. Shared: not to be changed. */
  prefix: Uint8Array;
  /** Whether the payload begins with side data, see `stripSideData()`. */
  sideData: boolean;
  /** The stream has nothing to present from here until its next keyframe. */
  endOfRelevance: boolean;
}

/** What stands at the beginning of the given bytes. */
export type NutElement = NutMore | NutSkip | NutFrame;
