/** A publisher that sends what a test wants. */
import type { Frame } from "../../../lib/media/frame.ts";
import { FRAME_HEADROOM, FRAME_TAILROOM } from "../../../lib/media/frame.ts";
import { encodeJson } from "../../../lib/protocol/native/json.ts";
import { encodeRequest, type MediaRequest } from "../../../lib/protocol/native/request.ts";
import { encodeEnd, type EndReport } from "../../../lib/protocol/native/response.ts";
import { NativeClient } from "./native_client.ts";

/** A stream as a publisher describes it. */
export type StreamFields = Record<string, unknown>;

/** Fields of a frame; of the others, the defaults are those of a raw frame. */
export type FrameFields = Partial<Omit<Frame, "data">> & { data: Uint8Array };

/** A frame of random bytes. */
export function noise(size: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(size));
}

/** Raw video as a publisher describes it. */
export function rawStream(width: number, height: number, pixelFormat = "gray"): StreamFields {
  return {
    ...{ id: 0, type: "video", codec: "rawvideo", timeBase: [1, 1000] },
    ...{ width, height, pixelFormat },
  };
}

/** A stream of messages as a publisher describes it. */
export function dataStream(id: number, codec: "json" | "bytes" = "json"): StreamFields {
  return { id, type: "data", codec, timeBase: [1, 1000] };
}

/** A peer that publishes. It does not answer pings. */
export class TestPublisher extends NativeClient<Deno.TcpConn> {
  /** Connects, asks to publish, and waits until that is accepted. */
  static async begin(
    port: number,
    request: Partial<MediaRequest> & { name: string },
  ): Promise<TestPublisher> {
    const publisher = await TestPublisher.connect(port);
    await publisher.askToPublish(request);
    await publisher.until("accept");
    return publisher;
  }

  static async connect(port: number): Promise<TestPublisher> {
    return new TestPublisher(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  /** Waits until the server asks for something. */
  async asked(action: "pause" | "resume" | "keyframe"): Promise<void> {
    while ((await this.until("control")).control.action !== action);
  }

  /** Asks to publish. */
  async askToPublish(request: Partial<MediaRequest>): Promise<void> {
    await this.connection.send("request", encodeRequest({ command: "publish", ...request }));
  }

  async describe(...streams: StreamFields[]): Promise<void> {
    await this.connection.send("describe", encodeJson({ version: 1, streams }));
  }

  async send({ data, ...fields }: FrameFields): Promise<void> {
    const memory = new Uint8Array(FRAME_HEADROOM + data.byteLength + FRAME_TAILROOM);
    memory.set(data, FRAME_HEADROOM);
    await this.connection.sendFrame({
      ...{ streamId: 0, timestamp: 0, keyframe: true, ...fields },
      data: memory.subarray(FRAME_HEADROOM, FRAME_HEADROOM + data.byteLength),
    });
  }

  /** Sends a message of a data stream. */
  async say(streamId: number, timestamp: number, value: unknown): Promise<void> {
    const data = new TextEncoder().encode(JSON.stringify(value));
    await this.send({ streamId, timestamp, data });
  }

  /** Ends the publication; returns the totals of the server. */
  async finish(totals: Partial<EndReport> = {}): Promise<EndReport> {
    const end = { frames: 0, audioFrames: 0, bytes: 0, dropped: 0, reason: "end", ...totals };
    await this.connection.send("end", encodeEnd(end));
    return (await this.until("end")).end;
  }
}
