/** Text below and over the picture in a window. */
import { assert, assertEquals } from "@std/assert";
import { InstalledFfmpeg } from "../../../lib/ffmpeg/version.ts";
import type { Presentation } from "../../../lib/sinks/sink.ts";
import { findPlayer, WindowSink } from "../../../lib/sinks/window/window.ts";
import { GREY } from "../../support/peers/scripted_server.ts";
import { shownBy } from "../../support/screens/players.ts";
import { type ScreenWindow, XScreen } from "../../support/screens/x_screen.ts";
import { testWith } from "../../support/test_if.ts";
import { PATIENCE } from "../../support/time/patience.ts";

/** Milliseconds from one look at the window to the next. */
const LOOK_INTERVAL = 20;

/** Size of the picture, pixels. */
const [WIDTH, HEIGHT] = [320, 240];

/** Points where the letters of a line of subtitles are, and those of a brief text. */
const [BELOW, ABOVE] = [[222, 226, 230], [12, 16, 20]].map((lines) =>
  lines.flatMap((y) => Array.from({ length: 40 }, (_, at) => [120 + 2 * at, y] as const))
);

/** The presentation of a grey picture. */
const PRESENTATION: Presentation = {
  ...{ name: "text", streams: [{ ...GREY, width: WIDTH, height: HEIGHT }], still: false },
  ...{ encoding: "raw", live: true, speed: 1, lead: 0, firstPicture: 0 },
};

/** Sets DISPLAY for this process, until the result is disposed. */
function useScreen({ display }: XScreen): Disposable {
  const before = Deno.env.get("DISPLAY");
  Deno.env.set("DISPLAY", display);
  return {
    [Symbol.dispose]() {
      if (before === undefined) Deno.env.delete("DISPLAY");
      else Deno.env.set("DISPLAY", before);
    },
  };
}

async function coloursOf(
  screen: XScreen,
  window: ScreenWindow,
  points: readonly (readonly [x: number, y: number])[],
): Promise<number[][]> {
  const colours: number[][] = [];
  for (const [x, y] of points) colours.push(await screen.colourAt(window, x, y));
  return colours;
}

testWith("Xvfb", "mpv")("WindowSink shows subtitles, and brief texts", async () => {
  using _player = await shownBy("mpv");
  await using screen = await XScreen.start();
  using _display = useScreen(screen);
  await using installed = new InstalledFfmpeg();
  const { signal } = new AbortController();
  const player = findPlayer(installed, "x11");
  await using sink = new WindowSink({ screen: "x11", signal, player });
  await sink.begin(PRESENTATION);
  let timestamp = 0;
  /** Shows pictures of a time until text is seen, or none. */
  const until = async (time: number, isWanted: boolean, brief = "") => {
    timestamp = Math.max(timestamp, 25 * time);
    const limit = AbortSignal.timeout(PATIENCE);
    while (!limit.aborted) {
      const data = new Uint8Array(WIDTH * HEIGHT).fill(100);
      assertEquals(await sink.show({ streamId: 0, timestamp, keyframe: true, data }), true);
      timestamp++;
      // On a busy machine, a look may take as long as such a text shows.
      if (brief !== "") sink.showBriefly(brief);
      await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL));
      const window = (await screen.windows()).find(({ title }) => title === "text");
      if (window === undefined) continue;
      const colours = await coloursOf(screen, window, brief === "" ? BELOW : ABOVE);
      const isSeen = colours.some(([red]) => red > 200);
      // The edge of a text may be black, and so is a window without a picture.
      if (isWanted ? isSeen : !isSeen && colours.every(([red]) => red > 0)) return;
    }
    throw new Error(`Cannot see that there is ${isWanted ? "text" : "no text"}`);
  };
  await until(0, false);
  sink.subtitle("MMMMMM", 100, 200);
  await until(100, true);
  await until(200, false);
  sink.subtitle("MMMMMM", 300, 400);
  await until(300, true);
  await sink.jump(500);
  await until(500, false);
  await until(500, true, "MMMMMMMMMMMMMMMM");
});

testWith("Xvfb", "mpv")("WindowSink shows no subtitle before its picture", async () => {
  using _player = await shownBy("mpv");
  await using screen = await XScreen.start();
  using _display = useScreen(screen);
  await using installed = new InstalledFfmpeg();
  const { signal } = new AbortController();
  const player = findPlayer(installed, "x11");
  await using sink = new WindowSink({ screen: "x11", signal, player });
  await sink.begin({ ...PRESENTATION, live: false });
  sink.subtitle("MMMMMM", 1.5, 3);
  // They all come before the first one shows; each is lighter than the one before.
  for (let timestamp = 0; timestamp < 75; timestamp++) {
    const data = new Uint8Array(WIDTH * HEIGHT).fill(50 + timestamp);
    await sink.show({ streamId: 0, timestamp, keyframe: true, data });
  }
  const limit = AbortSignal.timeout(PATIENCE);
  while (true) {
    limit.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL));
    const window = (await screen.windows()).find(({ title }) => title === "text");
    if (window === undefined) continue;
    const isSeen = (await coloursOf(screen, window, BELOW)).some(([red]) => red > 200);
    const [[shade]] = await coloursOf(screen, window, [[10, 10]]);
    // That of 1.5 seconds is 87, give or take a little.
    if (isSeen) return assert(shade >= 83, `Seen with ${shade}`);
  }
});

testWith("Xvfb", "ffplay")("WindowSink says once that ffplay shows no subtitles", async () => {
  using _player = await shownBy("ffplay");
  await using screen = await XScreen.start();
  using _display = useScreen(screen);
  await using installed = new InstalledFfmpeg();
  const { signal } = new AbortController();
  const lines: string[] = [];
  await using sink = new WindowSink({
    ...{ screen: "x11", signal, player: findPlayer(installed, "x11") },
    notify: (line) => void lines.push(line),
  });
  await sink.begin(PRESENTATION);
  sink.subtitle("one", 0, 1);
  sink.subtitle("two", 1, 2);
  sink.showBriefly("00:00.0");
  assertEquals(lines, ["Subtitles are not shown: a window of ffplay has none, one of mpv does"]);
});
