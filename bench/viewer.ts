import { connect } from "../lib/client/connection/connection.ts";
import { requestList, requestMedia } from "../lib/client/request/native.ts";
import { type Rational, toSeconds } from "../lib/media/frame.ts";
import { Connection } from "../lib/protocol/native/connection.ts";
import { encodeControl, type MediaRequest } from "../lib/protocol/native/request.ts";

/** Called with each frame that arrives. */
export type FrameListener = (arrival: {
  /** The frame's moment in the video, seconds. */
  seconds: number;
  /** Asks the server to end the video here. */
  stop: () => Promise<void>;
}) => void | Promise<void>;

/** Watches a video, or what else is asked for, in this process to its end, and waits until the server has cleaned up after it. */
export async function watch(
  { port, request, onFrame }: {
    port: number;
    request: Partial<MediaRequest>;
    onFrame: FrameListener;
  },
  signal: AbortSignal,
): Promise<void> {
  using link = await connect({ host: "127.0.0.1", port }, signal);
  const control = new Connection(link.reader, link.writer);
  const stop = () => control.send("control", encodeControl({ action: "stop" }));
  const timeBases = new Map<number, Rational>();
  for await (const part of requestMedia(link, { command: "get_video", ...request })) {
    if (part.kind === "describe") {
      for (const { id, timeBase } of part.description.streams) timeBases.set(id, timeBase);
    } else if (part.kind === "frame") {
      const { streamId, timestamp } = part.frame;
      await onFrame({ seconds: toSeconds(timestamp, timeBases.get(streamId) ?? [0, 1]), stop });
    }
  }
  // Answered in its turn: when the decoder of the video is gone.
  await requestList(link);
}
