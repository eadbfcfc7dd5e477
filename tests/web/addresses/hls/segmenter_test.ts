import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../../../lib/base/errors.ts";
import { type SegmentedPart, Segmenter } from "../../../../lib/web/addresses/hls/segmenter.ts";
import { mediaFolder, pictures, run, tone } from "../../../support/media/media_folder.ts";

const media = mediaFolder();

/** Bytes of a segment at most, for all tests that reach no limit. */
const LIMIT = 1 << 20;

const FLAGS = "empty_moov+delay_moov+default_base_moof+frag_discont+frag_keyframe";
const CODED = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"];

/** Fragmented MP4, with the fragments that files have. */
async function fragmented(name: string, args: readonly string[]): Promise<Uint8Array<ArrayBuffer>> {
  const fragments = ["-movflags", FLAGS, "-frag_duration", "200000", "-f", "mp4"];
  return await Deno.readFile(await media.make(name, [...args, ...fragments]));
}

function segment(bytes: Uint8Array, step = bytes.byteLength): SegmentedPart[] {
  const segmenter = new Segmenter({ limit: LIMIT });
  const parts: SegmentedPart[] = [];
  for (let at = 0; at < bytes.byteLength; at += step) {
    // A copy, since the memory may be reused.
    const chunk = bytes.slice(at, at + step);
    parts.push(...segmenter.push(chunk));
    chunk.fill(0);
  }
  return [...parts, ...segmenter.end()];
}

/** Kinds and durations of parts, in hundredths of a second. */
function summaryOf(parts: readonly SegmentedPart[]): (string | number)[] {
  return parts.map((part) => part.kind === "init" ? "init" : Math.round(part.duration * 100));
}

/** Types and keyframes of the packets of a segment behind what decoders need before it. */
async function packetsOf(parts: readonly SegmentedPart[], at: number): Promise<string[]> {
  const file = await new Blob([parts[0].bytes, parts[at].bytes]).bytes();
  const path = await media.write(`segment${at}.mp4`, file);
  const shown = ["-show_entries", "packet=codec_type,flags", "-of", "csv=p=0", `file:${path}`];
  return new TextDecoder().decode(await run("ffprobe", shown)).trim().split("\n");
}

Deno.test("Segmenter cuts at the first keyframe behind two seconds", async () => {
  const five = { seconds: 5 };
  // Keyframes at 0, 0.8, 1.6, 2.4, 3.2, 4, 4.8.
  const source = [...pictures(five), ...tone(five), ...CODED, "-g", "20", "-sc_threshold", "0"];
  const bytes = await fragmented("both.mp4", source);
  const parts = segment(bytes);
  assertEquals(summaryOf(parts), ["init", 240, 240, 20]);
  for (const [at, frames] of [[1, 60], [2, 60], [3, 5]]) {
    const packets = await packetsOf(parts, at);
    const video = packets.filter((line) => line.startsWith("video"));
    assertEquals([video.length, video[0].includes("K")], [frames, true]);
    assertEquals(packets.some((line) => line.startsWith("audio")), true);
  }
  const whole = await new Blob(parts.map(({ bytes }) => bytes)).bytes();
  // All but the index at the end.
  assertEquals(whole, bytes.subarray(0, whole.byteLength));
  for (const step of [1, 7, 4096]) assertEquals(segment(bytes, step), parts);
});

Deno.test("Segmenter begins with short segments if it is to", async () => {
  const bytes = await fragmented("both.mp4", []);
  const segmenter = new Segmenter({ limit: LIMIT, short: 2 });
  const parts = [...segmenter.push(bytes), ...segmenter.end()];
  assertEquals(summaryOf(parts), ["init", 80, 80, 240, 100]);
});

Deno.test("Segmenter moves all times, and gives the rest to the last of so many", async () => {
  const bytes = await fragmented("both.mp4", []);
  const segmenter = new Segmenter({ limit: LIMIT, count: 2 });
  segmenter.shift = 100;
  const parts = [...segmenter.push(bytes), ...segmenter.end()];
  assertEquals(summaryOf(parts), ["init", 240, 260]);
  const path = await media.write(
    "moved.mp4",
    await new Blob(parts.map(({ bytes }) => bytes)).bytes(),
  );
  const shown = ["-show_entries", "stream=start_time", "-of", "csv=p=0", path];
  const starts = new TextDecoder().decode(await run("ffprobe", shown)).trim().split("\n");
  assertEquals(starts.map((start) => Math.round(Number(start))), [100, 100]);
});

Deno.test("Segmenter lets frames that are reordered stay in their segment", async () => {
  const source = [...pictures({ seconds: 4 }), ...CODED, "-bf", "3", "-g", "50"];
  const parts = segment(await fragmented("reordered.mp4", source));
  const [init, ...durations] = summaryOf(parts);
  assertEquals([init, durations.length], ["init", 2]);
  const lengths = await Promise.all([1, 2].map(async (at) => (await packetsOf(parts, at)).length));
  assertEquals(lengths, [50, 50]);
});

Deno.test("Segmenter cuts audio without video by time", async () => {
  const parts = segment(await fragmented("tone.mp4", [...tone({ seconds: 5 }), ...CODED]));
  const [init, ...durations] = summaryOf(parts).map(Number);
  assertEquals([init, durations.length], [NaN, 3]);
  assertAlmostEquals(durations.reduce((sum, duration) => sum + duration), 500, 5);
});

Deno.test("Segmenter refuses what is too large, or no such MP4", async () => {
  const bytes = await fragmented("both.mp4", []);
  const small = new Segmenter({ limit: 2000 });
  assertThrows(() => [...small.push(bytes)], FormatError, "2000");
  const head = segment(bytes)[0].bytes;
  const headless = new Segmenter({ limit: LIMIT });
  const fragments = bytes.subarray(head.byteLength);
  assertThrows(() => [...headless.push(fragments)], FormatError, 'no "moov" before "moof"');
  const noise = new Segmenter({ limit: LIMIT });
  assertThrows(() => [...noise.push(new Uint8Array(64).fill(0xff))], FormatError);
});
