/** The page for a remote server: each request of the page becomes one to the server. */
import { messageOf, RequestError } from "../base/errors.ts";
import type { StreamDescription } from "../media/frame.ts";
import { formatAddress, isAnyAddress, parseHttpAddress } from "../net/address.ts";
import type { MediaRequest } from "../protocol/native/request.ts";
import type { ListEntry } from "../protocol/native/response.ts";
import type { PlayQuery } from "../web/api.ts";
import { type ServedPage, servePage } from "../web/serve.ts";
import type {
  ImageFrame,
  ImageRequest,
  PlayEnd,
  PlayStats,
  PlayTarget,
  ServiceInfo,
  WebService,
} from "../web/service.ts";
import { explain } from "./connection/explain.ts";
import { NO_RETRIES } from "./connection/retry.ts";
import type { ClientContext } from "./context.ts";
import { toRequest } from "./options.ts";
import { play } from "./playback/play.ts";
import { Statistics } from "./playback/statistics.ts";
import { BufferedResponse } from "./request/flow_control.ts";
import { FirstRun } from "./request/first_run.ts";
import { askList } from "./request/list.ts";
import { ask, openResponse } from "./request/request.ts";
import { openInBrowser } from "./terminal/environment.ts";
import { describeNotice } from "./terminal/status.ts";

/** Milliseconds for which a list is used to find the entry of a name. */
const LIST_LIFETIME = 5_000;

/** The media of a script that pickles arrays: one image, one video. */
const SCRIPT_ENTRIES: readonly ListEntry[] = (["image", "video"] as const)
  .map((kind) => ({ name: kind, kind, live: false, size: 0, codec: "" }));

/**
 * Serves the page, prints its URL and opens it in the browser.
 *
 * @param wanted media that the command line names
 * @throws {Error} if the page cannot be served
 */
export async function openPage(
  context: ClientContext,
  wanted?: MediaRequest,
): Promise<ServedPage> {
  const { flags, environment, ffmpeg, signal } = context;
  const address = parseHttpAddress(flags.http);
  const service = new ClientWebService(context, wanted);
  const page = await servePage(service, { address, flag: "http", ffmpeg, signal });
  // With --output - or --data -, standard output is for that only.
  const isTaken = flags.output === "-" || flags.data === "-";
  const print = isTaken ? environment.printError : environment.print;
  print(`Watch at ${page.url}\n`);
  if (isAnyAddress(address.hostname)) {
    environment.printError(
      "From other machines: the same, with this one's name or address for 127.0.0.1\n",
    );
  }
  openInBrowser(page.url, environment);
  return page;
}

/** Gets everything from the server, with one connection for each request of the page. */
class ClientWebService implements WebService {
  #context: ClientContext;
  #wanted: MediaRequest | undefined;
  #entries: readonly ListEntry[] = [];
  /** When the entries were received, milliseconds of the clock. */
  #listed = -Infinity;

  constructor(context: ClientContext, wanted: MediaRequest | undefined) {
    this.#context = context;
    this.#wanted = wanted;
  }

  get info(): ServiceInfo {
    const { flags: { host, port, classic }, listener } = this.#context;
    const wanted = this.#wanted;
    return {
      server: formatAddress(listener?.address ?? { hostname: host, port }),
      classic,
      start: wanted === undefined ? null : {
        kind: wanted.command === "get_image" ? "image" : "video",
        name: wanted.name ?? null,
        at: wanted.start ?? 0,
        loop: wanted.loop ?? false,
        // 0 is as fast as possible; the page plays by its own clock.
        speed: wanted.speed || 1,
      },
    };
  }

  async list(signal: AbortSignal): Promise<readonly ListEntry[]> {
    const { target } = this.#context;
    if (target.protocol === "script") return SCRIPT_ENTRIES;
    const entries = await askList({ target, limits: NO_RETRIES, notify: () => {}, signal });
    // The page cannot show what is data alone.
    this.#entries = entries.filter(({ kind }) => kind !== "data");
    this.#listed = performance.now();
    return this.#entries;
  }

  async find(name: string, signal: AbortSignal): Promise<ListEntry | undefined> {
    if (performance.now() - this.#listed >= LIST_LIFETIME) await this.list(signal);
    return this.#entry(name);
  }

  /** The entry of a name in the latest list, however old. */
  #entry(name: string | undefined): ListEntry | undefined {
    return this.#entries.find((entry) => entry.name === name);
  }

