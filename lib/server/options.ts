import type { Clock } from "../base/clock.ts";
import type { Address } from "../net/address.ts";
import type { WantedHardware } from "../ffmpeg/hardware_search.ts";
import type { LiveOptions } from "../sources/live/registry.ts";
import type { CredentialOptions } from "./auth/credentials.ts";
import type { PublishMode } from "./auth/publish_access.ts";
import type { OptionNames } from "./option_names.ts";
import type { ScriptOutput } from "./script_spec.ts";
import type { Defaults, Timeouts } from "./session/context.ts";

export type { EncoderChoice } from "../ffmpeg/encoders.ts";

/** Options of a server. An encoder of `auto` is for live sources; one with a name for files, too. */
export interface ServerOptions extends WantedHardware {
  /** Address to listen on. */
  host: string;
  /** TCP port; 0 for any free one. */
  port: number;
  /** Path of the folder that is served; no files without it. */
  media?: string;
  defaults: Defaults;
  /** Live sources beside the folder. */
  live?: LiveOptions;
  /** Who may publish. @default "local" */
  publish?: PublishMode;
  /** Publishers at once. @default DEFAULT_MAX_PUBLISHERS */
  maxPublishers?: number;
  /** Connections at once; further clients get a busy error. */
  maxClients: number;
  /** Connections at once from one IPv4 address or IPv6 network; 0 for no such limit. @default 0 */
  maxPerAddress?: number;
  /** Decoders that run at once. @default defaultMaxDecoders() */
  maxDecoders?: number;
  /** Token and certificate; without them, everybody is served, without TLS. */
  credentials?: CredentialOptions;
  /** Serves scripts, which send no token, even if a token is required. */
  scriptsOpen?: boolean;
  /** Words by which scripts request the default video, besides `get_video`. @default none */
  requestWords?: readonly string[];
  /** Media that scripts get without a request. @default none */
  scripts?: readonly ScriptOutput[];
  /** @default DEFAULT_TIMEOUTS */
  timeouts?: Timeouts;
  /** Paces the frames of files. @default MONOTONIC_CLOCK */
  clock?: Clock;
  /** Pixels of the largest picture that is decoded. @default DEFAULT_MAX_PIXELS */
  maxPixels?: number;
  /** Bytes that the frames of all viewers together may take. @default DEFAULT_MAX_MEMORY */
  maxMemory?: number;
  /**
   * Bytes of the frames that are kept of files and shared by viewers, in addition to `maxMemory`; 0 to
   * keep and share nothing.
   *
   * @default DEFAULT_START_CACHE_SIZE
   */
  startCacheSize?: number;
  /** Probes all files before anybody asks for them, and logs what is served and what is not there. */
  warm?: boolean;
  /** Address of the page over HTTP, or HTTPS with a certificate; none is served without it. */
  http?: Address;
  /** Draws what is for a person at a terminal, such as a QR code; absent if there is none. */
  draw?: (text: string) => void;
  /** Address of the metrics over HTTP; none are served without it. */
  metrics?: Address;
  /** Takes the lines that explain each conversation; they are safe to print. */
  explain?: (line: string) => void;
  /** @default SERVER_FLAG_NAMES */
  names?: OptionNames;
}

/** Bounds of options. */
export const SERVER_BOUNDS = {
  port: { min: 0, max: 65535, integer: true },
  /** Seconds. */
  liveLinger: { min: 0, max: 86_400 },
  maxPublishers: { min: 1, max: 100_000, integer: true },
  maxClients: { min: 1, max: 100_000, integer: true },
  maxPerAddress: { min: 0, max: 100_000, integer: true },
  maxDecoders: { min: 1, max: 10_000, integer: true },
  maxPixels: { min: 1, max: 2 ** 31 - 1, integer: true },
  /** Bytes. */
  maxMemory: { min: 1, max: Infinity },
  /** Bytes. */
  startCacheSize: { min: 0, max: 1e12 },
  /** Seconds. */
  grace: { min: 0, max: 86_400 },
} as const;

/** How long a peer may keep the server waiting. */
export const DEFAULT_TIMEOUTS: Timeouts = { request: 10_000, stall: 30_000, ping: 5_000 };

/** Bytes; enough for 115 viewers of 4K, or 460 of 1080p, with 8 bits and 4:2:0. */
export const DEFAULT_MAX_MEMORY = 4 * 2 ** 30;

/** Bytes; enough for the first third of a second of two videos of 1080p as BGR, as scripts get it. */
export const DEFAULT_START_CACHE_SIZE = 128e6;

/** Pixels; as RGB, such a picture takes 400 MB while it is decoded. */
export const DEFAULT_MAX_PIXELS = 2 ** 27;

/** Connections at once. */
export const DEFAULT_MAX_CLIENTS = 64;

/** Publishers at once. */
export const DEFAULT_MAX_PUBLISHERS = 64;

/** Seconds that responses may go on while the server is draining. */
export const DEFAULT_GRACE = 5;

/** Decoders that may run at once: four for each core, and at least eight. */
export function defaultMaxDecoders(): number {
  return Math.max(8, 4 * navigator.hardwareConcurrency);
}
