import { assertEquals, assertLess } from "@std/assert";
import { Library } from "../../../lib/sources/file/library.ts";
import type { MediaOptions } from "../../../lib/sources/file/plan.ts";
import { concat } from "../../support/media/bytes.ts";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";
import { play } from "../../support/media/played_file.ts";
import { pointsOf, type WholeFrame } from "../../support/peers/cut_responses.ts";

const media = mediaFolder();

/** Frames of a resumed response that are compared. */
const LOOKED_AT = 12;

async function clip() {
  await media.make("clip.mp4", [
    ...pictures({ seconds: 1, rate: "10" }),
    ...tone({ seconds: 1.1, rate: 16_000, layout: "mono" }),
    ...["-c:v", "libx264", "-bf", "2", "-g", "6", "-sc_threshold", "0", "-pix_fmt", "yuv420p"],
  ]);
  return await new Library(media.path).find("clip.mp4");
}

/** What a stream begins with: of packets what they are, of PCM the moment, then the bytes. */
function beginning(frames: WholeFrame[], id: number, isPcm: boolean): unknown[] {
  const own = frames.filter(({ streamId }) => streamId === id);
  if (!isPcm) return own.map(({ data: _, ...frame }) => frame);
  return [own[0]?.timestamp, ...concat(...own.map(({ data }) => data!))];
}

const CASES: [options: MediaOptions, frames: number][] = [
  [{ encoding: "raw" }, 220],
  // Each round begins with the keyframe before it, at timestamps that were there before.
  [{ encoding: "copy", start: 0.47 }, 200],
  [{ encoding: "copy", start: 0.45, duration: 0.3, audio: false }, 70],
  [{ encoding: "h264" }, 200],
];

for (const [options, total] of CASES) {
  const { encoding, start = 0 } = options;
  const what = `${encoding} from ${start} s, ${total} frames`;
  Deno.test(`a loop that is cut goes on in the round where it was: ${what}`, async () => {
    const file = await clip();
    const { frames, streams } = await play(file, options, { loop: true, limit: total + LOOKED_AT });
    for (const cut of [Math.floor(total / 12), total]) {
      const resume = pointsOf(frames.slice(0, cut), streams);
      const rest = await play(file, options, { loop: true, limit: LOOKED_AT, resume });
      for (const { id, type } of streams) {
        const isPcm = type === "audio" && encoding === "raw";
        const expected = beginning(frames.slice(cut), id, isPcm);
        const found = beginning(rest.frames, id, isPcm);
        const length = Math.min(expected.length, found.length);
        assertEquals(found.slice(0, length), expected.slice(0, length), `behind ${cut}`);
      }
      // Most rounds are not read.
      assertLess(rest.opened.length, 9);
    }
  });
}
