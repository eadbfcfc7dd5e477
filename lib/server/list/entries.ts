/** The entries of the list of media. */
import type { MediaRequest } from "../../protocol/native/request.ts";
import type { ListEntry } from "../../protocol/native/response.ts";
import type { Candidate } from "../../sources/file/listing/file_tree.ts";
import { kindByName } from "../../sources/file/listing/media_names.ts";
import type { Described, MediaFile } from "../../sources/file/library.ts";
import type { LiveSources } from "../../sources/live/registry.ts";
import {
  findDefaults,
  findMedia,
  type FoundMedia,
  type MediaSearch,
} from "../playback/find_media.ts";
import type { MediaContext } from "../session/context.ts";

/** The media that is listed. */
export type ListContext = Pick<MediaContext, "library" | "live">;

/** The entries that a request for the list is limited to; `undefined` if it is for all. */
export async function findEntries(
  { name, defaults, more }: MediaRequest,
  search: MediaSearch,
): Promise<ListEntry[] | undefined> {
  if (name === undefined && !defaults) return undefined;
  const toEntry = (found: FoundMedia): ListEntry[] =>
    found.file !== undefined
      ? [more ? wholeEntry(found.file) : listEntry(found.file)]
      : search.live.entries().filter((entry) => entry.name === found.live.name);
  if (name !== undefined) return toEntry(await findMedia({ command: "list_media", name }, search));
  const { image, video } = await findDefaults(search);
  const marked = (defaultFor: "image" | "video", found?: FoundMedia) =>
    found === undefined ? [] : toEntry(found).map((entry) => ({ ...entry, defaultFor }));
  return [...marked("image", image), ...marked("video", video)];
}

/**
 * Lists all media that can be read: live sources first, then the files whose names no live source
 * has.
 *
 * @param data whether to list sources of nothing but data
 */
export async function listMedia(
  { library, live }: ListContext,
  { data }: Pick<MediaRequest, "data"> = {},
): Promise<ListEntry[]> {
  const files = (await library.list()).filter(({ name }) => live.find(name) === undefined);
  return [...liveEntries(live, data), ...files.map(listEntry)];
}

/** Entries of live sources. */
export function liveEntries(live: LiveSources, data: MediaRequest["data"]): ListEntry[] {
  return live.entries().filter(({ kind }) => kind !== "data" || data !== undefined);
}

/** List entry of a file, with what all clients know. */
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

/** List entry of a file, with everything that is known of it. */
export function wholeEntry(file: MediaFile): ListEntry {
  const { tracks, video } = file.info;
  const { modified } = file.state ?? {};
  return { ...listEntry(file), modified, rotation: video?.rotation || undefined, tracks };
}

/** List entry of a file that has not been looked into; `undefined` if its name is not that of media. */
export function pendingEntry(
  { name, size, state: { modified } }: Candidate,
): ListEntry | undefined {
  const kind = kindByName(name);
  return kind && { name, kind, live: false, size, modified, codec: "", pending: true };
}

/**
 * List entry of a file that has been looked into; `undefined` if it is not media, and its name does
 * not say so either.
 */
export function describedEntry({ candidate, file, problem }: Described): ListEntry | undefined {
  if (file !== undefined) return wholeEntry(file);
  const entry = pendingEntry(candidate);
  return entry && { ...entry, pending: undefined, problem };
}
