/** Recordings over connections that are cut, compared with those over whole ones. */
import { assertEquals, assertMatch } from "@std/assert";
import { mediaFolder, pictures, run, tone } from "../../support/media/media_folder.ts";
import { CuttingProxy } from "../../support/peers/cutting_proxy.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

const media = mediaFolder();

/** Two seconds of video with B-frames, with audio. */
const CLIP = [
  ...[...pictures({ seconds: 2 }), ...tone({ seconds: 2 })],
  ...["-c:v", "libx264", "-g", "12", "-bf", "2", "-c:a", "aac", "-shortest"],
];

/** Connections that are cut. */
const CUTS = 5;

/** Timestamps and hashes of the frames, or packets, of a file, one on each line. */
async function sumsOf(path: string, args: readonly string[]): Promise<string> {
  const sums = await run("ffmpeg", ["-i", `file:${path}`, ...args, "-f", "framemd5", "-"]);
  return new TextDecoder().decode(sums);
}

/** Records over connections that are cut, and over a whole one. */
async function record(name: string, flags: readonly string[]) {
  await using server = await testServer({ media: media.path });
  await media.make("clip.mp4", CLIP);
  const args = ["--video", "clip.mp4", ...flags, "--overwrite", "--json", "--output"];
  const whole = media.pathOf(`whole_${name}`);
  const cut = media.pathOf(`cut_${name}`);
  await using through = new CuttingProxy(server, ["whole"]);
  const first = await runInside([...args, whole, ...at(through)]);
  assertEquals([first.status, first.stderr.includes("Connection")], [0, false], first.stderr);
  // Each connection also carries a description, which is longer than the margin.
  const step = Math.floor(through.passed[0] / (CUTS + 1)) + 500;
  const fates = Array.from({ length: CUTS }, () => ({ cutAfter: step }));
  await using proxy = new CuttingProxy(server, fates);
  const clock = new HandClock({ skips: true });
  const second = await runInside([...args, cut, ...at(proxy)], { environment: { clock } });
  assertEquals(second.status, 0, second.stderr);
  const [before, after] = [first, second].map(({ stdout }) => JSON.parse(stdout));
  return { whole, cut, before, after, stderr: second.stderr, proxy };
}

for (
  const [name, flags] of [
    ["copy.mkv", ["--encoding", "copy"]],
    ["copy.mp4", ["--encoding", "copy", "--start", "0.7"]],
    ["h264.mkv", ["--encoding", "h264"]],
    ["raw.nut", []],
    ["mjpeg.mkv", ["--encoding", "mjpeg", "--start", "0.3", "--duration", "1.2"]],
  ] as const
) {
  Deno.test(`stream-client records ${name} whole over a connection that is cut five times`, async () => {
    const { whole, cut, before, after, stderr, proxy } = await record(name, flags);
    assertEquals(after.reconnects, CUTS, stderr);
    assertEquals(proxy.connections, after.reconnects + 1);
    assertEquals(
      [after.frames, after.bytes],
      [before.frames, before.bytes],
      stderr,
    );
    assertEquals(
      await sumsOf(cut, ["-map", "0:v", "-c", "copy"]),
      await sumsOf(whole, ["-map", "0:v", "-c", "copy"]),
    );
    assertEquals(await sumsOf(cut, ["-map", "0:a"]), await sumsOf(whole, ["-map", "0:a"]));
    assertMatch(
      stderr,
      /^Connection lost at 00:0\d\.\d; trying again in 1 s \(1 of 5\)$/m,
    );
    assertMatch(stderr, /^Connected again after 1\.\d s, going on at 00:0\d\.\d$/m);
  });
}
