/** The client as functions, for programs that import it. */
import { RequestError } from "../base/errors.ts";
import { checkFinite, checkNumbers, checkOption } from "../base/options.ts";
import { checkAuthorities, parseFingerprint } from "../net/certificate.ts";
import type { Target, TargetAdvice } from "../net/connection.ts";
import { toToken } from "../net/token.ts";
import type { Trust, TrustAdvice } from "../net/tls.ts";
import { DEFAULT_PORT } from "../protocol/native/framing.ts";
import type { ListEntry } from "../protocol/native/response.ts";
import { limitsOf, type RetryLimits } from "./connection/retry.ts";
import { openPublisher, type Publisher, type PublishOptions } from "./publish/publisher.ts";
import { askList } from "./request/list.ts";
import {
  type ImageOptions,
  type MediaFrame,
  type RequestEvents,
  ResponseWatch,
  type Watch,
  type WatchOptions,
} from "./watch.ts";

/** The options, in the words of errors. */
const ADVICE: TargetAdvice = {
  address: "the options host and port",
  missingToken: "set the option token",
  wrongToken: "look at the option token, and ask who keeps the server for the right one",
  foreign: { native: "is that stream-server?", script: "is that stream-server?" },
};

const TRUST_ADVICE: TrustAdvice = {
  host: "the option host, or tlsFingerprint",
  authority: "the option caCert or tlsFingerprint",
};

/** Options of {@linkcode connect}. */
export interface ConnectOptions {
  /** Name or address of the server. @default "localhost" */
  host?: string;
  /** TCP port. @default 7777 */
  port?: number;
  /** The token that the server requires: that for watching, or that for publishing. */
  token?: string;
  /** Encrypt, and trust the authorities of this machine. @default false */
  tls?: boolean;
  /** Encrypt, and trust this certificate or authority: its text in PEM. */
  caCert?: string;
  /** Encrypt, and trust only the certificate with this fingerprint: `sha256:` and 64 digits. */
  tlsFingerprint?: string;
  /**
   * Attempts to connect again, in a row.
   *
   * @default 0 before anything was received, 5 after that; for publishers 0 before the server
   * accepts, then no limit
   */
  retries?: number;
}

/** Options of {@linkcode Client.list}. */
export interface ClientListOptions {
  /** Lists also files that cannot be read, with the reason as `problem`. @default false */
  problems?: boolean;
  /** Ends the request. */
  signal?: AbortSignal;
}

/** A server. Each call makes a connection of its own; the client itself holds none. */
export interface Client {
  /**
   * Lists the media of the server: live sources first, then files in order of name.
   *
   * @throws {RequestError} if the server refuses, such as `unauthorized`
   * @throws {ConnectError} if there is no connection
   * @throws {CutError} if the connection was lost
   */
  list(options?: ClientListOptions): Promise<ListEntry[]>;
  /**
   * Watches a video, an image or a live source, frame by frame.
   *
   * @param name as listed
   * @throws {TypeError} if a number is not finite
   *
   * @example
   * ```ts
   * import { connect, serve } from "@stream/media";
   *
   * await using server = await serve({ media: "media" });
   * const client = connect(server.address);
   * const options = { pixelFormat: "bgr24", width: 64, audio: false, duration: 0.1, speed: 0 };
   * for await (const { time, stream, data } of client.watch("video.mp4", options)) {
   *   if (stream.type === "video") console.log(time, stream.width, stream.height, data.length);
   * }
   * ```
   */
  watch(name: string, options?: WatchOptions): Watch;
  /**
   * Gets an image, or one frame of a video or a live source. Its data stays valid.
   *
   * @param name as listed
   * @throws {RequestError} if the server refuses, such as `not_found`
   * @throws {ConnectError} if there is no connection
   * @throws {CutError} if the connection was lost
   * @throws {TypeError} if a number is not finite
   *
   * @example
   * ```ts
   * import { connect, serve } from "@stream/media";
   *
   * await using server = await serve({ media: "media" });
   * const { data } = await connect(server.address).image("video.mp4", {
   *   time: 7.5,
   *   encoding: "mjpeg",
   * });
   * const path = await Deno.makeTempFile({ suffix: ".jpg" });
   * await Deno.writeFile(path, data);
   * ```
   */
  image(name: string, options?: ImageOptions): Promise<MediaFrame>;
  /**
   * Publishes frames as a live source of the server, and waits until the server accepts.
   *
   * @param name under which it is watched; 1 to 255 characters
   * @throws {RequestError} if the server refuses, such as `unauthorized`, or `busy` if another
   * publisher has the name
   * @throws {ConnectError} if there is no connection
   * @throws {CutError} if the connection was lost before the server accepted
   * @throws {TypeError} if an option is wrong
   *
   * @example
   * ```ts
   * import { connect, serve } from "@stream/media";
   *
   * await using server = await serve();
   * const video = { width: 4, height: 2, pixelFormat: "gray" };
   * await using publisher = await connect(server.address).publish("cam", { video, data: "json" });
   * publisher.write(new Uint8Array(4 * 2), { data: { persons: 0 } });
   * await publisher.finish();
   * ```
   */
  publish(name: string, options: PublishOptions): Promise<Publisher>;
}