  async image(query: ImageRequest, signal: AbortSignal): Promise<ImageFrame> {
    const { target } = this.#context;
    const request = this.#imageRequest(query);
    using response = await openResponse(request, target, { signal });
    let streams: readonly StreamDescription[] = [];
    try {
      for await (const part of response) {
        if (part.kind === "describe") streams = part.description.streams;
        // The frame is valid until the next part, which is not requested.
        else if (part.kind === "frame") return { frame: part.frame, streams };
      }
    } catch (error) {
      throw explain(error, { target, signal });
    }
    throw new RequestError("not_found", `Cannot get "${query.name}": there is no picture there`);
  }

  #imageRequest({ name, start: position, width: scaled }: ImageRequest): MediaRequest {
    const command = "get_image";
    const start = position > 0 ? { start: position } : {};
    if (scaled !== undefined) return { command, name, width: scaled, encoding: "mjpeg", ...start };
    const { width, height, pixelFormat } = toRequest(
      { ...this.#context.flags, encoding: undefined, bitrate: undefined, quality: undefined },
      "image",
    );
    return { command, name, width, height, pixelFormat, ...start };
  }

  async play(query: PlayQuery, target: PlayTarget, signal: AbortSignal): Promise<PlayEnd> {
    const { target: server, limits } = this.#context;
    const request = this.#playRequest(query);
    const { start = 0, duration } = request;
    const encoding = server.protocol === "script" ? undefined : request.encoding ?? "raw";
    const statistics = new Statistics("get_video");
    await using sink = target.open({
      ...{ start, duration, live: server.protocol === "script" ? true : undefined },
      stats: () => statsOf(statistics, query.start),
    });
    const notify = (line: string) => target.note(line);
    // For a seek, the page sends another request.
    const options = { target: server, limits, signal, seekable: false, notify };
    using response = await ask(request, options);
    const run = new FirstRun(response);
    const result = await play(new BufferedResponse(run), {
      ...{ sinks: [sink], statistics, encoding, signal, speed: 0, still: false, part: request },
      onNotice: (notice) => {
        const message = describeNotice(notice, { encoding: encoding ?? "raw", recording: false });
        if (message !== undefined) target.note(message);
      },
    });
    signal.throwIfAborted();
    const { frames, audioFrames, dropped, name } = statistics;
    const isEmpty = frames + audioFrames === 0;
    if (result.outcome === "cut") {
      if (isEmpty) throw explain(result.reason, { target: server, signal });
      if (result.reason instanceof RequestError) throw result.reason;
      const message = `Cannot finish "${name}": ${messageOf(result.reason)}`;
      throw new Error(message, { cause: result.reason });
    }
    const { hasChanged } = run;
    if (isEmpty && !hasChanged) {
      throw new RequestError(
        "not_found",
        `Cannot play "${name}" from there: the server has nothing of it to send`,
      );
    }
    return { frames, dropped, warning: result.notes.join("; ") || null, hasChanged };
  }

  /** Combines the query with what the command line says about the encoding. */
  #playRequest({ name, start, sound }: PlayQuery): MediaRequest {
    const { flags } = this.#context;
    const { encoding, bitrate, quality, pixelFormat, width, height, fps, audio } = toRequest(
      { ...flags, image: undefined },
      "video",
    );
    const changes = width ?? height ?? fps;
    const usual = pixelFormat !== undefined ? "raw" : changes !== undefined ? "h264" : "copy";
    return {
      command: "get_video",
      ...{ name, bitrate, quality, pixelFormat, width, height, fps },
      encoding: encoding ?? usual,
      audio: sound ? audio : false,
      redescribe: true,
      // Live media has no beginning, and the newest frame is the one to see.
      ...(this.#entry(name)?.live ? { late: flags.late ?? "drop" } : { start, speed: 0 }),
      duration: this.#durationFrom(start, name),
    };
  }

  /** Seconds from a position to the end of the part that the command line asks for. */
  #durationFrom(position: number, name: string | undefined): number | undefined {
    const { command, name: wantedName, start = 0, duration } = this.#wanted ?? {};
    if (command !== "get_video" || wantedName !== name || duration === undefined) return undefined;
    return Math.max(0.001, start + duration - position);
  }
}

/** @param start seconds of the media at which the timestamps begin */
function statsOf(statistics: Statistics, start: number): PlayStats {
  const { frames, audioFrames, bytes, dropped, framesPerSecond, latency, position } = statistics;
  return {
    ...{ frames, audioFrames, bytes, dropped },
    fps: Number(framesPerSecond.toFixed(2)),
    latencyMs: latency === undefined
      ? null
      : { p50: Number(latency.p50.toFixed(1)), p95: Number(latency.p95.toFixed(1)) },
    position: start + position,
  };
}
