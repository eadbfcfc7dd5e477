/** Which streams' packets an output holds as they are, and why others not. Pure. */
import type { StreamDescription } from "../core/frame.ts";
import type { CodecChoice } from "./codec_choice.ts";
import { isForPictures, isForSound, whyNotPacket, whyNotPackets } from "./container_codecs.ts";
import { holdsOnePicture, type OutputTarget } from "./output_target.ts";

/** What has to be known besides the streams and the target. */
export interface KeptOptions {
  /** One picture is to be written. */
  still: boolean;
  /** The streams are not raw. */
  encoded?: boolean;
  /** What the user chooses. */
  codec?: CodecChoice;
}

/** The streams whose packets such an output holds as they are. */
export function keptStreams(
  streams: readonly StreamDescription[],
  target: OutputTarget,
  { encoded = false, codec = {} }: KeptOptions,
): StreamDescription[] {
  if (!encoded) return [];
  return streams.filter((stream) => {
    const chosen = codec[stream.type];
    if (chosen !== undefined) return chosen === "copy";
    return whyEncodedAnew(stream, target) === undefined;
  });
}

/** What such an output does not hold as it is sent, and why, unless it was chosen: a sentence each. */
export function recodingNotes(
  streams: readonly StreamDescription[],
  target: OutputTarget,
  { still, codec = {} }: KeptOptions,
): string[] {
  return streams.flatMap((stream) => {
    if (codec[stream.type] !== undefined) return [];
    const why = whyEncodedAnew(stream, target);
    const { type } = target;
    const isLeftOut = stream.type === "video"
      ? isForSound(type)
      : still || holdsOnePicture(type) || isForPictures(type);
    if (why === undefined || isLeftOut) return [];
    const what = stream.type === "audio" ? "sound is" : still ? "the picture is" : "pictures are";
    return [`${what} encoded anew: ${why}`];
  });
}

function whyEncodedAnew(
  stream: StreamDescription,
  { type }: OutputTarget,
): string | undefined {
  const alone = holdsOnePicture(type) && stream.type === "video";
  return alone ? whyNotPacket(type, stream) : whyNotPackets(type, stream);
}
