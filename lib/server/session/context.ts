/** The state that sessions and requests share with the server. */
import type { ByteReader } from "../../base/byte_reader.ts";
import type { ByteWriter } from "../../base/byte_writer.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { HardwareFallback } from "../../ffmpeg/hardware.ts";
import type { IdleTimeout } from "../../net/socket.ts";
import type { ConversationObserver } from "../../net/observer.ts";
import type { MediaRequest } from "../../protocol/native/request.ts";
import type { SharedRenditions } from "../../sources/cache/shared_renditions.ts";
import type { Library, MediaFile } from "../../sources/file/library.ts";
import type { MediaOptions } from "../../sources/file/plan.ts";
import type { DecoderSemaphore, MemoryBudget } from "../../sources/limits.ts";
import type { Publications } from "../../sources/publish/published.ts";
import type { LiveSources } from "../../sources/live/registry.ts";
import type { Authenticator } from "../auth/authenticator.ts";
import type { PublishAccess } from "../auth/publish_access.ts";
import type { ConnectionSlot } from "../connection_limiter.ts";
import type { OptionNames } from "../option_names.ts";
import type { RequestLog, RequestRecord } from "../metrics/records.ts";
import type { Controls } from "../playback/controls.ts";
import type { ResponseWriter } from "../playback/sender.ts";
import type { Shutdown } from "../shutdown.ts";
import type { PeerRate, RequestTimeout } from "./peer_limits.ts";

/** Milliseconds that a peer, or FFmpeg, may keep the server waiting. */
export interface Timeouts {
  /** For a request to arrive. */
  request: number;
  /** For the first bytes of a peer that has no connection slot. @default 3000 */
  refusal?: number;
  /** For a peer to accept any bytes. */
  stall: number;
  /** Between the pings of a response. */
  ping: number;
  /** For any sign of life of a native peer during a response. @default 15_000 */
  life?: number;
  /** Between two frames of a script that pushes. @default 30_000 */
  pause?: number;
  /** For any output of FFmpeg. @default 30_000 */
  silence?: number;
  /** For FFmpeg to probe a file. @default 20_000 */
  probe?: number;
}

/** Media of requests without a name; the first of their kind in the folder if absent. */
export interface Defaults {
  /** Name of an image. */
  image?: string;
  /** Name of a video. */
  video?: string;
}

/** The state that playing media needs, with or without a connection. */
export interface MediaContext {
  library: Library;
  live: LiveSources;
  defaults: Defaults;
  /** Limits the memory of the frames of all viewers. */
  budget: MemoryBudget;
  /** Limits the decoders that run at once. */
  slots: DecoderSemaphore;
  /** Shares the frames of files among viewers. */
  renditions: SharedRenditions;
  /** How files are decoded and encoded. @default by the processor */
  hardware?: HardwareFallback;
  timeouts: Timeouts;
  /** Paces the frames of files. */
  clock?: Clock;
  /** Ids of the relays that the request came through, the last one first. */
  via?: readonly string[];
  /** IP address of the viewer, by which decoders are shared fairly; absent for the server itself. */
  address?: string;
  /** Ends the playback. */
  signal: AbortSignal;
}

/** The state that a session shares with the server, and its connection. */
export interface SessionContext extends MediaContext {
  /** Checks tokens. */
  authenticator: Authenticator;
  /** Checks who may publish. */
  publishAccess: PublishAccess;
  publications: Publications;
  /** Pixels of the largest picture. */
  maxPixels: number;
  /** The script protocol, which has no tokens, is served even if a token is required. */
  scriptsOpen?: boolean;
  /** Words by which scripts request the default video, besides `get_video`. @default none */
  requestWords?: readonly string[];
  /** @default SERVER_FLAG_NAMES */
  names?: OptionNames;
  /** Logs and counts requests. */
  requestLog: RequestLog;
  /** Takes the lines that explain each conversation. */
  explain?: (line: string) => void;
  /** Explains this conversation. */
  observer?: ConversationObserver;
  /** IP address of the peer. */
  address: string;
  logger: Logger;
  shutdown: Shutdown;
  /** Whether the server ends the session, and not the peer. */
  isDraining: () => boolean;
  /** Measures how long the peer has been silent. */
  idleTimeout: IdleTimeout;
  /** Of the connection; absent if the server has connected to the peer. */
  slot?: ConnectionSlot;
  /** Measures what the peer makes the server do. */
  rate: PeerRate;
  /** Runs from when the server waits for a request. */
  requestTimeout: RequestTimeout;
  /** Reads from the peer. */
  reader: ByteReader;
  /** Writes to the peer. */
  writer: ByteWriter;
  /** Bytes that the peer has not read, as far as the system tells. @default it does not */
  unread?: () => Promise<number | undefined>;
}

/** A request for media, as the protocols make it. */
export interface PlayRequest extends MediaRequest {
  /** FFmpeg's name of the matrix that raw frames are converted with. */
  colorMatrix?: string;
  /** Policy on late frames of a live source if `late` is absent. @default "wait" */
  lateLive?: MediaRequest["late"];
}

/** The context of one media request. */
export interface PlayContext extends MediaContext {
  controls: Controls;
  record: RequestRecord;
  response: ResponseWriter;
  /** Adapts the conversion of a file to the protocol. */
  adapt?: (options: MediaOptions, file: MediaFile) => MediaOptions;
}
