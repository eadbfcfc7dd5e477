/** The web service of the server, which plays straight from its sources. */
import { onAbort } from "../../base/async.ts";
import { RequestError } from "../../base/errors.ts";
import { DescribedResponse } from "../../playback/described_response.ts";
import type { OpenResponse, ResponsePart } from "../../protocol/media_response.ts";
import type { MediaRequest } from "../../protocol/native/request.ts";
import type { ListEntry, Notice } from "../../protocol/native/response.ts";
import { SharedFile, UnreachableFileError } from "../../sources/file/packets/shared_file.ts";
import type { PlayQuery } from "../../web/api.ts";
import type { FollowedList } from "../../web/followed_list.ts";
import {
  firstFrame,
  playResponse,
  playsVideo,
  transparentRequest,
} from "../../web/play_response.ts";
import type {
  ImageFrame,
  ImageRequest,
  PlayEnd,
  PlayTarget,
  ServiceInfo,
  StoredFile,
  WebService,
} from "../../web/service.ts";
import { Controls } from "../playback/controls.ts";
import { playMedia } from "../playback/play_file.ts";
import type { SessionContext } from "../session/context.ts";
import { wholeEntry } from "../list/entries.ts";
import { gaveWayServing, runRequest } from "../session/outcome.ts";
import type { SharedContext } from "../session/session.ts";
import { LocalResponse } from "./local_response.ts";

/** The part of a session's state that serving media needs. */
export type ServiceContext =
  & SharedContext
  & Pick<SessionContext, "address" | "isDraining" | "slot">;

/** Options of {@linkcode ServerWebService}. */
export interface ServerWebServiceOptions {
  /** Host and port of the page. */
  server: string;
  /** The connection that the requests come over, or the server itself. */
  context: ServiceContext;
  /** The list, which all connections share. */
  list: FollowedList;
  /** Aborts when it is lost. */
  signal: AbortSignal;
  /** Takes what goes on until a response has ended; never rejects. */
  follow: (work: Promise<void>) => void;
}

/** Serves the requests of one connection as the native protocol serves those of a client. */
export class ServerWebService implements WebService {
  #options: ServerWebServiceOptions;

  constructor(options: ServerWebServiceOptions) {
    this.#options = options;
  }

