import { assertAlmostEquals, assertEquals } from "@std/assert";
import { InstalledFfmpeg } from "../../../lib/ffmpeg/version.ts";
import type { VideoStream } from "../../../lib/media/frame.ts";
import { hasMpv, mpvArguments } from "../../../lib/sinks/window/mpv.ts";
import type { WindowPresentation } from "../../../lib/sinks/window/player.ts";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";
import { packetServer } from "../../support/peers/packet_server.ts";
import { GREY } from "../../support/peers/scripted_server.ts";
import { printedBy } from "../../support/programs/machine.ts";
import { at } from "../../support/programs/run_inside.ts";
import { runProgram } from "../../support/programs/running_program.ts";
import { standIn } from "../../support/programs/stand_in.ts";
import { pureTest } from "../../support/pure_test.ts";
import { testWith } from "../../support/test_if.ts";

const media = mediaFolder();

const SOUND = { ...GREY, type: "audio", id: 1, sampleRate: 48_000, channels: 2 } as const;

/** The arguments for a presentation that differ from those for all media. */
function argumentsFor(fields: Partial<WindowPresentation> = {}): string[] {
  const usual = { name: "x", still: false, lead: 0, speed: 1, live: false } as const;
  return mpvArguments({ ...usual, streams: [GREY, SOUND], encoding: "raw", ...fields }, "x11");
}

/** The filters for a video. */
function filtersFor(
  video: Partial<VideoStream>,
  fields: Partial<WindowPresentation> = {},
): string | undefined {
  const streams = [{ ...GREY, pixelFormat: "yuv420p", ...video }];
  return argumentsFor({ streams, ...fields }).find((argument) => argument.startsWith("--vf="));
}

pureTest("mpvArguments() states the colours, hides what is for decoding only, and turns", () => {
  assertEquals(filtersFor({}), undefined);
  assertEquals(filtersFor({ pixelFormat: "gray" }), "--vf=format=colorlevels=full");
  assertEquals(
    filtersFor({ colorRange: "tv", colorSpace: "bt2020nc" }),
    "--vf=format=colormatrix=bt.2020-ncl:colorlevels=limited",
  );
  const hidden = "select=not(mod(pts\\,2))";
  assertEquals(filtersFor({ rotation: 90 }, { lead: 2 }), `--vf=lavfi=[${hidden},transpose=clock]`);
  assertEquals(filtersFor({ rotation: 180 }, { lead: 2, still: true }), "--vf=lavfi=[hflip,vflip]");
});

pureTest("mpvArguments() shows live video without sound when it comes", () => {
  const isAtOnce = (fields: Partial<WindowPresentation>) =>
    argumentsFor(fields).includes("--untimed");
  assertEquals(isAtOnce({ live: true, streams: [GREY] }), true);
  assertEquals([isAtOnce({ live: true }), isAtOnce({ streams: [GREY] })], [false, false]);
});

pureTest("mpvArguments() takes speed, stills, names and sound alone as they are", () => {
  const has = (argument: string, fields: Partial<WindowPresentation>) =>
    argumentsFor(fields).includes(argument);
  assertEquals(has("--speed=2", { speed: 2 }), true);
  assertEquals([1, 0].map((speed) => has("--speed=1", { speed })), [false, false]);
  assertEquals([true, false].map((still) => has("--keep-open=yes", { still })), [true, false]);
  assertEquals(has("--title=$>a ${pid}?", { name: "a ${pid}\n" }), true);
  assertEquals(has("--force-window=yes", { streams: [SOUND] }), true);
  assertEquals(has("--force-window=yes", {}), false);
});

testWith("mpv")("hasMpv() is true if mpv takes the arguments, which mpv does", async () => {
  await using installed = new InstalledFfmpeg();
  assertEquals(await hasMpv(installed, "x11"), true);
  assertEquals(await hasMpv(installed, "native"), true);
});

Deno.test("hasMpv() is false if mpv refuses an argument", async () => {
  using _mpv = await standIn("mpv", 'case "$*" in *--osc=no*) exit 1;; esac');
  await using installed = new InstalledFfmpeg();
  assertEquals(await hasMpv(installed, "x11"), false);
});

/** Samples per second of the sound, of both channels. */
const SAMPLE_RATE = 2 * 48_000;

/** Length of the media in seconds, where and how it is played, and how long that takes. */
const LENGTHS = [
  { seconds: 8, begin: 7, flags: [], taken: 1 },
  { seconds: 16, begin: 0, flags: ["--speed", "8"], taken: 2 },
  { seconds: 1, begin: 0, flags: ["--speed", "0.25"], taken: 4 },
];

for (const { seconds, begin, flags, taken } of LENGTHS) {
  const how = `${seconds} s from ${begin} s on ${flags.join(" ")}`;
  testWith("mpv")(`openMpv() shows ${how}, all of it, in sync`, async () => {
    const sources = [...pictures({ seconds }), ...tone({ seconds })];
    const codecs = [
      "-c:v",
      "libx264",
      "-preset",
      "veryfast",
      "-bf",
      "2",
      "-g",
      "250",
      "-c:a",
      "aac",
    ];
    const path = await media.make(`${seconds}.mkv`, [...sources, ...codecs, "-pix_fmt", "yuv420p"]);
    await using server = await packetServer(path, { begin });
    // It writes what it would show. Newer ones ask for outputs that fit.
    const written = '--o="$SHOWN" --of=nut --oac=pcm_s16le --ovc=rawvideo --vo=lavc --ao=lavc';
    using _mpv = await standIn("mpv", `exec "$REAL" "$@" ${written}`);
    const shown = media.pathOf(`${seconds} shown.nut`);
    const args = ["--video", "--encoding", "copy", "--view", "window", ...flags, ...at(server)];
    const { code, stderr } = await runProgram("client", args, {
      env: { SHOWN: shown, DISPLAY: ":none" },
    });
    assertEquals(code, 0, stderr);
    const entries = ["-show_entries", "packet=codec_type,pts_time,size", "-of", "csv=p=0"];
    const text = await printedBy("ffprobe", ["-v", "error", ...entries, shown]);
    const packets = text.trim().split("\n").map((line) => line.split(","));
    const [video, audio] = ["video", "audio"].map((type) =>
      packets.filter(([kind]) => kind === type)
    );
    assertEquals(video.length, 25 * (seconds - begin));
    for (const [[, first]] of [video, audio]) assertAlmostEquals(Number(first), 0, 0.1);
    const samples = audio.reduce((sum, [, , size]) => sum + Number(size) / 2, 0);
    assertAlmostEquals(samples / SAMPLE_RATE, taken, 0.15);
  });
}
