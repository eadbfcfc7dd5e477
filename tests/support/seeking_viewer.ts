/** A viewer that steers what it sees: for tests of controls. */
import { createHash } from "node:crypto";
import type { Description } from "../../lib/media/frame.ts";
import {
  type Control,
  encodeControl,
  encodeRequest,
  type MediaRequest,
  parseControl,
} from "../../lib/protocol/native/request.ts";
import {
  type EndReport,
  type Notice,
  parseDescription,
  parseEnd,
  parseError,
  parseNotice,
} from "../../lib/protocol/native/response.ts";
import type { HandClock } from "./hand_clock.ts";
import { connectClient, type NativeClient } from "./native_client.ts";
import { exactSeconds } from "./reference.ts";
import type { TestServer } from "./server.ts";

/** A frame as it came. */
export interface SeenFrame {
  type: "video" | "audio";
  /** Ticks. */
  timestamp: number;
  /** Seconds. */
  seconds: number;
  /** Exact seconds, as ffmpeg's reference has them. */
  time: string;
  md5: string;
  size: number;
  keyframe: boolean;
  dropped: boolean;
  discontinuity: boolean;
}

/** What a viewer can get, pings left out. */
export type Seen =
  | { kind: "frame"; frame: SeenFrame }
  | { kind: "control"; control: Control }
  | { kind: "notice"; notice: Notice }
  | { kind: "pong" }
  | { kind: "end"; end: EndReport };

/** One request, and what comes of it. */
export class SeekingViewer implements Disposable {
  description: Description;
  /** Pings that came so far, and what they said of the time, microseconds. */
  readonly pings: number[] = [];
  readonly client: NativeClient;
  /** Bytes of the newest frame; good until the next. */
  data: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  constructor(client: NativeClient, description: Description) {
    this.client = client;
    this.description = description;
  }

  /** Says something of the request. */
  async control(control: Control): Promise<void> {
    await this.client.connection.send("control", encodeControl(control));
  }

  /** Waits for the next message. */
  async next(): Promise<Seen> {
    while (true) {
      const message = await this.client.connection.receive();
      if (message === undefined) throw new Error("Cannot go on: the server hung up");
      if (message.kind === "frame") {
        const stream = this.description.streams.find(({ id }) => id === message.streamId)!;
        const { timestamp, keyframe, dropped, discontinuity = false, data } = message;
        const [numerator, denominator] = stream.timeBase;
        this.data = data.slice();
        this.client.connection.recycle(message);
        return {
          kind: "frame",
          frame: {
            type: stream.type,
            ...{ timestamp, keyframe, dropped, discontinuity, size: data.byteLength },
            seconds: timestamp * numerator / denominator,
            time: exactSeconds(timestamp, stream.timeBase),
            md5: createHash("md5").update(this.data).digest("hex"),
          },
        };
      }
      if (message.kind === "ping") this.pings.push(message.timestamp);
      if (message.kind === "error") throw parseError(message.payload);
      if (message.kind === "end") return { kind: "end", end: parseEnd(message.payload) };
      if (message.kind === "notice") {
        return { kind: "notice", notice: parseNotice(message.payload) };
      }
      if (message.kind === "pong") return { kind: "pong" };
      if (message.kind === "control") {
        return { kind: "control", control: parseControl(message.payload) };
      }
    }
  }

  /** Waits for the next frame, of one type where that is told; nothing else may come before it. */
  async frame(type?: "video" | "audio"): Promise<SeenFrame> {
    while (true) {
      const seen = await this.next();
      if (seen.kind !== "frame") throw new Error(`Cannot find a frame: ${JSON.stringify(seen)}`);
      if (type === undefined || seen.frame.type === type) return seen.frame;
    }
  }

  /** Takes the frames that come before the server waits for the clock that it sends them by. */
  async due(clock: HandClock): Promise<SeenFrame[]> {
    await clock.asleep();
    await this.client.connection.send("ping", new Uint8Array());
    const frames: SeenFrame[] = [];
    for (let seen = await this.next(); seen.kind !== "pong"; seen = await this.next()) {
      if (seen.kind !== "frame") throw new Error(`Cannot find a frame: ${JSON.stringify(seen)}`);
      frames.push(seen.frame);
    }
    return frames;
  }

  /** Seeks and waits for the answer, over what is still under way. */
  async seek(to: number, id: number): Promise<void> {
    await this.control({ action: "seek", to, id });
    await this.answered(id);
  }

  /** Waits for the answer to a seek. */
  async answered(id: number): Promise<void> {
    while (true) {
      const seen = await this.next();
      if (seen.kind === "end") throw new Error("Cannot seek: the end came first");
      if (seen.kind === "control" && seen.control.id === id) return;
    }
  }

  /** Collects frames up to the end. */
  async rest(): Promise<{ frames: SeenFrame[]; notices: Notice[]; end: EndReport }> {
    const frames: SeenFrame[] = [];
    const notices: Notice[] = [];
    while (true) {
      const seen = await this.next();
      if (seen.kind === "frame") frames.push(seen.frame);
      if (seen.kind === "notice") notices.push(seen.notice);
      if (seen.kind === "end") return { frames, notices, end: seen.end };
    }
  }

  /** Waits until some more pings have come; nothing else may come meanwhile. */
  async onlyPings(count: number): Promise<void> {
    for (const enough = this.pings.length + count; this.pings.length < enough;) {
      const message = await this.client.connection.receive();
      if (message?.kind !== "ping") throw new Error(`Cannot stay quiet: ${message?.kind} came`);
      this.pings.push(message.timestamp);
    }
  }

  [Symbol.dispose](): void {
    this.client[Symbol.dispose]();
  }
}

/** Asks for a video and waits for its description. */
export async function watch(
  server: TestServer,
  request: Omit<MediaRequest, "command">,
): Promise<SeekingViewer> {
  const client = await connectClient(server);
  await client.connection.send("request", encodeRequest({ command: "get_video", ...request }));
  let message = await client.connection.receive();
  while (message?.kind === "ping") message = await client.connection.receive();
  if (message?.kind === "describe") {
    return new SeekingViewer(client, parseDescription(message.payload));
  }
  client[Symbol.dispose]();
  if (message?.kind === "error") throw parseError(message.payload);
  throw new Error(`Cannot watch: ${message?.kind} came instead of a description`);
}

/** Numbers that look random and are the same in every run (mulberry32). */
export function* randomNumbers(seed: number): Generator<number, never> {
  while (true) {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    yield ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}
