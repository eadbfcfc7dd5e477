/** Views of a source that changes its size: terminal and window go on by themselves. */
import { assertEquals } from "@std/assert";
import { Camera } from "../support/peers/camera.ts";
import { LiveServer } from "../support/peers/changing_source.ts";
import { rawStream } from "../support/peers/test_publisher.ts";
import { isInstalled } from "../support/programs/machine.ts";
import { at } from "../support/programs/run_inside.ts";
import { startProgram } from "../support/programs/running_program.ts";
import { environmentOn, shownBy } from "../support/screens/players.ts";
import { Terminal } from "../support/screens/tmux.ts";
import { XScreen } from "../support/screens/x_screen.ts";
import { PATIENCE } from "../support/time/patience.ts";
import { testWith } from "../support/test_if.ts";

const NO_TMUX = !isInstalled("tmux");

/** Milliseconds from one look at a window to the next. */
const LOOK_INTERVAL = 20;

/** Publishes grey pictures of one level until the result is disposed. */
async function film(
  { publisher }: LiveServer,
  { width, height, level, from = 0 }: {
    width: number;
    height: number;
    level: number;
    from?: number;
  },
): Promise<Camera> {
  await publisher.describe(rawStream(width, height));
  const data = new Uint8Array(width * height).fill(level);
  return new Camera(publisher, () => ({ data }), { from });
}

for (const flags of [[], ["--encoding", "mjpeg"]]) {
  Deno.test({
    name: `TerminalSink goes on with another size ${flags}${NO_TMUX ? " (ignored: no tmux)" : ""}`,
    ignore: NO_TMUX,
    async fn() {
      await using source = await LiveServer.start();
      const args = ["--video", "cam", ...flags, "--view", "terminal", ...at(source.server)];
      await using terminal = await Terminal.start(args);
      const untilDrawn = async (level: number, isWhole: (size: number[]) => boolean) => {
        const isDrawn = ({ background }: { background?: number[] }) =>
          background?.length === 3 && background.every((value) => Math.abs(value - level) < 12);
        // A terminal may be looked at while it draws.
        await terminal.untilCells((cells) => {
          const rows = cells.filter((row) => row.some(isDrawn));
          return isWhole([rows[0]?.filter(isDrawn).length ?? 0, rows.length]);
        });
      };
      await using square = await film(source, { width: 64, height: 64, level: 60 });
      await untilDrawn(60, ([columns, rows]) => columns === 22 && rows === 11);
      const from = await square.stop();
      await using wide = await film(source, { width: 160, height: 20, level: 200, from });
      await untilDrawn(200, ([columns, rows]) => columns === 80 && rows <= 6);
      // Nothing of the picture before it is left.
      await untilDrawn(60, ([columns]) => columns === 0);
      await wide.stop();
      await source.publisher.finish();
      await terminal.over();
      assertEquals((await terminal.text()).includes("status 0"), true);
    },
  });
}

testWith("Xvfb", "mpv")("WindowSink changes its size with the source", async () => {
  using _player = await shownBy("mpv");
  await using source = await LiveServer.start();
  await using screen = await XScreen.start();
  const env = environmentOn(screen);
  const args = ["--video", "cam", "--view", "window", ...at(source.server)];
  await using client = startProgram("client", args, { env });
  const untilSeen = async (width: number, height: number, level: number) => {
    const limit = AbortSignal.timeout(PATIENCE);
    while (!limit.aborted) {
      for (const window of await screen.windows()) {
        const colour = await screen.colourAt(window, width - 2, height - 2);
        const isRight = colour.length > 0 && colour.every((value) => Math.abs(value - level) < 20);
        const right = await screen.colourAt(window, width + 2, 2);
        const below = await screen.colourAt(window, 2, height + 2);
        if (isRight && right.length + below.length === 0) return;
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL));
    }
    throw new Error(`Cannot see ${width}x${height}: ${client.stderr.text}`);
  };
  await using small = await film(source, { width: 160, height: 120, level: 60 });
  await untilSeen(160, 120, 60);
  const from = await small.stop();
  await using large = await film(source, { width: 240, height: 100, level: 200, from });
  await untilSeen(240, 100, 200);
  await large.stop();
  await source.publisher.finish();
  const { code, stderr } = await client.ending();
  assertEquals(code, 0, stderr);
});
