/** Which wishes do not go together. Pure. */
import { RequestError } from "../core/errors.ts";
import type { MediaOptions } from "./media_options.ts";

/** A wish, and the encodings that it makes sense with. */
const MEANT_FOR: readonly (readonly [keyof MediaOptions, readonly string[], string])[] = [
  ["pixelFormat", ["raw"], "pixel format"],
  ["width", ["raw", "h264", "mjpeg"], "size"],
  ["height", ["raw", "h264", "mjpeg"], "size"],
  ["fps", ["raw", "h264", "mjpeg"], "frame rate"],
  ["bitrate", ["h264"], "bitrate"],
  ["quality", ["mjpeg"], "quality"],
];

/**
 * Refuses wishes that contradict each other, rather than leave one of them out.
 *
 * @throws {RequestError} `bad_request`
 */
export function refuseContradictions(options: MediaOptions): void {
  const { encoding = "raw" } = options;
  for (const [field, encodings, name] of MEANT_FOR) {
    if (options[field] === undefined || encodings.includes(encoding)) continue;
    const reason = encoding === "copy" ? "copy changes nothing" : `${encoding} has none`;
    throw new RequestError(
      "bad_request",
      `Cannot send ${encoding} with a ${name}: ${reason}, ask for ${encodings.join(" or ")}`,
    );
  }
}

/**
 * Refuses the copy of a single picture out of a video, whose packet mostly needs those before it.
 *
 * @throws {RequestError} `unsupported`
 */
export function refuseCopiedStill(
  { encoding, still }: MediaOptions,
  { name, info }: { name: string; info: { kind: string } },
): void {
  if (encoding !== "copy" || !still || info.kind === "image") return;
  throw new RequestError(
    "unsupported",
    `Cannot copy a picture out of "${name}": it is a video, ask for raw, h264 or mjpeg`,
  );
}
