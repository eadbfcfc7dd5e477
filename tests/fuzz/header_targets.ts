/** Headers of files that are described without FFmpeg. */
import { readHeader } from "../../lib/containers/headers/read.ts";
import type { MediaFolder } from "../support/media/media_folder.ts";
import { memoryOf } from "../support/media/opened_matroska.ts";
import { mutateBytes } from "./mutate_bytes.ts";
import { checkRefusal } from "./properties.ts";
import type { Target } from "./target.ts";

const PICTURE = ["-f", "lavfi", "-i", "color=size=16x16", "-frames:v", "1"];
const SOUND = ["-f", "lavfi", "-i", "sine=sample_rate=8000:d=0.1"];

/** Files for the corpus. */
const FILES: [name: string, args: string[]][] = [
  ...["png", "jpg", "webp"].map((extension): [string, string[]] => [extension, PICTURE]),
  ...["wav", "flac", "mp3"].map((extension): [string, string[]] => [extension, SOUND]),
  ["ogg", [...SOUND, "-c:a", "libvorbis"]],
  ["opus", [...SOUND, "-c:a", "libopus"]],
];

/** The target of the readers of headers. */
export async function headerTarget(folder: MediaFolder): Promise<Target> {
  const corpus = await Promise.all(
    FILES.map(async ([extension, args]) =>
      await Deno.readFile(await folder.make(`fuzz_header.${extension}`, args))
    ),
  );
  return {
    name: "readHeader()",
    ...{ corpus, mutate: mutateBytes },
    async check(input) {
      try {
        const header = await readHeader(memoryOf(input));
        if (header === undefined) return "refused";
        const { width = 1, height = 1, duration = 1 } = header;
        const isSane = [width, height, duration].every(Number.isFinite) && duration >= 0;
        if (!isSane) throw new Error(`Cannot believe ${JSON.stringify(header)}`);
        return "taken";
      } catch (error) {
        checkRefusal(error);
        return "refused";
      }
    },
  };
}
