import type { MediaFile } from "../media/library.ts";
import type { ListEntry } from "../wire/answer.ts";

/** What the list of media says of a file. */
export function listEntry({ name, size, info }: MediaFile): ListEntry {
  const { kind, duration, video, audio } = info;
  const codecs = [video?.codec, kind === "image" ? undefined : audio?.codec];
  return {
    name,
    kind,
    live: false,
    size,
    duration,
    codec: codecs.filter((codec) => codec !== undefined).join("+"),
    width: video?.width,
    height: video?.height,
  };
}
