/** Answers that were cut somewhere, and what came of them: for tests of resuming. */
import { createHash } from "node:crypto";
import { type Description, sampleSize, type StreamDescription } from "../../../lib/media/frame.ts";
import type { MediaRequest, ResumePoint } from "../../../lib/protocol/native/request.ts";
import type { EndReport } from "../../../lib/protocol/native/response.ts";
import { ask } from "./native_client.ts";
import type { TestServer } from "./test_server.ts";

/** A frame as it came. */
export interface WholeFrame {
  streamId: number;
  timestamp: number;
  keyframe: boolean;
  dropped: boolean;
  discontinuity: boolean;
  size: number;
  md5: string;
  /** The bytes of sound; those of pictures are not kept. */
  data?: Uint8Array<ArrayBuffer>;
}

/** An answer with all that its frames say. */
export interface WholeResponse {
  description: Description;
  frames: WholeFrame[];
  end: EndReport;
}

/** What can be compared of a stream: its frames; of PCM where it begins, and all of its samples. */
export type Comparable = Omit<WholeFrame, "data">[] | { from: number | undefined; md5: string };

/** Asks, and keeps the whole answer. */
export async function askWhole(
  server: TestServer,
  request: Omit<MediaRequest, "command"> & Partial<Pick<MediaRequest, "command">>,
): Promise<WholeResponse> {
  const frames: WholeFrame[] = [];
  const response = await ask(server, { command: "get_video", ...request }, {
    onFrame({ streamId, timestamp, keyframe, dropped, discontinuity, size, md5, data }) {
      const kept = size < 65_536 ? data : undefined;
      frames.push({ streamId, timestamp, keyframe, dropped, discontinuity, size, md5, data: kept });
    },
  });
  if (response.error !== undefined) throw response.error;
  return { description: response.description!, frames, end: response.end! };
}

/** What a client says of the frames that it has. */
export function pointsOf(
  frames: readonly WholeFrame[],
  streams: readonly StreamDescription[],
): ResumePoint[] {
  return streams.flatMap((stream): ResumePoint[] => {
    const own = frames.filter(({ streamId }) => streamId === stream.id);
    const last = own.at(-1);
    if (last === undefined) return [];
    const { id } = stream;
    const breaks = own.filter(({ discontinuity }) => discontinuity).length;
    const samples = samplesIn(last, stream);
    if (samples !== undefined) return [{ id, next: last.timestamp + samples }];
    return [{ id, after: last.timestamp, breaks }];
  });
}

/** Samples of a frame of PCM whose ticks they are; `undefined` of all else. */
function samplesIn({ size }: WholeFrame, stream: StreamDescription): number | undefined {
  if (stream.type === "video" || stream.timeBase[1] !== stream.sampleRate) return undefined;
  const bytes = sampleSize(stream.codec);
  return bytes && size / bytes / stream.channels;
}

/** What there is to compare of each stream of some frames. */
export function comparable(
  frames: readonly WholeFrame[],
  streams: readonly StreamDescription[],
): Comparable[] {
  return streams.map((stream) => {
    const own = frames.filter(({ streamId }) => streamId === stream.id);
    if (own.length === 0 || samplesIn(own[0], stream) === undefined) {
      return own.map(({ data: _, ...frame }) => frame);
    }
    const hash = createHash("md5");
    for (const { data } of own) hash.update(data!);
    return { from: own[0].timestamp, md5: hash.digest("hex") };
  });
}