/**
 * Names a server. Nothing is sent before something is asked for.
 *
 * @throws {TypeError} if an option is wrong
 *
 * @example
 * ```ts
 * import { connect, serve } from "@stream/media";
 *
 * await using server = await serve({ media: "media", token: "open-sesame" });
 * const client = connect({ ...server.address, token: "open-sesame" });
 * for (const { name, kind } of await client.list()) console.log(name, kind);
 * ```
 */
export function connect(options: ConnectOptions = {}): Client {
  const { host = "localhost", port = DEFAULT_PORT, token, retries } = options;
  checkNumbers({ port }, { min: 1, max: 65535, integer: true });
  checkNumbers({ retries }, { min: 0, max: Infinity });
  if (host === "" || /^[^:]+:\d+$/.test(host)) {
    throw new TypeError(
      `Cannot use host "${host}": expected a name without a port; set the option port`,
    );
  }
  const credentials = {
    token: token === undefined
      ? undefined
      : checkOption(() => toToken(token, "the option token", "it")),
    trust: checkOption(() => toTrust(options)),
  };
  return new ServerClient({ host, port, credentials, advice: ADVICE }, retries);
}

function toTrust({ tls, caCert, tlsFingerprint }: ConnectOptions): Trust | undefined {
  if (tlsFingerprint !== undefined) {
    const option = "tlsFingerprint";
    if (caCert !== undefined) throw new Error(`Cannot use caCert with ${option}: expected one`);
    return { kind: "fingerprint", fingerprint: parseFingerprint(tlsFingerprint, option), option };
  }
  if (caCert === undefined) return tls ? { kind: "system", advice: TRUST_ADVICE } : undefined;
  checkAuthorities(caCert, "caCert");
  return { kind: "authority", pem: caCert, file: "caCert", advice: TRUST_ADVICE };
}

class ServerClient implements Client {
  #target: Target;
  #limits: RetryLimits;
  #publishLimits: RetryLimits;

  constructor(target: Target, retries: number | undefined) {
    this.#target = target;
    this.#limits = limitsOf({ retries });
    this.#publishLimits = { first: retries ?? 0, later: retries ?? Infinity };
  }

  async list(
    { problems = false, signal = new AbortController().signal }: ClientListOptions = {},
  ): Promise<ListEntry[]> {
    const entries = await askList({ ...this.#origin, notify: () => {}, signal });
    return entries.filter(({ problem }) => problems || problem === undefined);
  }

  watch(name: string, options: WatchOptions = {}): Watch {
    checkFinite(options);
    const { signal, onNotice, ...fields } = options;
    const request = { ...fields, command: "get_video", name, redescribe: true } as const;
    return new ResponseWatch(request, this.#origin, { signal, onNotice });
  }

  async image(name: string, options: ImageOptions = {}): Promise<MediaFrame> {
    checkFinite(options);
    const { time: start, signal, onNotice, ...fields } = options;
    const events: RequestEvents = { signal, onNotice };
    const request = { ...fields, command: "get_image", name, start } as const;
    await using response = new ResponseWatch(request, this.#origin, events);
    // Nothing more is read, so that its memory is not used again.
    const { value: frame } = await response.next();
    if (frame !== undefined) return frame;
    throw new RequestError("not_found", `Cannot get "${name}": there is no picture there`);
  }

  async publish(name: string, options: PublishOptions): Promise<Publisher> {
    return await openPublisher(name, options, {
      target: this.#target,
      limits: this.#publishLimits,
    });
  }

  get #origin() {
    return { target: this.#target, limits: this.#limits };
  }
}
