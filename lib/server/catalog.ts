import type { ListEntry } from "../protocol/native/response.ts";
import type { Library, MediaFile } from "../sources/file/library.ts";
import type { LiveSources } from "../sources/live/registry.ts";

/** Lists all media: live sources first, then the files whose names no live source has. */
export async function listMedia(library: Library, live: LiveSources): Promise<ListEntry[]> {
  const files = (await library.list()).filter(({ name }) => live.find(name) === undefined);
  return [...live.entries(), ...files.map(listEntry)];
}

/** List entry of a file. */
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
