/** Matroska files that are read without FFmpeg. */
import { TruncatedError } from "../../lib/base/errors.ts";
import { elementsIn } from "../../lib/containers/matroska/ebml.ts";
import { EBML, SEGMENT, TRACK } from "../../lib/containers/matroska/ids.ts";
import { openMatroska } from "../../lib/containers/matroska/open.ts";
import type { FileBytes, PacketFile } from "../../lib/containers/packet_file.ts";
import { concat } from "../support/media/bytes.ts";
import { element } from "../support/media/matroska_files.ts";
import type { MediaFolder } from "../support/media/media_folder.ts";
import { mutateBytes, type Mutator } from "./mutate_bytes.ts";
import { checkAtMost, checkRefusal } from "./properties.ts";
import type { Target } from "./target.ts";

const PIXELS = ["-pix_fmt", "yuv420p", "-g", "2", "-cluster_time_limit", "80"];

/** Files for the corpus. */
const FILES: [name: string, args: string[]][] = [
  ["h264.mkv", ["-c:v", "libx264", ...PIXELS, "-c:a", "aac"]],
  ["front.mkv", ["-c:v", "mpeg4", ...PIXELS, "-c:a", "libmp3lame", "-cues_to_front", "1"]],
  ["vp8.webm", ["-c:v", "libvpx", ...PIXELS, "-c:a", "libopus"]],
];

/** Elements that hold others and lead far. */
const PARENTS: readonly number[] = [
  ...[SEGMENT.segment, SEGMENT.seekHead, SEGMENT.info, SEGMENT.tracks, SEGMENT.cluster],
  ...[SEGMENT.cues, TRACK.entry, TRACK.video, TRACK.audio],
];

/** Bytes that are read beyond those of the file, for each time that it is read through. */
const SLACK = 2 ** 20;

/** Reads of one file: it is small, but seeks may lead to all of its parts. */
const MAX_READS = 2000;

async function makeFiles(folder: MediaFolder): Promise<Uint8Array[]> {
  const sources = [
    ...["-f", "lavfi", "-i", "color=size=32x32:rate=25:d=0.4"],
    ...["-f", "lavfi", "-i", "sine=sample_rate=48000:d=0.4"],
  ];
  return await Promise.all(
    FILES.map(async ([name, args]) =>
      await Deno.readFile(await folder.make(`fuzz_${name}`, [...sources, ...args]))
    ),
  );
}

/** Changes the content of an element, and corrects the sizes of those around it. */
const mutateElements: Mutator = (input, others, random) => {
  if (random.once(3)) return mutateBytes(input, others, random);
  try {
    const elements = [...elementsIn(new Uint8Array(input))];
    const at = random.below(elements.length);
    return concat(...elements.map(({ id, body }, index) => {
      if (index !== at && id !== SEGMENT.segment) return element(id, body);
      if (id === EBML.header && !random.once(8)) return element(id, body);
      const change = PARENTS.includes(id) ? mutateElements : mutateBytes;
      return element(id, change(body, others, random));
    }));
  } catch {
    return mutateBytes(input, others, random);
  }
};

/** Bytes in memory that check what is asked of them. */
function watched(input: Uint8Array): FileBytes & { reads: number } {
  return {
    reads: 0,
    size: input.byteLength,
    read(offset, length) {
      checkAtMost("reads", ++this.reads, MAX_READS);
      checkAtMost("bytes asked for", length, input.byteLength + SLACK);
      const part = new Uint8Array(input.subarray(offset, offset + length));
      return part.byteLength < length
        ? Promise.reject(new TruncatedError(length, part.byteLength))
        : Promise.resolve(part);
    },
  };
}

async function readAll(file: PacketFile, from: number, size: number): Promise<void> {
  let bytes = 0;
  const tracks = file.tracks.map(({ index }) => index);
  for await (const batch of file.packets({ tracks, from })) {
    for (const { track, timestamp, data } of batch) {
      if (!tracks.includes(track)) throw new Error(`a packet of track ${track}`);
      if (!Number.isSafeInteger(timestamp)) throw new Error(`a timestamp of ${timestamp}`);
      bytes += data.byteLength;
    }
  }
  checkAtMost("bytes of packets", bytes, size);
}

/** Matroska files, from their beginning to their end. */
export async function matroskaTarget(folder: MediaFolder): Promise<Target> {
  return {
    name: "openMatroska()",
    corpus: await makeFiles(folder),
    mutate: mutateElements,
    async check(input, random) {
      const bytes = watched(input);
      const file = await openMatroska(bytes, { soundStart: "packet" });
      if ("unindexed" in file) {
        checkAtMost("characters of a reason", file.unindexed.length, 200);
        return "refused";
      }
      checkAtMost("tracks", file.tracks.length, 2);
      try {
        await readAll(file, random.pick([-1, 0, 0.1, 0.2, 1e9]), input.byteLength);
        return "taken";
      } catch (error) {
        checkRefusal(error);
        return "refused";
      }
    },
  };
}
