/** Responses that were cut, for tests of resuming. */
import { createHash } from "node:crypto";
import {
  type Description,
  pcmSampleSize,
  type StreamDescription,
} from "../../../lib/media/frame.ts";
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
  /** The bytes of small frames, such as audio. */
  data?: Uint8Array<ArrayBuffer>;
}

/** A response with all fields of its frames. */
export interface WholeResponse {
  description: Description;
  frames: WholeFrame[];
  end: EndReport;
}

/** The comparable part of a stream: its frames, or the start and the samples of PCM. */
export type Comparable = Omit<WholeFrame, "data">[] | { from: number | undefined; md5: string };

/** Asks, and keeps the whole response. */
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

/** The resume points of a client that has some frames. */
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

/** Samples of a PCM frame whose time base is the sample rate; `undefined` for other frames. */
function samplesIn({ size }: WholeFrame, stream: StreamDescription): number | undefined {
  if (stream.type === "video" || stream.timeBase[1] !== stream.sampleRate) return undefined;
  const bytes = pcmSampleSize(stream);
  return bytes && size / bytes;
}

/** The comparable part of each stream. */
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
