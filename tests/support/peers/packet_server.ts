/** Sends a file's packets over the native protocol, as a server does with encoding "copy". */
import { fromStream } from "../../../lib/base/byte_reader.ts";
import type {
  Description,
  Frame,
  StreamDescription,
  VideoStream,
} from "../../../lib/media/frame.ts";
import type { NutStream } from "../../../lib/nut/demuxer.ts";
import { NutReader } from "../../../lib/nut/reader.ts";
import { encodeDescription, encodeEnd } from "../../../lib/protocol/native/response.ts";
import { encodeFrame, encodeMessage } from "../../../lib/protocol/native/framing.ts";
import { run } from "../media/media_folder.ts";
import { say, ScriptedServer, untilGone } from "./scripted_server.ts";

/** Options of {@linkcode packetMessages}. */
export interface PacketOptions {
  /** Start in seconds after the first video frame; earlier frames are for decoding only. */
  begin?: number;
  /** Overrides of the video stream. */
  picture?: Partial<VideoStream>;
  description?: Partial<Description>;
}

/** All messages of a response with a file's packets. */
export async function packetMessages(
  path: string,
  { begin = 0, picture = {}, description = {} }: PacketOptions = {},
): Promise<Uint8Array[]> {
  const nut = await run("ffmpeg", ["-i", `file:${path}`, "-c", "copy", "-f", "nut", "pipe:1"]);
  const source = fromStream(
    new ReadableStream({
      type: "bytes",
      start(controller) {
        controller.enqueue(nut);
        controller.close();
      },
      pull: (controller) => controller.byobRequest?.respond(0),
    }),
  );
  const reader = new NutReader(source, { pooledBuffers: 0, maxFrameSize: 1 << 24 });
  const codecs = await codecsOf(path);
  const streams = (await reader.readStreams())
    .map((stream, index) => describeStream(stream, codecs[index], picture));
  const frames: Frame[] = [];
  for (let frame; (frame = await reader.readFrame()) !== undefined;) frames.push(frame);
  const zero = begin + firstMoment(streams, frames);
  const shifted = frames.map((frame) => {
    const [numerator, denominator] = timeBaseOf(streams, frame);
    return { ...frame, timestamp: frame.timestamp - Math.round(zero * denominator / numerator) };
  });
  const about = { name: path.slice(path.lastIndexOf("/") + 1), live: false, streams };
  const end = { frames: frames.length, audioFrames: 0, bytes: 0, dropped: 0, reason: "end" };
  return [
    encodeMessage("describe", encodeDescription({ ...about, ...description })),
    ...shifted.map((frame) => encodeFrame(frame)),
    encodeMessage("end", encodeEnd(end)),
  ];
}

/** A server that sends a file's packets in response to any request. */
export async function packetServer(path: string, options?: PacketOptions): Promise<ScriptedServer> {
  const messages = await packetMessages(path, options);
  return new ScriptedServer(async (peer) => {
    await say(peer, ...messages);
    // Closed with pings unread, the connection would be reset, and what is on its way lost.
    await untilGone(peer);
  });
}

function describeStream(
  nut: NutStream,
  codec: string,
  picture: Partial<VideoStream>,
): StreamDescription {
  const { id, fourcc, timeBase, extradata, decodeDelay } = nut;
  const shared = { id, codec, fourcc, timeBase, extradata };
  if (nut.type === "audio") {
    const { sampleRate = 48_000, channels = 1 } = nut;
    return { ...shared, type: "audio", sampleRate, channels };
  }
  const { width = 0, height = 0, sampleAspectRatio } = nut;
  return { ...shared, type: "video", width, height, sampleAspectRatio, decodeDelay, ...picture };
}

/** FFmpeg's names of the codecs, in the order of the streams. */
async function codecsOf(path: string): Promise<string[]> {
  const args = ["-show_entries", "stream=codec_name", "-of", "json", `file:${path}`];
  const { streams } = JSON.parse(new TextDecoder().decode(await run("ffprobe", args)));
  return streams.map((stream: { codec_name: string }) => stream.codec_name);
}

/** Presentation time in seconds of the first video frame, or audio frame if there is no video. */
function firstMoment(streams: readonly StreamDescription[], frames: readonly Frame[]): number {
  const [first] = streams.filter(({ type }) => type === "video").concat(streams);
  const moments = frames.filter(({ streamId }) => streamId === first.id)
    .map(({ timestamp }) => timestamp * first.timeBase[0] / first.timeBase[1]);
  return Math.min(...moments);
}

function timeBaseOf(streams: readonly StreamDescription[], { streamId }: Frame) {
  return streams.find(({ id }) => id === streamId)?.timeBase ?? [1, 1];
}
