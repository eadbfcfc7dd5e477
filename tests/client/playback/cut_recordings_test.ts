/** Recordings over a network that breaks off, compared with those over one that does not. */
import { assertEquals, assertMatch } from "@std/assert";
import { mediaFolder, pictures, run, tone } from "../../support/media/media_folder.ts";
import { CuttingProxy } from "../../support/peers/cutting_proxy.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

const media = mediaFolder();

/** Two seconds of pictures that refer to each other both ways, with sound. */
const CLIP = [
  ...[...pictures({ seconds: 2 }), ...tone({ seconds: 2 })],
  ...["-c:v", "libx264", "-g", "12", "-bf", "2", "-c:a", "aac", "-shortest"],
];

/** Five cuts, after bytes that each connection lets through. */
const CUTS = 5;

/** What ffmpeg reads of a file: one line a frame, or packet, with its timestamp and its hash. */
async function sumsOf(path: string, args: readonly string[]): Promise<string> {
  const sums = await run("ffmpeg", ["-i", `file:${path}`, ...args, "-f", "framemd5", "-"]);
  return new TextDecoder().decode(sums);
}

/** Records over a network that is cut five times, and gives what came, and what should have. */
async function record(name: string, flags: readonly string[]) {
  await using server = await testServer({ media: media.path });
  await media.make("clip.mp4", CLIP);
  const args = ["--video", "clip.mp4", ...flags, "--overwrite", "--json", "--output"];
  const whole = media.pathOf(`whole_${name}`);
  const cut = media.pathOf(`cut_${name}`);
  await using through = new CuttingProxy(server, ["whole"]);
  const first = await runInside([...args, whole, ...at(through)]);
  assertEquals([first.status, first.stderr.includes("Connection")], [0, false], first.stderr);
  // Each brings less than its share: a description, which is longer than this, comes with each.
  const step = Math.floor(through.passed[0] / (CUTS + 1)) + 500;
  const fates = Array.from({ length: CUTS }, () => ({ cutAfter: step }));
  await using proxy = new CuttingProxy(server, fates);
  const clock = new HandClock({ skips: true });
  const second = await runInside([...args, cut, ...at(proxy)], { environment: { clock } });
  assertEquals(second.status, 0, second.stderr);
  const [before, after] = [first, second].map(({ stdout }) => JSON.parse(stdout));
  return { whole, cut, before, after, said: second.stderr, proxy };
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
    const { whole, cut, before, after, said, proxy } = await record(name, flags);
    assertEquals(after.reconnects, CUTS, said);
    assertEquals(proxy.connections, after.reconnects + 1);
    assertEquals(
      [after.frames, after.bytes],
      [before.frames, before.bytes],
      said,
    );
    assertEquals(
      await sumsOf(cut, ["-map", "0:v", "-c", "copy"]),
      await sumsOf(whole, ["-map", "0:v", "-c", "copy"]),
    );
    assertEquals(await sumsOf(cut, ["-map", "0:a"]), await sumsOf(whole, ["-map", "0:a"]));
    assertMatch(
      said,
      /^Connection lost at 00:0\d\.\d; trying again in 1 s \(1 of 5\)$/m,
    );
    assertMatch(said, /^Connected again after 1\.\d s, going on at 00:0\d\.\d$/m);
  });
}
