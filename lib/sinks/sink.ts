/** The interface of all sinks, and the keys of a view. */
import type { DataStream, Description, Encoding, Frame } from "../media/frame.ts";

/** Media for a sink: its description and how it is played. */
export interface Presentation extends Description {
  /** One image, or a sequence of single images. */
  still: boolean;
  /** It has no end, since it is live or loops. @default live */
  endless?: boolean;
  encoding: Encoding;
  /** Playback speed; 1 is real time, 0 as fast as possible. */
  speed: number;
  /**
   * Whole seconds before the start in which frames lie that are only decoded; 0 if there are none.
   */
  lead: number;
  /** False to show a high dynamic range as it is. @default true */
  toneMap?: boolean;
  /** Timestamp of the first video frame, seconds; below 0 if it is only decoded. */
  firstPicture: number;
}

/** A message of a data stream. */
export interface DataMessage {
  stream: DataStream;
  /** Seconds, on the timeline of the frames. */
  time: number;
  /** Its memory may be reused once it is taken. */
  data: Uint8Array;
}

/** Destination of frames. Methods are called one at a time. */
export interface Sink extends AsyncDisposable {
  /**
   * What it has is kept: it is finished as soon as it takes no more, as when the user's arguments end
   * FFmpeg. Another sink, such as a window, is closed then.
   *
   * @default false
   */
  readonly isRecording?: boolean;
  /**
   * Prepares for the first frame. Called again if the streams change: the frames that follow are of
   * other streams.
   *
   * @throws {Error} if the destination cannot take them
   */
  begin(presentation: Presentation): Promise<void>;
  /**
   * Takes a frame; resolves when it is ready for the next.
   *
   * @returns false if the sink is closed and takes no more
   */
  show(frame: Frame): Promise<boolean>;
  /**
   * Takes a message of a data stream; absent if the sink takes none.
   *
   * @returns false if the sink is closed and takes no more
   */
  takeMessage?(message: DataMessage): Promise<boolean>;
  /**
   * Completes the output after the last frame.
   *
   * @param whole false if the media was cut short
   * @returns a message for the user, such as the path of the file
   */
  finish(whole: boolean): Promise<string | undefined>;
  /** Messages of parts that are complete, for the user if the sink fails later. */
  readonly notes?: readonly string[];
  /**
   * Announces a seek: the next frames come from elsewhere. Absent if that makes no difference.
   *
   * @param to seconds in the frames' timestamps; encoded frames before it are only decoded, not
   * shown
   */
  jump?(to: number): Promise<void>;
  /**
   * Shows text over or below the picture; absent if the sink cannot. Comes before the frames of its
   * time; a seek forgets it.
   *
   * @param start seconds in the frames' timestamps; `end` the same
   */
  subtitle?(text: string, start: number, end: number): void;
  /** Announces a pause, during which no frames come, or its end. */
  pause?(paused: boolean): void;
  /** Shows a short text over the picture for a moment; absent if the sink cannot. */
  showBriefly?(text: string): void;
  /** Shows a line to the user, if the sink has the terminal to itself. */
  notify?(line: string): void;
  /**
   * Shows the progress in a line that replaces the last one, if the sink has the terminal to
   * itself.
   */
  showStatus?(line: string): void;
}

/** Creates a sink that discards all frames, for measuring and for checks. */
export function createNullSink(): Sink {
  return {
    begin: () => Promise.resolve(),
    show: () => Promise.resolve(true),
    takeMessage: () => Promise.resolve(true),
    subtitle: () => {},
    finish: () => Promise.resolve(undefined),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Video and audio streams in a few words: `128x96`, or `pcm_s16le` without video. */
export function summaryOf({ streams }: Pick<Description, "streams">): string {
  const [first] = streams;
  if (first === undefined) return "data";
  return first.type === "video" ? `${first.width}x${first.height}` : first.codec;
}

/** Playback action of a key in a terminal or window. */
export type PlayAction =
  | "pause"
  | "back"
  | "forward"
  | "far_back"
  | "far_forward"
  | "position"
  | "quit";

/** Actions by the names of keys. */
const ACTIONS: ReadonlyMap<string, PlayAction> = new Map([
  [" ", "pause"],
  ["p", "pause"],
  ["left", "back"],
  ["right", "forward"],
  ["down", "far_back"],
  ["up", "far_forward"],
  ["o", "position"],
  ["q", "quit"],
]);

/**
 * Looks up the action of a key.
 *
 * @param key a character, or `left`, `right`, `up` or `down`
 */
export function actionOf(key: string): PlayAction | undefined {
  return ACTIONS.get(key.toLowerCase());
}

/** Names of all keys with an action. */
export const PLAY_KEYS: readonly string[] = [...ACTIONS.keys()];
