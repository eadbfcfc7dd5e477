import { connect } from "../lib/net/connection.ts";
import type { Secret } from "../lib/net/secret.ts";
import { requestList, requestMedia } from "../lib/protocol/native/client.ts";
import { type Rational, toSeconds } from "../lib/media/frame.ts";
import { Connection } from "../lib/protocol/native/connection.ts";
import { encodeControl, type MediaRequest } from "../lib/protocol/native/request.ts";

/** Called with each frame that arrives. */
export type FrameListener = (arrival: {
  /** Time of the frame, seconds. */
  seconds: number;
  /** Stops the response. */
  stop: () => Promise<void>;
}) => void | Promise<void>;

/** Receives a response in this process, and waits until the server has cleaned up after it. */
export async function watch(
  { port, token, request, onFrame }: {
    port: number;
    token?: Secret;
    request: Partial<MediaRequest>;
    onFrame: FrameListener;
  },
  signal: AbortSignal,
): Promise<void> {
  using connection = await connect({ host: "127.0.0.1", port, credentials: { token } }, signal);
  const control = new Connection(connection.reader, connection.writer);
  const stop = () => control.send("control", encodeControl({ action: "stop" }));
  const timeBases = new Map<number, Rational>();
  for await (const part of requestMedia(connection, { command: "get_video", ...request })) {
    if (part.kind === "describe") {
      for (const { id, timeBase } of part.description.streams) timeBases.set(id, timeBase);
    } else if (part.kind === "frame") {
      const { streamId, timestamp } = part.frame;
      await onFrame({ seconds: toSeconds(timestamp, timeBases.get(streamId) ?? [0, 1]), stop });
    }
  }
  // The response comes after the decoder of the video has exited.
  await Array.fromAsync(requestList(connection));
}