  get info(): ServiceInfo {
    return { server: this.#options.server, classic: false, start: null };
  }

  async list(signal: AbortSignal): Promise<readonly ListEntry[]> {
    const { requestLog, shutdown } = this.#options.context;
    const record = requestLog.begin({ command: "list_media" }, this.#options.context);
    let entries: readonly ListEntry[] = [];
    const refusal = await runRequest(record, { ...this.#options.context, signal }, async () => {
      using _response = shutdown.addResponse(() => {});
      entries = await this.#options.list.list(signal);
      return undefined;
    });
    if (refusal !== undefined) throw refusal;
    return entries;
  }

  follow(onChange: () => void, signal: AbortSignal): void {
    const { list, signal: lost } = this.#options;
    list.follow(onChange, AbortSignal.any([signal, lost]));
  }

  async find(name: string): Promise<ListEntry | undefined> {
    const { library, live } = this.#options.context;
    const source = live.entries().find((entry) => entry.name === name);
    if (source !== undefined) return source.kind === "data" ? undefined : source;
    return await library.has(name) ? wholeEntry(await library.find(name)) : undefined;
  }

  async file(name: string): Promise<StoredFile> {
    const opened = Promise.withResolvers<StoredFile>();
    this.#options.follow(this.#lend(name, opened));
    return await opened.promise;
  }

  /** Lends a file until it is closed, which is logged like a response. Never rejects. */
  async #lend(name: string, opened: PromiseWithResolvers<StoredFile>): Promise<void> {
    const { context, signal: lost } = this.#options;
    const { requestLog, shutdown } = context;
    const record = requestLog.begin({ command: "get_file", name }, context);
    const counts = { frames: 0, audioFrames: 0, bytes: 0, dropped: 0 };
    const signal = AbortSignal.any([lost, context.signal]);
    try {
      const refusal = await runRequest(record, { ...context, signal }, async () => {
        using _response = shutdown.addResponse(() => {});
        await using file = await this.#openFile(name);
        record.follow(() => counts);
        const closed = Promise.withResolvers<void>();
        opened.resolve({
          ...{ size: file.size, modified: file.modified },
          async read(position, length) {
            const bytes = await file.read(position, length);
            counts.bytes += bytes.byteLength;
            return bytes;
          },
          [Symbol.asyncDispose]: () => Promise.resolve(closed.resolve()),
        });
        await closed.promise;
        signal.throwIfAborted();
        return undefined;
      });
      if (refusal !== undefined) opened.reject(refusal);
    } catch (error) {
      opened.reject(error);
    }
  }

  async #openFile(name: string): Promise<StoredFile> {
    const { library, live } = this.#options.context;
    const file = live.find(name) === undefined ? await library.find(name) : undefined;
    if (file?.state === undefined) {
      throw new RequestError("not_found", `Cannot open "${name}": it is live, and no file`);
    }
    const { path, folder, state } = file;
    const shared = new SharedFile({ path, folder, state });
    try {
      const opened = await shared.use();
      return {
        size: state.size,
        modified: state.modified ?? 0,
        read: (position, length) => shared.read(position, length),
        [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
      };
    } catch (cause) {
      if (!(cause instanceof UnreachableFileError)) throw cause;
      throw new RequestError("media_error", `Cannot open "${name}": it has changed, ask again`, {
        cause,
      });
    }
  }

  open(request: MediaRequest, signal: AbortSignal): Promise<OpenResponse> {
    const { context } = this.#options;
    const controls = new Controls(request, { clock: context.clock });
    const left = new AbortController();
    const ended = AbortSignal.any([signal, this.#options.signal, context.signal, left.signal]);
    const onLeave = () => {
      // The rest of an image is its end, which the log waits for.
      if (request.command !== "get_image") left.abort(new Error("The reader has left"));
    };
    const response = new LocalResponse({ controls, signal: ended, onLeave });
    this.#options.follow(this.#respond(request, { controls, response, signal: ended }));
    return Promise.resolve(response);
  }

  async image(query: ImageRequest, signal: AbortSignal): Promise<ImageFrame> {
    const { name, start: position, width } = query;
    const scaled = width === undefined ? {} : { width, encoding: "mjpeg" as const };
    const start = position > 0 ? { start: position } : {};
    using response = await this.open({ command: "get_image", name, ...scaled, ...start }, signal);
    return await firstFrame(response, name);
  }

  async play(query: PlayQuery, target: PlayTarget, signal: AbortSignal): Promise<PlayEnd> {
    const { name, start, sound, can, track: audioTrack, subtitles } = query;
    const isLive = name !== undefined && this.#options.context.live.find(name) !== undefined;
    // Live media has no beginning, and the newest frame is the one to see.
    const times = isLive ? { late: "drop" as const } : { start, speed: 0 };
    const request: MediaRequest = {
      ...{ command: "get_video", name, encoding: "copy", redescribe: true, ...times },
      ...(sound ? {} : { audio: false }),
      ...{ audioTrack, subtitles },
    };
    const options = {
      ...{ target, signal, position: start, part: isLive ? {} : { start } },
      onNotice: ({ code, message }: Notice) => {
        if (code !== "dropped") target.note(message || code);
      },
    };
    using copied = await this.open(request, signal);
    const response = await DescribedResponse.read(copied);
    const { streams } = response.description;
    const transparent = isLive ? undefined : await transparentRequest(streams, target);
    if (transparent === undefined && playsVideo(streams, can)) {
      return await playResponse(response, { ...options, encoding: "copy" });
    }
    await stop(copied, response);
    if (transparent !== undefined) {
      using raw = await this.open({ ...request, ...transparent }, signal);
      const part = { ...options.part, isTransparent: true };
      return await playResponse(raw, { ...options, part, encoding: "raw" });
    }
    // Here, it counts as a decoder, and viewers of a live source share it.
    using encoded = await this.open({ ...request, encoding: "h264" }, signal);
    const part = { ...options.part, isEncoded: true };
    return await playResponse(encoded, { ...options, part, encoding: "h264" });
  }

  /** Runs a request, and ends the response. Never rejects. */
  async #respond(
    request: MediaRequest,
    { controls, response, signal }: {
      controls: Controls;
      response: LocalResponse;
      signal: AbortSignal;
    },
  ): Promise<void> {
    const { context } = this.#options;
    const { requestLog, shutdown, slot } = context;
    const { command, name } = request;
    const record = requestLog.begin({ command, name }, context);
    // Aborts only this response: before it has begun, or because its connection has to give way.
    const cancel = new AbortController();
    using _yield = slot && onAbort(slot.yielded, () => cancel.abort(gaveWayServing()));
    const either = AbortSignal.any([signal, cancel.signal]);
    try {
      const refusal = await runRequest(record, { ...context, signal }, async () => {
        using _response = shutdown.addResponse(() => {
          if (controls.hasBegun) controls.shutDown();
          else cancel.abort(shutdown.stopped.reason);
        });
        const play = { ...context, signal: either, controls, record, response };
        return (await playMedia(request, play)).reason;
      });
      if (refusal === undefined) response.close();
      else response.fail(refusal);
    } catch (error) {
      response.fail(error);
    }
  }
}

/** Ends a response that is not wanted as it is described. */
async function stop(
  opened: OpenResponse,
  parts: AsyncIterable<ResponsePart>,
): Promise<void> {
  await opened.control?.({ action: "stop" });
  for await (const { kind } of parts) {
    if (kind === "end") break;
  }
}
