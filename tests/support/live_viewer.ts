/** A viewer of live sources, for tests: takes what comes, one message at a time. */
import { deadline } from "../../lib/base/async.ts";
import type { RequestError } from "../../lib/base/errors.ts";
import { type Description, toSeconds } from "../../lib/media/frame.ts";
import type { FrameMessage } from "../../lib/protocol/native/connection.ts";
import {
  encodeControl,
  encodeRequest,
  type MediaRequest,
} from "../../lib/protocol/native/request.ts";
import {
  type EndReport,
  type Notice,
  parseDescription,
  parseEnd,
  parseError,
  parseNotice,
} from "../../lib/protocol/native/response.ts";
import { PATIENCE } from "./patience.ts";
import { Peer, type WatchedServer } from "./watched_server.ts";

/** A frame as it came; its bytes belong to the connection. */
export interface LiveFrame extends FrameMessage {
  /** Seconds of its timestamp. */
  seconds: number;
}

/** What comes to a viewer. */
export type LiveEvent =
  | { kind: "describe"; description: Description }
  | { kind: "frame"; frame: LiveFrame }
  | { kind: "notice"; notice: Notice }
  | { kind: "end"; end: EndReport }
  | { kind: "error"; error: RequestError };

/** One viewer, with a connection of its own. */
export class LiveViewer implements Disposable {
  description: Description | undefined;
  readonly peer: Peer;

  constructor(peer: Peer) {
    this.peer = peer;
  }

  /** Waits for the next message, pings left out. */
  async next(): Promise<LiveEvent> {
    using _limit = deadline(PATIENCE, () => this.peer.close());
    while (true) {
      const message = await this.peer.connection.receive();
      if (message === undefined) throw new Error("Cannot go on watching: the server hung up");
      if (message.kind === "frame") {
        return { kind: "frame", frame: { ...message, seconds: this.#secondsOf(message) } };
      }
      const { payload } = message;
      if (message.kind === "describe") {
        this.description = parseDescription(payload);
        return { kind: "describe", description: this.description };
      }
      if (message.kind === "notice") return { kind: "notice", notice: parseNotice(payload) };
      if (message.kind === "end") return { kind: "end", end: parseEnd(payload) };
      if (message.kind === "error") return { kind: "error", error: parseError(payload) };
    }
  }

  /** Waits for frames, of one stream where that is named, and gives them. */
  async frames(count: number, streamId?: number): Promise<LiveFrame[]> {
    const found: LiveFrame[] = [];
    while (found.length < count) {
      const { frame } = await this.until("frame");
      if (streamId === undefined || frame.streamId === streamId) found.push(frame);
    }
    return found;
  }

  /**
   * Waits for the next message of a kind, whatever comes before it.
   *
   * @throws {Error} where the answer ends, or fails, with another
   */
  async until<Kind extends LiveEvent["kind"]>(
    kind: Kind,
  ): Promise<Extract<LiveEvent, { kind: Kind }>> {
    while (true) {
      const event = await this.next();
      if (isOf(event, kind)) return event;
      if (event.kind === "error") throw event.error;
      if (event.kind === "end") throw new Error(`Cannot find ${kind}: the answer ended`);
    }
  }

  /** Waits for the next news of a code, whatever comes before it. */
  async news(code: string): Promise<Notice> {
    while (true) {
      const { notice } = await this.until("notice");
      if (notice.code === code) return notice;
    }
  }

  /** Says something of the request. */
  async say(action: string): Promise<void> {
    await this.peer.connection.send("control", encodeControl({ action }));
  }

  [Symbol.dispose](): void {
    this.peer[Symbol.dispose]();
  }

  #secondsOf({ streamId, timestamp }: FrameMessage): number {
    const stream = this.description?.streams.find(({ id }) => id === streamId);
    return stream === undefined ? NaN : toSeconds(timestamp, stream.timeBase);
  }
}

/** Connects a viewer and asks for a video, or whatever is said instead. */
export async function watchLive(
  server: WatchedServer,
  request: Partial<MediaRequest> = {},
): Promise<LiveViewer> {
  const viewer = new LiveViewer(await server.connect());
  const whole: MediaRequest = { command: "get_video", ...request };
  await viewer.peer.connection.send("request", encodeRequest(whole));
  return viewer;
}

function isOf<Kind extends LiveEvent["kind"]>(
  event: LiveEvent,
  kind: Kind,
): event is Extract<LiveEvent, { kind: Kind }> {
  return event.kind === kind;
}
