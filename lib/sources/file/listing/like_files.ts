/** Describes files like others of which only sizes and lengths are different. */
import type { FileHeader } from "../../../containers/headers/header.ts";
import type { MediaInfo } from "../probe.ts";

/** Kinds of files that are remembered at most. */
const MAX_EXAMPLES = 1000;

/**
 * Remembers what ffprobe said of one file of each kind, and describes others with the same headers in
 * the same way. What is different is read from their headers: a size, or a length. If ffprobe said
 * something else of the first file than its headers, as another version may, all of the kind are left
 * to it.
 */
export class LikeFiles {
  /** By the likeness of the headers; `undefined` if they are not to be believed. */
  #examples = new Map<string, Promise<MediaInfo | undefined>>();

  /**
   * Describes a file as ffprobe does.
   *
   * @param probe asks ffprobe
   * @throws what `probe` throws
   */
  async describe(header: FileHeader, probe: () => Promise<MediaInfo>): Promise<MediaInfo> {
    const { likeness } = header;
    const example = this.#examples.get(likeness);
    if (example === undefined) return await this.#learn(header, probe);
    const info = await example;
    return info === undefined ? await probe() : adapt(info, header);
  }

  async #learn(header: FileHeader, probe: () => Promise<MediaInfo>): Promise<MediaInfo> {
    const { likeness } = header;
    if (this.#examples.size >= MAX_EXAMPLES) this.#examples.clear();
    const probed = probe();
    const example = probed.then(
      (info) => isSame(info, adapt(info, header)) ? info : undefined,
      () => {
        // The next file may be a better example.
        this.#examples.delete(likeness);
        return undefined;
      },
    );
    this.#examples.set(likeness, example);
    return await probed;
  }
}

/** The description of a file that differs from another one in what its headers say. */
function adapt(info: MediaInfo, { width, height, duration, title }: FileHeader): MediaInfo {
  const { video } = info;
  const hasSize = video !== undefined && width !== undefined && height !== undefined;
  const isTurned = video?.rotation === 90 || video?.rotation === 270;
  const size = hasSize && (isTurned ? { width: height, height: width } : { width, height });
  const tracks = info.tracks?.map((track) => ({ ...track, title }));
  return { ...info, duration, video: size ? { ...video, ...size } : video, tracks };
}

function isSame(info: MediaInfo, other: MediaInfo): boolean {
  return JSON.stringify(info) === JSON.stringify(other);
}
