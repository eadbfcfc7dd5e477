/** The header of the MP4 that browsers get. */
import { mimeTypeOf, readBoxes } from "../../lib/sinks/browser/mp4_codecs.ts";
import { concat } from "../support/media/bytes.ts";
import type { MediaFolder } from "../support/media/media_folder.ts";
import { mutateBytes, type Mutator } from "./mutate_bytes.ts";
import { checkSame, outcomeOf, readOrRefuse } from "./properties.ts";
import type { Target } from "./target.ts";

/** A media type that a browser may get. */
const TYPE = /^(video|audio)\/mp4; codecs="[\w.]+(, [\w.]+)*"$/;
const UNKNOWN = /undefined|NaN/;

const PIXELS = ["-pix_fmt", "yuv420p"];

/** Files for the corpus, of one frame each. */
const FILES: [name: string, args: string[]][] = [
  ["h264", ["-c:v", "libx264", ...PIXELS, "-c:a", "aac"]],
  ["hevc", ["-c:v", "libx265", "-x265-params", "log-level=error", ...PIXELS, "-c:a", "libmp3lame"]],
  ["vp9", ["-c:v", "libvpx-vp9", ...PIXELS, "-c:a", "libopus"]],
  ["av1", ["-c:v", "libaom-av1", "-cpu-used", "8", ...PIXELS, "-c:a", "flac"]],
];

async function makeHeads(folder: MediaFolder): Promise<Uint8Array[]> {
  const sources = [
    ...["-f", "lavfi", "-i", "color=size=64x64:rate=25:d=0.04"],
    ...["-f", "lavfi", "-i", "sine=sample_rate=48000:d=0.1"],
  ];
  return await Promise.all(FILES.map(async ([name, args]) => {
    const path = await folder.make(`${name}.mp4`, [...sources, ...args, "-strict", "experimental"]);
    const moov = readBoxes(await Deno.readFile(path)).find(({ type }) => type === "moov");
    return (moov?.body ?? new Uint8Array(0)).slice();
  }));
}

/** Boxes that hold other boxes. */
const PARENTS = ["trak", "mdia", "minf", "stbl"];

const LEADING = [...PARENTS, "stsd"];

/** Changes the body of a box, and mostly corrects the sizes of the boxes around it. */
const mutateBoxes: Mutator = (input, others, random) => {
  if (random.once(16)) return mutateBytes(input, others, random);
  const boxes = readBoxes(input);
  // Mostly the boxes that lead to the codecs.
  const leading = boxes.flatMap(({ type }, at) => LEADING.includes(type) ? [at] : []);
  const at = leading.length > 0 && !random.once(8)
    ? random.pick(leading)
    : random.below(boxes.length);
  return concat(...boxes.map(({ type, body }, index) => {
    const changed = index === at && PARENTS.includes(type)
      ? mutateBoxes(body, others, random)
      : index === at && type === "stsd"
      ? changedEntry(body, others, random)
      : index === at && random.once(2)
      ? mutateBytes(body, others, random)
      : body;
    return boxOf(type, changed);
  }));
};

/** Changes the first entry of the sample descriptions. */
const changedEntry: Mutator = (body, others, random) => {
  const [entry] = readBoxes(body.subarray(8));
  const from = random.pick([0, 28, 78]);
  const changed = random.once(2)
    ? entry.body.slice(0, from + random.size(40))
    : concat(entry.body.subarray(0, from), mutateBytes(entry.body.subarray(from), others, random));
  // Mostly corrects the size of the box in it.
  if (changed.byteLength >= from + 8 && !random.once(3)) {
    new DataView(changed.buffer).setUint32(from, changed.byteLength - from);
  }
  return concat(body.subarray(0, 8), boxOf(entry.type, changed));
};

function boxOf(type: string, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(8);
  new DataView(head.buffer).setUint32(0, 8 + body.byteLength);
  head.set(Uint8Array.from(type, (letter) => letter.charCodeAt(0)), 4);
  return concat(head, body);
}

/** The head of an MP4 file. */
export async function mp4Target(folder: MediaFolder): Promise<Target> {
  return {
    name: "mimeTypeOf()",
    corpus: await makeHeads(folder),
    mutate: mutateBoxes,
    check(input) {
      const boxes = readOrRefuse(() => readBoxes(input));
      if (boxes !== undefined) {
        const size = boxes.reduce((sum, box) => sum + box.size, 0);
        checkSame("bytes of all boxes", String(size), String(input.byteLength));
      }
      const type = readOrRefuse(() => mimeTypeOf(input));
      if (type !== undefined && (!TYPE.test(type) || UNKNOWN.test(type))) {
        throw new Error(`told a browser ${JSON.stringify(type)}`);
      }
      return outcomeOf(type);
    },
  };
}
