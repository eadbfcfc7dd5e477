/** From a response to segments of HLS. */
import type { FfmpegDialect } from "../../../ffmpeg/version.ts";
import type { OpenResponse } from "../../../protocol/media_response.ts";
import { type FragmentHeader, FragmentSink } from "../../../sinks/browser/fragment_sink.ts";
import { Presenter } from "../../../sinks/presenter.ts";
import { SuccessiveSink } from "../../../sinks/successive_sink.ts";
import { type SegmentedPart, Segmenter, type SegmenterOptions } from "./segmenter.ts";

/** Codecs that all players of HLS play, by FFmpeg's names. */
const CODECS: ReadonlySet<string> = new Set(["h264", "aac"]);

/** Bytes of the largest segment. */
const MAX_SEGMENT = 32 << 20;

/** Options of {@linkcode cutResponse}. */
export interface CutOptions extends Omit<SegmenterOptions, "limit"> {
  /** Opens the response, with H.264 and AAC. */
  open: (signal: AbortSignal) => Promise<OpenResponse>;
  /** Argument spelling of the installed FFmpeg. */
  dialect: () => Promise<FfmpegDialect>;
  /** Seconds to add to the times of the MP4, by its description. @default 0 */
  shift?: (header: FragmentHeader) => number;
  /** Takes each part. */
  onPart: (part: SegmentedPart) => void;
  /** Resolves when more parts are wanted. @default at once */
  wanted?: () => Promise<void>;
  /** Ends it at once. */
  signal: AbortSignal;
}

/**
 * Cuts a response into segments, up to its end, whole or not.
 *
 * @returns why the response ended early, if it did
 * @throws {Error} if it cannot be opened or made playable, and the signal's reason
 */
export async function cutResponse(options: CutOptions): Promise<unknown> {
  const { open, dialect, shift, onPart, wanted, signal } = options;
  using response = await open(signal);
  let segmenter: Segmenter | undefined;
  const complete = () => {
    for (const part of segmenter?.end() ?? []) onPart(part);
  };
  await using sink = new SuccessiveSink({
    isRecording: false,
    create: () => {
      complete();
      const current = new Segmenter({ ...options, limit: MAX_SEGMENT });
      segmenter = current;
      const target = {
        begin: (header: FragmentHeader) => {
          current.shift = shift?.(header) ?? 0;
        },
        write: async (bytes: Uint8Array) => {
          for (const part of current.push(bytes)) onPart(part);
          await wanted?.();
        },
      };
      return new FragmentSink(target, { can: CODECS, dialect, signal });
    },
  });
  const presenter = new Presenter(sink, { still: false, encoding: "h264" });
  let failure: unknown;
  try {
    for await (const part of response) {
      if (part.kind === "describe") await presenter.describe(part.description);
      else if (part.kind === "frame" && !await presenter.show(part.frame)) break;
    }
  } catch (error) {
    failure = error;
  }
  signal.throwIfAborted();
  await presenter.begin();
  await sink.finish(true);
  complete();
  return failure;
}
