/** Live sources in the list of media. */
import { isPushed, type LiveSource } from "./source_spec.ts";
import type { SourceStreams } from "./subscriber_queue.ts";

/** A live source in the list of media. */
export interface LiveEntry {
  name: string;
  kind: "video" | "audio" | "data";
  live: true;
  size: 0;
  /** FFmpeg's names of the codecs, joined by `+`; empty before the first run. */
  codec: string;
  /** Pixels; absent without video and before the first run. */
  width?: number;
  /** Pixels; absent without video and before the first run. */
  height?: number;
  /** A publisher sends it. */
  published?: true;
}

/** The entry of a source with these streams; without any before its first run. */
export function entryOf(source: LiveSource, { streams, data }: SourceStreams): LiveEntry {
  const { name, kind } = source;
  const video = streams.find((stream) => stream.type === "video");
  const isOther = streams.length + data.length > 0 && video === undefined;
  return {
    name,
    kind: !isOther ? "video" : streams.length > 0 ? "audio" : "data",
    live: true,
    size: 0,
    codec: [...streams, ...data].map(({ codec }) => codec).join("+"),
    width: video?.width,
    height: video?.height,
    published: kind === "published" || isPushed(source) ? true : undefined,
  };
}
