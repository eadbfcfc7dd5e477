/** The interface between the page and the program that serves it. Types only. */
import type { Frame, StreamDescription } from "../media/frame.ts";
import type { OpenResponse } from "../protocol/media_response.ts";
import type { MediaRequest } from "../protocol/native/request.ts";
import type { ListEntry } from "../protocol/native/response.ts";
import type { Sink } from "../sinks/sink.ts";
import type { ImageQuery, PlayQuery } from "./api.ts";

/**
 * The program behind the page. The router, the thumbnails and the plays know nothing else of it, so
 * that a client and a server can serve the same page.
 */
export interface WebService {
  readonly info: ServiceInfo;
  /**
   * Lists all media; files that take long to look into are pending.
   *
   * @throws {Error} if the server does not respond
   */
  list(signal: AbortSignal): Promise<readonly ListEntry[]>;
  /** Finds the entry of a name, in a list that may be a few seconds old. */
  find(name: string, signal: AbortSignal): Promise<ListEntry | undefined>;
  /**
   * Requests an image or a video. The response ends with the signal, or when it is disposed.
   *
   * A refusal is thrown here, or by reading the response.
   */
  open(request: MediaRequest, signal: AbortSignal): Promise<OpenResponse>;
  /**
   * Opens a file as it lies in the folder; absent if the program has no access to it.
   *
   * @throws {RequestError} `not_found` if no file has that name
   */
  file?(name: string, signal: AbortSignal): Promise<StoredFile>;
  /**
   * Gets one image.
   *
   * @throws {RequestError} if it is refused
   */
  image(request: ImageRequest, signal: AbortSignal): Promise<ImageFrame>;
  /**
   * Plays media to a target until it ends.
   *
   * @throws {RequestError} if it is refused
   * @throws {Error} if it cannot be fetched, or is cut
   */
  play(query: PlayQuery, target: PlayTarget, signal: AbortSignal): Promise<PlayEnd>;
  /** Calls back when the list has changed, until the signal. */
  follow?(onChange: () => void, signal: AbortSignal): void;
}

/** A file of the library that is open until it is disposed. */
export interface StoredFile extends AsyncDisposable {
  /** Bytes. */
  readonly size: number;
  /** When it was changed, milliseconds since 1970. */
  readonly modified: number;
  /**
   * Reads bytes from a position on.
   *
   * @throws {Error} if the file has become shorter
   */
  read(position: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** Properties of the server besides its media. */
export interface ServiceInfo {
  /** Host and port of the media server. */
  server: string;
  /** The server is a script: no thumbnails, no seeking. */
  classic: boolean;
  /** Media that the page opens with; null for the library. */
  start: StartView | null;
}

/** Media, and how to play it. */
export interface StartView {
  kind: "image" | "video";
  /** Null for the server's own choice. */
  name: string | null;
  /** Seconds. */
  at: number;
  loop: boolean;
  /** 1 is real time. */
  speed: number;
}

/** One image. */
export interface ImageRequest extends ImageQuery {
  /** Pixels: scales the image to this width, and compresses it. @default the full size */
  width?: number;
}

/** A frame in memory of its own, and the streams that describe it. */
export interface ImageFrame {
  frame: Frame;
  streams: readonly StreamDescription[];
}

/** The receiver of one play. */
export interface PlayTarget {
  /** Opens the sink that turns the frames into fragments for the page, once. */
  open(part: PlayPart): Sink;
  /** Whether transparent pictures can be encoded and shown. */
  showsTransparency(): Promise<boolean>;
  /** Shows a message to the user. */
  note(message: string): void;
}

/** The part of the media that is played. */
export interface PlayPart {
  /** Seconds of the media at which the timestamps begin. */
  start: number;
  /** Seconds that are played. @default up to the end */
  duration?: number;
  /** Its video is encoded for browsers already. @default false */
  isEncoded?: boolean;
  /** It was requested for its transparency. @default false */
  isTransparent?: boolean;
  /** It can be neither sought nor paused. @default as described */
  live?: boolean;
  /** Reads the counters. */
  stats: () => PlayStats;
}

/** Counters of one play, as the page gets them. */
export interface PlayStats {
  /** Frames of video. */
  frames: number;
  audioFrames: number;
  bytes: number;
  dropped: number;
  /** Frames of video a second, over the whole time. */
  fps: number;
  /** Milliseconds from a live frame's capture to its arrival; null if nothing is live. */
  latencyMs: { p50: number; p95: number } | null;
  /** Seconds of the media that have arrived. */
  position: number;
}

/** Sent at the end of a play. */
export interface PlayEnd {
  /** Frames of video. */
  frames: number;
  /** Frames of video that the server dropped. */
  dropped: number;
  /** A sentence about damage of the media. */
  warning: string | null;
  /** The source is live and goes on with other streams: another play gets them. */
  hasChanged?: boolean;
}
