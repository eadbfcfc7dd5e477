/**
 * Sends frames of images, videos and live sources, and receives them. Built on the same code as the
 * programs `stream-server` and `stream-client`.
 *
 * @example
 * ```ts
 * import { connect, serve } from "@stream/media";
 *
 * await using server = await serve({ media: "media" });
 * const client = connect(server.address);
 * for await (const frame of client.watch("video.mp4", { pixelFormat: "rgb24", duration: 0.1 })) {
 *   console.log(frame.time, frame.stream.type, frame.data.length);
 * }
 * ```
 *
 * @module
 */
export {
  type Client,
  type ClientListOptions,
  connect,
  type ConnectOptions,
} from "./lib/client/client.ts";
export type {
  ImageOptions,
  MediaFrame,
  RequestEvents,
  Watch,
  WatchOptions,
} from "./lib/client/watch.ts";
export type {
  Publisher,
  PublishOptions,
  PublishTotals,
  WriteOptions,
  WriteTimes,
} from "./lib/client/publish/publisher.ts";
export type {
  PublishedAudio,
  PublishedStreams,
  PublishedVideo,
} from "./lib/client/publish/published_streams.ts";
export { type MediaServer, serve, type ServeOptions } from "./lib/server/serve.ts";
export type { EncoderChoice } from "./lib/server/options.ts";
export type { PublishMode } from "./lib/server/auth/publish_access.ts";
export type { ImageFields, LatePolicy, VideoFields } from "./lib/protocol/native/request.ts";
export type { ListEntry, Notice } from "./lib/protocol/native/response.ts";
export type {
  AnyStream,
  AudioStream,
  DataStream,
  Description,
  Encoding,
  FieldOrder,
  MediaTrack,
  Rational,
  StreamBase,
  StreamDescription,
  VideoStream,
} from "./lib/media/frame.ts";
export type { Chapter, Cover, MediaTags, StreamTags } from "./lib/media/tags.ts";
export type { LogFields, Logger, LogLevel } from "./lib/base/log.ts";
export { type ErrorCode, RequestError } from "./lib/base/errors.ts";
export { ConnectError, CutError } from "./lib/net/errors.ts";
