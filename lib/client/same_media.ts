/** Whether an answer goes on where another broke off. Pure. */
import type { Description, StreamDescription } from "../core/frame.ts";

/**
 * Compares what is described after a cut with what was described at first.
 *
 * @throws {Error} where frames of the one cannot follow those of the other
 */
export function checkSame(first: Description, again: Description): void {
  if (first.live !== again.live || first.name !== again.name) {
    throw new Error("the server has something else by this name now, ask for it anew");
  }
  if (first.live) {
    const [before, after] = [first, again].map(({ streams }) => streams);
    if (toText(before.map(essenceOf)) === toText(after.map(essenceOf))) return;
    throw new Error(
      `the source came back as something else: ${told(after)}, expected ${told(before)}; ask for ` +
        "it anew",
    );
  }
  if (first.etag !== again.etag) {
    throw new Error(
      "the file was replaced meanwhile: it is not the one that it began with, get it anew",
    );
  }
  if (toText(first.streams) === toText(again.streams)) return;
  throw new Error(
    "the server sends it in another form now, as a server of another version may, get it anew",
  );
}

/** What has to be the same of a live stream. Its time base may change, since moments are moved. */
function essenceOf(stream: StreamDescription): unknown[] {
  const { id, type, codec, fourcc, extradata } = stream;
  const shared = [id, type, codec, fourcc, extradata];
  return stream.type === "video"
    ? [...shared, stream.width, stream.height, stream.pixelFormat]
    : [...shared, stream.sampleRate, stream.channels];
}

/** JSON with its fields in one order. */
function toText(value: unknown): string {
  return JSON.stringify(value, (_, part) => {
    if (part instanceof Uint8Array) return part.toBase64();
    const isObject = typeof part === "object" && part !== null && !Array.isArray(part);
    return isObject
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => a < b ? -1 : 1))
      : part;
  });
}

/** Streams in a few words: `rawvideo 1280×720 and pcm_s16le`. */
function told(streams: readonly StreamDescription[]): string {
  return streams.map((stream) => {
    const { codec } = stream;
    return stream.type === "video" ? `${codec} ${stream.width}×${stream.height}` : codec;
  }).join(" and ");
}
