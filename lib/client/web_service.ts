/** The page for a remote server: each request of the page becomes one to the server. */
import { formatAddress, isAnyAddress, parseHttpAddress } from "../net/address.ts";
import type { StreamDescription } from "../media/frame.ts";
import { DescribedResponse } from "../playback/described_response.ts";
import type { MediaResponse, OpenResponse } from "../protocol/media_response.ts";
import type { MediaRequest } from "../protocol/native/request.ts";
import type { ListEntry } from "../protocol/native/response.ts";
import type { PlayQuery } from "../web/api.ts";
import { FollowedList } from "../web/followed_list.ts";
import { firstFrame, playResponse, transparentRequest } from "../web/play_response.ts";
import { type ServedPage, servePage } from "../web/serve.ts";
import type {
  ImageFrame,
  ImageRequest,
  PlayEnd,
  PlayTarget,
  ServiceInfo,
  WebService,
} from "../web/service.ts";
import { explain } from "./connection/explain.ts";
import type { ClientContext } from "./context.ts";
import { toRequest } from "./options.ts";
import { BufferedResponse } from "./request/flow_control.ts";
import { askListPieces } from "./request/list.ts";
import { NewestResponse } from "./request/newest.ts";
import { ask, openResponse } from "./request/request.ts";
import { openInBrowser } from "./terminal/environment.ts";
import { describeNotice } from "./terminal/status.ts";

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

/** One play of the page. */
interface Play {
  query: PlayQuery;
  target: PlayTarget;
  signal: AbortSignal;
  isTransparent?: boolean;
}

/** Gets everything from the server, with one connection for each request of the page. */
class ClientWebService implements WebService {
  #context: ClientContext;
  #wanted: MediaRequest | undefined;
  #list: FollowedList;

  constructor(context: ClientContext, wanted: MediaRequest | undefined) {
    this.#context = context;
    this.#wanted = wanted;
    const { target } = context;
    this.#list = new FollowedList((options, signal) => askListPieces(target, options, signal));
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
    return this.#isScript ? SCRIPT_ENTRIES : await this.#list.list(signal);
  }

  follow(onChange: () => void, signal: AbortSignal): void {
    if (!this.#isScript) this.#list.follow(onChange, signal);
  }

  async find(name: string, signal: AbortSignal): Promise<ListEntry | undefined> {
    return this.#isScript ? undefined : await this.#list.find(name, signal);
  }

  get #isScript(): boolean {
    return this.#context.target.protocol === "script";
  }

  open(request: MediaRequest, signal: AbortSignal): Promise<OpenResponse> {
    return openResponse(request, this.#context.target, { signal });
  }

  async image(query: ImageRequest, signal: AbortSignal): Promise<ImageFrame> {
    const { target } = this.#context;
    const request = this.#imageRequest(query);
    using response = await this.open(request, signal);
    try {
      const image = await firstFrame(response, query.name);
      return { ...image, streams: shownStreams(image.streams, request) };
    } catch (error) {
      throw explain(error, { target, signal });
    }
  }

  #imageRequest({ name, start: position, width: scaled }: ImageRequest): MediaRequest {
    const command = "get_image";
    const start = position > 0 ? { start: position } : {};
    if (scaled !== undefined) return { command, name, width: scaled, encoding: "mjpeg", ...start };
    const { width, height, pixelFormat, toneMap, deinterlace } = toRequest(
      { ...this.#context.flags, encoding: undefined, bitrate: undefined, quality: undefined },
      "image",
    );
    return { command, name, width, height, pixelFormat, toneMap, deinterlace, ...start };
  }

  async play(query: PlayQuery, target: PlayTarget, signal: AbortSignal): Promise<PlayEnd> {
    const request = this.#playRequest(query);
    const play = { query, target, signal };
    using response = await this.#ask(request, play);
    // Buffered frames get old.
    if (response instanceof NewestResponse) return await this.#play(response, request, play);
    const buffered = new BufferedResponse(response);
    if (request.encoding !== "copy" || this.#context.flags.encoding !== undefined) {
      return await this.#play(buffered, request, play);
    }
    const described = await this.#describe(buffered, signal);
    const { streams, live } = described.description;
    const transparent = live ? undefined : await transparentRequest(streams, target);
    if (transparent === undefined) return await this.#play(described, request, play);
    await described.close();
    response[Symbol.dispose]();
    const other = { ...request, ...transparent };
    using raw = await this.#ask(other, play);
    return await this.#play(new BufferedResponse(raw), other, { ...play, isTransparent: true });
  }

  async #ask(request: MediaRequest, { target, signal }: Play): Promise<OpenResponse> {
    const { target: server, limits } = this.#context;
    const notify = (line: string) => target.note(line);
    // For a seek, the page sends another request.
    const options = { target: server, limits, signal, seekable: false, notify, smooth: true };
    return await ask(request, options);
  }

  async #describe(response: MediaResponse, signal: AbortSignal): Promise<DescribedResponse> {
    try {
      return await DescribedResponse.read(response);
    } catch (error) {
      throw explain(error, { target: this.#context.target, signal });
    }
  }

  async #play(
    response: MediaResponse,
    request: MediaRequest,
    { query, target, signal, isTransparent }: Play,
  ): Promise<PlayEnd> {
    const { target: server } = this.#context;
    const { start = 0, duration } = request;
    const encoding = server.protocol === "script" ? undefined : request.encoding ?? "raw";
    return await playResponse(response, {
      ...{ encoding, target, signal, position: query.start, toneMap: request.toneMap },
      part: {
        ...{ start, duration, isTransparent },
        live: server.protocol === "script" ? true : undefined,
      },
      explain: (reason) => explain(reason, { target: server, signal }),
      onNotice: (notice) => {
        const message = describeNotice(notice, { encoding: encoding ?? "raw", recording: false });
        if (message !== undefined) target.note(message);
      },
    });
  }

  /** Combines the query with what the command line says about the encoding. */
  #playRequest({ name, start, sound, track, subtitles }: PlayQuery): MediaRequest {
    const { flags } = this.#context;
    const wanted = toRequest({ ...flags, image: undefined }, "video");
    const { encoding, bitrate, quality, pixelFormat, width, height, fps, audio } = wanted;
    const { toneMap, deinterlace } = wanted;
    const changes = width ?? height ?? fps ?? deinterlace;
    const isWanted = this.#wanted !== undefined && this.#wanted.name === name;
    const usual = pixelFormat !== undefined ? "raw" : changes !== undefined ? "h264" : "copy";
    return {
      command: "get_video",
      ...{ name, bitrate, quality, pixelFormat, width, height, fps, toneMap, deinterlace },
      encoding: encoding ?? usual,
      audio: sound ? audio : false,
      audioTrack: track ?? (isWanted ? this.#wanted?.audioTrack : undefined),
      subtitles,
      redescribe: true,
      // Live media has no beginning, and the newest frame is the one to see.
      ...(this.#list.latest(name)?.live ? { late: flags.late ?? "drop" } : { start, speed: 0 }),
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

/** The streams of an image, which is shown without tone mapping if none was wanted. */
function shownStreams(
  streams: readonly StreamDescription[],
  { toneMap = true }: Pick<MediaRequest, "toneMap">,
): readonly StreamDescription[] {
  if (toneMap) return streams;
  return streams.map((stream) =>
    stream.type === "video" ? { ...stream, colorTransfer: undefined } : stream
  );
}
