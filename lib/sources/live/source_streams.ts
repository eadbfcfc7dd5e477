/** The streams of a live source, its changes, and its entry in the list of media. */
import type { AnyStream, DataStream, StreamDescription } from "../../media/frame.ts";
import { isPushed, type LiveSource } from "./source_spec.ts";

/** A change of a live source that its subscribers are notified of. */
export interface SourceEvent {
  /** As in a notice: `source_lost` or `source_back`. */
  code: string;
  message: string;
  /** The reason of a loss, without when it is tried again. */
  reason?: string;
}

/** The streams of a source. */
export interface SourceStreams {
  /** Video before audio. */
  streams: readonly StreamDescription[];
  data: readonly DataStream[];
}

/** The streams of some types. */
export function streamsOf(
  { streams, data }: SourceStreams,
  types: readonly AnyStream["type"][],
): SourceStreams {
  return {
    streams: streams.filter(({ type }) => types.includes(type)),
    data: types.includes("data") ? data : [],
  };
}

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
