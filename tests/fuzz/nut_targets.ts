/** The NUT that FFmpeg writes into the pipe. */
import type { Frame } from "../../lib/media/frame.ts";
import { NutMuxer, type NutMuxStream } from "../../lib/nut/muxer.ts";
import { NutReader } from "../../lib/nut/reader.ts";
import type { NutStream } from "../../lib/nut/demuxer.ts";
import { concat } from "../support/media/bytes.ts";
import type { MediaFolder } from "../support/media/media_folder.ts";
import { mutateNut } from "./nut_pieces.ts";
import { checkAtMost, checkRefusal, checkSame, digest } from "./properties.ts";
import type { Target } from "./target.ts";
import { type Split, splitsOf, WatchedSource } from "./watched_source.ts";

/** Bytes of the largest frame. */
const MAX_FRAME_SIZE = 1 << 22;

/** Files for the corpus: small video frames, and audio. */
const FILES: [name: string, args: string[]][] = [
  ["raw", ["-c:v", "rawvideo", "-pix_fmt", "bgr24", "-c:a", "pcm_s16le"]],
  ["coded", ["-c:v", "mpeg4", "-bf", "2", "-g", "3", "-c:a", "aac"]],
  ["jpeg", ["-c:v", "mjpeg", "-c:a", "flac"]],
  ["newer", [
    "-c:v",
    "ffv1",
    "-c:a",
    "mp2",
    "-strict",
    "experimental",
    "-syncpoints",
    "timestamped",
  ]],
  ["sound", ["-vn", "-c:a", "pcm_u8"]],
];

async function makeNut(folder: MediaFolder): Promise<Uint8Array[]> {
  const sources = [
    ...["-f", "lavfi", "-i", "testsrc=size=8x6:rate=25:d=0.24"],
    ...["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=8000:d=0.24"],
  ];
  const paths = await Promise.all(
    FILES.map(([name, args]) => folder.make(`${name}.nut`, [...sources, ...args])),
  );
  return await Promise.all(paths.map((path) => Deno.readFile(path)));
}

/** The result of reading. */
interface Read {
  streams: NutStream[];
  frames: Frame[];
  /** One line for each stream and frame, and one for an error. */
  lines: string[];
}

async function readAll(bytes: Uint8Array, split: Split): Promise<Read> {
  const read: Read = { streams: [], frames: [], lines: [] };
  const reader = new NutReader(new WatchedSource(bytes, split), {
    pooledBuffers: 2,
    maxFrameSize: MAX_FRAME_SIZE,
  });
  try {
    read.streams = await reader.readStreams();
    read.lines.push(...read.streams.map(lineOf));
    for (let frame; (frame = await reader.readFrame()) !== undefined;) {
      const { streamId, timestamp, keyframe, data } = frame;
      read.frames.push({ ...frame, data: data.slice() });
      read.lines.push(`frame ${streamId} ${timestamp} ${keyframe} ${digest(data)}`);
      checkAtMost("frames", read.frames.length, bytes.byteLength);
      reader.recycle(frame);
    }
  } catch (error) {
    checkRefusal(error);
    // The reason of a refusal depends on how the input is split.
    read.lines.push("refused");
  }
  return read;
}

function lineOf(stream: NutStream): string {
  return JSON.stringify({ ...stream, extradata: digest(stream.extradata) });
}

/** Describes a stream for the muxer. */
function toMuxStream(stream: NutStream): NutMuxStream {
  const { id, fourcc, timeBase, extradata, decodeDelay } = stream;
  const shared = { id, codec: "", fourcc, timeBase, extradata, decodeDelay };
  const { width = 1, height = 1, sampleRate = 1, channels = 1 } = stream;
  return stream.type === "video"
    ? { ...shared, type: "video", width, height }
    : { ...shared, type: "audio", sampleRate, channels };
}

/** Whether the muxer can write a stream: video or audio, with a FourCC. */
function isWritable({ type, fourcc }: NutStream): boolean {
  return (type === "video" || type === "audio") && fourcc.length === 4;
}

/** Writes frames as NUT; `undefined` if NUT cannot hold them, such as huge timestamps. */
function written({ streams, frames }: Read): Uint8Array | undefined {
  try {
    const muxer = new NutMuxer(streams.map(toMuxStream));
    const parts = frames.flatMap((frame) => [muxer.frameHeader(frame), frame.data]);
    return concat(muxer.header(), ...parts);
  } catch (error) {
    if (error instanceof RangeError && error.message.startsWith("Cannot write NUT ")) return;
    throw error;
  }
}

async function checkWritten(read: Read): Promise<void> {
  if (read.streams.length === 0 || !read.streams.every(isWritable)) return;
  const bytes = written(read);
  if (bytes === undefined) return;
  const again = await readAll(bytes, () => Infinity);
  // The muxer numbers streams in the order of their descriptions.
  const linesOf = ({ streams, frames }: Read) =>
    frames.map(({ streamId, timestamp, data }) =>
      `${streams.findIndex(({ id }) => id === streamId)} ${timestamp} ${digest(data)}`
    );
  checkSame("frames written again", linesOf(again).join("\n"), linesOf(read).join("\n"));
}

/** The pipe from FFmpeg. */
export async function nutTarget(folder: MediaFolder): Promise<Target> {
  return {
    name: "NutReader",
    corpus: await makeNut(folder),
    mutate: mutateNut,
    async check(input, random) {
      const [whole, ...others] = await Promise.all(
        splitsOf(random).map((split) => readAll(input, split)),
      );
      for (const other of others) {
        checkSame("frames by how they come", other.lines.join("\n"), whole.lines.join("\n"));
      }
      await checkWritten(whole);
      return whole.frames.length > 0 ? "taken" : "refused";
    },
  };
}
