import { startProcess } from "../lib/ffmpeg/process.ts";
import { connect } from "../lib/net/connection.ts";
import { requestList } from "../lib/protocol/native/client.ts";
import { ListedMedia } from "../lib/protocol/native/list.ts";
import { type Bench, type Goal, measured, type Row } from "./measurement.ts";

/** Files in the folder. */
const FILES = 2000;

const PICTURES = ["-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:d=1", "-pix_fmt", "yuv420p"];
const SOUND = ["-f", "lavfi", "-i", "sine=duration=1"];
const BOTH = [...SOUND, ...PICTURES];
const H264 = ["-c:v", "libx264", "-c:a", "aac"];

/** The kinds of files, each as often as the others, by extension, and FFmpeg's arguments for them. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  mp4: [...BOTH, ...H264],
  mov: [...BOTH, ...H264],
  mkv: [...BOTH, ...H264],
  webm: [...BOTH, "-c:v", "libvpx-vp9", "-c:a", "libopus"],
  jpg: [...PICTURES, "-frames:v", "1"],
  png: [...PICTURES, "-frames:v", "1"],
  mp3: SOUND,
  m4a: [...SOUND, "-c:a", "aac"],
  wav: SOUND,
  flac: SOUND,
  ogg: [...SOUND, "-c:a", "libvorbis"],
  aac: [...SOUND, "-c:a", "aac"],
};

/**
 * Measures the list of a folder of thousands of short files, by a server that has just started: the
 * time until all names are there, and until all details are. Then once more, by another server.
 */
export async function measureListing(bench: Bench): Promise<Row[]> {
  const folder = await Deno.makeTempDir({ prefix: "stream_bench_list_" });
  try {
    await makeFiles(folder);
    const first = await timeList(folder, bench);
    const second = await timeList(folder, bench);
    const goal = (value: number): Goal => ({ of: "ours", relation: "at most", value });
    const row = (what: string, seconds: number, limit: number) => ({
      ...measured({ ours: [seconds] }, { what, unit: "s" }),
      goal: goal(limit),
    });
    return [
      row(`names of ${FILES} files`, first.names, 1),
      row("their details", first.details, 30),
      row("details, server started again", second.details, 30),
    ];
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Makes a file of each kind, and copies of it with content of their own. */
async function makeFiles(folder: string): Promise<void> {
  const kinds = Object.entries(KINDS);
  for (const [extension, args] of kinds) {
    const output = ["-y", ...args, `file:${folder}/0.${extension}`];
    await using child = startProcess("ffmpeg", ["-v", "error", "-nostdin", ...output]);
    await child.finished();
  }
  for (let at = kinds.length; at < FILES; at++) {
    const [extension] = kinds[at % kinds.length];
    await Deno.copyFile(`${folder}/0.${extension}`, `${folder}/${at}.${extension}`);
  }
}

/** Seconds from the request to all names, and to all details. */
async function timeList(
  folder: string,
  { programs, signal }: Bench,
): Promise<{ names: number; details: number }> {
  await using server = await programs.startServer(folder, { signal });
  using connection = await connect({ host: "127.0.0.1", port: server.port }, signal);
  const list = new ListedMedia();
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1000;
  let names: number | undefined;
  for await (const piece of requestList(connection)) {
    list.add(piece);
    if (list.size === FILES) names ??= seconds();
  }
  if (names === undefined) throw new Error(`Cannot list ${FILES} files: ${list.size} came`);
  return { names, details: seconds() };
}
