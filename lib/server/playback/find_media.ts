/** Finds the file or the live source that a request is about. */
import { RequestError } from "../../base/errors.ts";
import type { MediaRequest } from "../../protocol/native/request.ts";
import type { MediaFile } from "../../sources/file/library.ts";
import type { LiveSource } from "../../sources/live/source_spec.ts";
import type { MediaContext } from "../session/context.ts";

/** A live source or a file. */
export type FoundMedia = { live: LiveSource; file?: undefined } | { file: MediaFile };

/** The places to search for media. */
export type MediaSearch = Pick<MediaContext, "library" | "live" | "defaults">;

/**
 * Finds the media of a request. Without a name, that is the server's choice of its kind.
 *
 * @throws {RequestError} `not_found`, or `media_error` if the file is no media
 */
export async function findMedia(
  request: Pick<MediaRequest, "command" | "name">,
  search: MediaSearch,
): Promise<FoundMedia> {
  const live = await findLive(request, search);
  if (live !== undefined) return { live };
  const kind = request.command === "get_image" ? "image" : "video";
  const { library, defaults } = search;
  const name = request.name ?? defaults[kind];
  return { file: name === undefined ? await library.first(kind) : await library.find(name) };
}

/**
 * Finds a live source, if a request is about one. Without a name, that is the default video, or the
 * first live source if the folder has no video.
 */
async function findLive(
  { command, name }: Pick<MediaRequest, "command" | "name">,
  { live, defaults, library }: MediaSearch,
): Promise<LiveSource | undefined> {
  if (live.names.length === 0) return undefined;
  const wanted = name ?? (command === "get_image" ? defaults.image : defaults.video);
  if (wanted !== undefined) return live.find(wanted);
  if (command === "get_image") return undefined;
  try {
    await library.first("video");
    return undefined;
  } catch (error) {
    if (error instanceof RequestError && error.code === "not_found") return live.find();
    throw error;
  }
}

/** Finds the media of requests without a name, by the kind that they ask for; absent if none. */
export async function findDefaults(
  search: MediaSearch,
): Promise<Partial<Record<"image" | "video", FoundMedia>>> {
  const find = async (command: MediaRequest["command"]) => {
    try {
      return await findMedia({ command }, search);
    } catch (error) {
      if (error instanceof RequestError) return undefined;
      throw error;
    }
  };
  return { image: await find("get_image"), video: await find("get_video") };
}
