/** Encoded streams in a window, in a terminal and in a pipe. */
import { assert, assertAlmostEquals, assertEquals, assertGreater, assertMatch } from "@std/assert";
import type { StreamDescription } from "../../lib/media/frame.ts";
import { ffplayArguments } from "../../lib/sinks/window/ffplay.ts";
import { mediaFolder, pictures, tone } from "../support/media/media_folder.ts";
import { decodedBy, decodedBytes } from "../support/media/reference.ts";
import { packetServer } from "../support/peers/packet_server.ts";
import { GREY, type ScriptedServer } from "../support/peers/scripted_server.ts";
import { at, runInside } from "../support/programs/run_inside.ts";
import {
  type RunningProgram,
  runProgram,
  startProgram,
} from "../support/programs/running_program.ts";
import { witness } from "../support/programs/witness.ts";
import { pureTest } from "../support/pure_test.ts";
import { environmentOn, shownBy } from "../support/screens/players.ts";
import { XScreen } from "../support/screens/x_screen.ts";
import { PATIENCE } from "../support/time/patience.ts";
import { testWith } from "../support/test_if.ts";

const media = mediaFolder();
const test = testWith("Xvfb", "mpv");

const X264 = ["-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "250", "-c:a", "aac"];

const SOUND = { ...GREY, type: "audio", id: 1, sampleRate: 48_000, channels: 2 } as const;

pureTest(
  "ffplayArguments() hides what is for decoding only, turns, and plays at the speed that is asked for",
  () => {
    const filters = (
      how: { lead?: number; speed?: number; still?: boolean },
      rotation?: 90,
    ) => {
      const streams = [{ ...GREY, rotation }, SOUND];
      const args = ffplayArguments({
        ...{ live: false, encoding: "raw" },
        ...{ name: "x", streams, still: false, lead: 0, speed: 1 },
        ...how,
      });
      const valueOf = (flag: string) => args.includes(flag) ? args[args.indexOf(flag) + 1] : "";
      return [valueOf("-vf"), valueOf("-af")];
    };
    assertEquals(filters({}), ["", ""]);
    assertEquals(filters({ speed: 0 }), ["", ""]);
    const shown = "select=not(mod(pts\\,2))";
    assertEquals(filters({ lead: 3 }), [shown, ""]);
    assertEquals(filters({ lead: 2, speed: 4 }, 90), [
      `${shown},transpose=clock`,
      "atempo=2,atempo=2",
    ]);
    assertEquals(filters({ lead: 2, speed: 4, still: true }, 90), ["transpose=clock", ""]);
  },
);

pureTest("ffplayArguments() shows live video without sound when it comes", () => {
  const isAtOnce = (live: boolean, ...streams: StreamDescription[]) =>
    ffplayArguments({
      ...{ name: "x", streams, live, still: false, lead: 0, speed: 1, encoding: "raw" },
    })
      .join(" ").includes("-sync video -framedrop");
  assertEquals(isAtOnce(true, GREY), true);
  assertEquals([isAtOnce(true, GREY, SOUND), isAtOnce(false, GREY)], [false, false]);
});

function look(screen: XScreen, server: ScriptedServer, ...more: string[]): RunningProgram {
  const env = environmentOn(screen);
  const args = ["--video", "--encoding", "copy", "--view", "window", ...more, ...at(server)];
  return startProgram("client", args, { env });
}

test("WindowSink rotates pictures upright", async () => {
  const source = ["red", "blue"].flatMap((colour) => [
    ...["-f", "lavfi", "-i", `color=${colour}:size=128x48:rate=25:d=20`],
  ]);
  using _player = await shownBy("mpv");
  const path = await media.make("halves.mkv", [
    ...[...source, "-filter_complex", "vstack,format=gbrp", "-c:v", "ffv1"],
  ]);
  await using screen = await XScreen.start();
  await using server = await packetServer(path, { picture: { rotation: 90 } });
  await using client = look(screen, server);
  const limit = AbortSignal.timeout(PATIENCE);
  let seen: number[][] = [];
  const isSeen = () =>
    seen.length === 2 &&
    [[0, 0, 255], [255, 0, 0]].every((colour, place) =>
      colour.every((value, index) => Math.abs(value - seen[place][index]) < 12)
    );
  while (!isSeen()) {
    assert(!limit.aborted, `${seen.join("; ")} ${client.stderr.text}`);
    const [window] = (await screen.windows()).filter(({ title }) => title !== "");
    if (window === undefined) continue;
    // The top is on the right.
    seen = [await screen.colourAt(window, 20, 100), await screen.colourAt(window, 76, 100)];
  }
  client.kill("SIGINT");
  assertEquals((await client.ending()).code, 130);
});

/** Media of some seconds. */
function clip(seconds: number): Promise<string> {
  const sources = [...pictures({ seconds }), ...tone({ seconds })];
  return media.make(`${seconds}.mkv`, [...sources, ...X264, "-pix_fmt", "yuv420p"]);
}

/**
 * Shell commands that do with ffplay's arguments what ffplay does with them, but for the window:
 * FFmpeg tells of every picture and of all sound behind the filters.
 */
const SHOWN = [
  "vf=null; af=anull",
  'while [ $# -gt 0 ]; do case "$1" in -vf) vf="$2";; -af) af="$2";; -i) i="$2";; esac; shift; done',
  'exec ffmpeg -v error -y -copyts -f nut -i "$i" -vf "$vf" -af "$af" -fps_mode passthrough \\',
  '-c:a pcm_s16le -f framecrc "$SHOWN"',
].join("\n");

/** Length of the media in seconds, how it is played, and how long that takes by the timestamps. */
const LENGTHS = [
  { seconds: 8, begin: 7, flags: [], taken: 1 },
  { seconds: 16, begin: 0, flags: ["--speed", "8"], taken: 2 },
  { seconds: 1, begin: 0, flags: ["--speed", "0.25"], taken: 4 },
];

for (const { seconds, begin, flags, taken } of LENGTHS) {
  Deno.test(`WindowSink shows ${seconds} s from ${begin} s on ${flags.join(" ")}, all of it`, async () => {
    await using server = await packetServer(await clip(seconds), { begin });
    using _player = await shownBy("ffplay");
    await using ffplay = await witness("ffplay", { instead: SHOWN });
    const shown = media.pathOf(`${seconds} shown.txt`);
    const env = { PATH: ffplay.path, SHOWN: shown, DISPLAY: ":none" };
    const args = ["--video", "--encoding", "copy", "--view", "window", ...flags, ...at(server)];
    const { code, stderr } = await runProgram("client", args, { env });
    assertEquals(code, 0, stderr);
    const text = await Deno.readTextFile(shown);
    const spans = [0, 1].map((stream) => {
      const timeBase = new RegExp(`^#tb ${stream}: (\\d+)/(\\d+)$`, "m");
      const [numerator, denominator] = text.match(timeBase)?.slice(1).map(Number) ?? [];
      const rows = text.split("\n").filter((row) => row.startsWith(`${stream},`))
        .map((row) => row.split(",").map(Number));
      const [first, last] = [rows[0][2], rows[rows.length - 1][2]];
      return { count: rows.length, seconds: (last - first) * numerator / denominator };
    });
    assertEquals(spans[0].count, 25 * (seconds - begin));
    // From the first to the last that begins.
    assertAlmostEquals(spans[0].seconds, taken - taken / spans[0].count, 0.05);
    assertAlmostEquals(spans[1].seconds, taken, 0.15);
  });
}

test("WindowSink plays in slow motion", async () => {
  using _player = await shownBy("mpv");
  const path = await clip(1);
  await using screen = await XScreen.start();
  await using server = await packetServer(path);
  const began = performance.now();
  await using client = look(screen, server, "--speed", "0.25");
  const { code, stderr } = await client.ending();
  assertEquals(code, 0, stderr);
  // However busy the machine is, it cannot be quicker.
  assertGreater(performance.now() - began, 3800);
});

Deno.test("TerminalSink rotates pictures, and shows none from before the beginning", async () => {
  const path = await media.make("change.mp4", [
    ...["-f", "lavfi", "-i", "color=red:s=32x96:r=25:d=1"],
    ...["-f", "lavfi", "-i", "color=blue:s=32x96:r=25:d=0.2"],
    ...["-filter_complex", "concat", ...X264, "-pix_fmt", "yuv420p", "-sc_threshold", "0"],
  ]);
  await using server = await packetServer(path, { begin: 1, picture: { rotation: 270 } });
  const { status, stdout } = await runInside(
    ["--video", "--encoding", "copy", "--view", "terminal", ...at(server)],
    { environment: { stdoutIsTerminal: true } },
  );
  assertEquals(status, 0);
  assertMatch(stdout, /38;2;\d;\d;25\d;/);
  assertEquals(/38;2;2[45]\d;/.test(stdout), false, "red is shown");
  // The picture is three times as wide as high, a cell half as wide as high.
  const [drawing] = stdout.split("\x1b[H").slice(1);
  const rows = drawing.split(";1H").map((row) => row.match(/▀/g)?.length ?? 0)
    .filter((cells) => cells > 0);
  assertEquals([rows.length, rows[0]], [13, 80]);
});

Deno.test("PipeSink passes on reordered packets with their timestamps", async () => {
  const path = await media.make("b frames.mp4", [
    ...[...pictures({ rate: "30000/1001" }), ...tone(), ...X264, "-pix_fmt", "yuv420p"],
  ]);
  await using server = await packetServer(path, { begin: 0.5 });
  const args = ["--video", "--encoding", "copy", "--output", "-", ...at(server)];
  const { status, bytes } = await runInside(args);
  assertEquals(status, 0);
  const nut = await media.write("b frames.nut", bytes);
  const md5 = async (of: string) =>
    (await decodedBy(of, { stream: "V:0" })).map(({ md5 }) => md5).join();
  assertEquals(await md5(nut), await md5(path));
  const raw = ["-map", "0:a:0", "-f", "md5"];
  // MP4 stores which samples to skip at the beginning; NUT does not.
  const plain = await media.make("plain.nut", ["-i", `file:${path}`, "-c", "copy"]);
  assertEquals(await decodedBytes(nut, raw), await decodedBytes(plain, raw));
  const steps = async (of: string) => {
    const times = (await decodedBy(of, { stream: "V:0" })).map(({ time }) => {
      const [numerator, denominator] = time.split("/").map(Number);
      return numerator / denominator;
    });
    return times.map((time) => (time - times[0]).toFixed(4)).join();
  };
  assertEquals(await steps(nut), await steps(path));
});
