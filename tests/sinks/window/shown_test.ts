/** Going about in what a window of mpv shows, by keys that are pressed in it. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { deadline } from "../../../lib/base/async.ts";
import { mediaFolder } from "../../support/media/media_folder.ts";
import {
  describe,
  end,
  frame,
  say,
  ScriptedServer,
  signsOfLife,
} from "../../support/peers/scripted_server.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { at } from "../../support/programs/run_inside.ts";
import { type RunningProgram, startProgram } from "../../support/programs/running_program.ts";
import { environmentOn, shownBy } from "../../support/screens/players.ts";
import { type ScreenWindow, XScreen } from "../../support/screens/x_screen.ts";
import { PATIENCE } from "../../support/time/patience.ts";
import { testWith } from "../../support/test_if.ts";

const media = mediaFolder();
const test = testWith("Xvfb", "mpv");

/** Milliseconds from one look at a window to the next. */
const LOOK_INTERVAL = 10;

/** X symbols of keys (keysymdef.h). */
const [SPACE, LEFT, UP, RIGHT, NUM_LOCK, ESC] = [0x20, 0xff51, 0xff52, 0xff53, 0xff7f, 0xff1b];
const [F, Q, S] = [0x66, 0x71, 0x73];

/** The right button of the mouse. */
const RIGHT_BUTTON = 3;

/** How much redder each second is. */
const STEP = 6;

/** Options of each codec that keep colours, with one keyframe only. */
const CODECS = {
  ffv1: ["-c:v", "ffv1"],
  h264: ["-c:v", "libx264rgb", "-qp", "2", "-preset", "veryfast", "-bf", "2", "-g", "9999"],
};

/** Media of 40 seconds, each of which has its own colour, with sound. */
async function seconds(codec: keyof typeof CODECS): Promise<string> {
  const name = `${codec}.mkv`;
  await media.make(name, [
    ...["-f", "lavfi", "-i", "color=black:size=64x48:rate=10:d=40"],
    ...["-f", "lavfi", "-i", "sine=440:d=40"],
    ...["-vf", `format=gbrp,geq=r=${STEP}*floor(T):g=200:b=100`],
    ...[...CODECS[codec], "-sc_threshold", "0", "-c:a", codec === "ffv1" ? "pcm_s16le" : "aac"],
  ]);
  return name;
}

/** A client with its window, on a screen of its own. */
class Watched implements AsyncDisposable {
  readonly screen: XScreen;
  readonly client: RunningProgram;
  #player: Disposable;
  /** Seconds shown so far, each once in a row. */
  readonly seen: number[] = [];
  #window: ScreenWindow | undefined;

  private constructor(screen: XScreen, client: RunningProgram, player: Disposable) {
    this.screen = screen;
    this.client = client;
    this.#player = player;
  }

  static async start(args: readonly string[]): Promise<Watched> {
    const player = await shownBy("mpv");
    const screen = await XScreen.start();
    const env = environmentOn(screen);
    const client = startProgram("client", [...args, "--view", "window"], { env });
    return new Watched(screen, client, player);
  }

  /** The window that shows. */
  get window(): ScreenWindow {
    assert(this.#window !== undefined);
    return this.#window;
  }

  /** Waits until a colour shows that is wanted. */
  async untilColour(isWanted: (colour: readonly number[]) => boolean): Promise<void> {
    const limit = AbortSignal.timeout(PATIENCE);
    while (!limit.aborted) {
      // mpv makes a window for each output that it tries.
      for (const window of await this.screen.windows()) {
        const colour = await this.screen.colourAt(window, 20, 20);
        if (colour.length === 0 || !isWanted(colour)) continue;
        this.#window = window;
        return;
      }
      // Looking all the time would take the machine from what is looked at.
      await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL));
    }
    throw new Error(`Cannot see what is wanted: ${this.seen}; ${this.client.stderr.text}`);
  }

  /** Waits until a second shows that is wanted. */
  async until(isWanted: (second: number) => boolean): Promise<void> {
    await this.untilColour(([red, green, blue]) => {
      if (Math.abs(green - 200) > 8 || Math.abs(blue - 100) > 8) return false;
      const second = Math.round(red / STEP);
      if (this.seen.at(-1) !== second) this.seen.push(second);
      return isWanted(second);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
    await this.screen[Symbol.asyncDispose]();
    this.#player[Symbol.dispose]();
  }
}

for (const [codec, flags] of [["ffv1", []], ["h264", ["--encoding", "copy"]]] as const) {
  test(`WindowSink seeks by its keys, in the same window, with ${codec}`, async () => {
    const name = await seconds(codec);
    await using server = await testServer({ media: media.path });
    await using watched = await Watched.start(["--video", name, ...flags, ...at(server)]);
    const { screen, seen, client } = watched;
    await watched.until((second) => second >= 1);
    const { id } = watched.window;
    // It stays locked from now on.
    await screen.press(RIGHT, { held: [NUM_LOCK] });
    await watched.until((second) => second > (seen.at(-2) ?? second) + 5);
    const [before, first] = seen.slice(-2);
    // Nothing is shown of the seconds before, which have to be decoded for it. What was shown last
    // may be behind what had come, and is so where the machine is busy.
    assert(first >= before + 6 && first <= before + 20, `${seen}`);
    await watched.until((second) => second >= first + 2);
    await screen.press(LEFT);
    await watched.until((second) => second < (seen.at(-2) ?? 0));
    const [last, back] = seen.slice(-2);
    assert(back >= last - 13 && back <= last - 4, `${seen}`);
    await watched.until((second) => second >= back + 2);
    await screen.press(UP);
    await watched.until((second) => second >= 38);
    assertEquals(watched.window.id, id);
    // Until the end, and no further.
    const { code, stderr } = await client.ending();
    assertEquals(code, 0, stderr);
    assertMatch(stderr, /^Received \d+ frames in [^\n]+\n$/);
    assertEquals(server.lines.filter((line) => / error /.test(line)), []);
  });
}

test("WindowSink ends both sides cleanly at q, and leaves no process", async () => {
  const name = await seconds("ffv1");
  await using server = await testServer({ media: media.path });
  await using watched = await Watched.start(["--video", name, ...at(server)]);
  await watched.until((second) => second >= 0);
  await watched.screen.focus(watched.window);
  await watched.screen.press(Q);
  const { code, stderr } = await watched.client.ending();
  assertEquals(code, 0, stderr);
  assertMatch(stderr, /^Received \d+ frames in [^\n]+\n$/);
  assert(
    server.lines.some((line) =>
      / info .* request ends .*name=ffv1\.mkv .*result=(done|stopped) /.test(line)
    ),
  );
});

/**
 * A server that sends one picture and reports the controls it gets; it ends its response cleanly.
 */
function listeningServer(): {
  server: ScriptedServer;
  untilAsked: (count: number) => Promise<void>;
  asked: string[];
} {
  const asked: string[] = [];
  let news = Promise.withResolvers<void>();
  const server = new ScriptedServer(async (peer) => {
    const [width, height] = [64, 48];
    const pictures = [0, 1].map((at) => frame(at, { size: width * height, value: 77 }));
    await say(peer, describe({ width, height }), ...pictures);
    using _signs = signsOfLife(peer);
    const chunk = new Uint8Array(65536);
    for (let count; (count = await peer.read(chunk)) !== null;) {
      const text = new TextDecoder("latin1").decode(chunk.subarray(0, count));
      asked.push(...[...text.matchAll(/"action":"(\w+)"/g)].map(([, action]) => action));
      news.resolve();
      news = Promise.withResolvers();
      if (asked.includes("stop")) await say(peer, end());
    }
  });
  const untilAsked = async (count: number) => {
    const late = Promise.withResolvers<never>();
    using _limit = deadline(PATIENCE, () => late.reject(new Error(`Only asked to: ${asked}`)));
    while (asked.length < count) await Promise.race([news.promise, late.promise]);
  };
  return { server, untilAsked, asked };
}

/** Whether it is the one picture of a {@linkcode listeningServer}. */
function isGrey(colour: readonly number[]): boolean {
  return colour.every((value) => Math.abs(value - 77) < 20) && new Set(colour).size === 1;
}

test("WindowSink pauses and resumes by the space bar, and ignores other keys of mpv", async () => {
  const { server, untilAsked, asked } = listeningServer();
  await using _server = server;
  await using watched = await Watched.start(["--video", ...at(server)]);
  const { screen, client } = watched;
  await watched.untilColour(isGrey);
  await screen.press(SPACE);
  await untilAsked(1);
  await screen.press(S);
  await screen.click(RIGHT_BUTTON);
  await screen.press(SPACE);
  await untilAsked(2);
  await screen.press(Q);
  const { code, stderr } = await client.ending();
  assertEquals([code, asked], [0, ["pause", "resume", "stop"]], stderr);
});

for (const state of ["nothing comes", "it pauses"]) {
  test(`WindowSink ends both sides when it is closed while ${state}`, async () => {
    const { server, untilAsked, asked } = listeningServer();
    await using _server = server;
    await using watched = await Watched.start(["--video", ...at(server)]);
    await watched.untilColour(isGrey);
    if (state === "it pauses") {
      await watched.screen.press(SPACE);
      await untilAsked(1);
    }
    await watched.screen.close(watched.window);
    const { code, stderr } = await watched.client.ending();
    assertEquals([code, asked.at(-1)], [0, "stop"], stderr);
    assertMatch(stderr, /^Received 2 frames in [^\n]+\n$/);
  });
}

test("WindowSink closes a still at q", async () => {
  await media.make("still.png", [
    "-f",
    "lavfi",
    "-i",
    "color=0x00C864:size=64x48",
    "-frames:v",
    "1",
  ]);
  await using server = await testServer({ media: media.path });
  await using watched = await Watched.start(["--image", "still.png", ...at(server)]);
  await watched.until((second) => second === 0);
  await watched.screen.press(Q);
  const { code, stderr } = await watched.client.ending();
  assertEquals(code, 0, stderr);
  assertMatch(stderr, /^Received 1 picture in [^\n]+\n$/);
});

test("WindowSink covers the screen at f, leaves that at Esc, and ends at the next one", async () => {
  const { server, untilAsked, asked } = listeningServer();
  await using _server = server;
  await using watched = await Watched.start(["--video", ...at(server)]);
  const { screen, client } = watched;
  await watched.untilColour(isGrey);
  const untilWide = async (isWide: boolean) => {
    const limit = AbortSignal.timeout(PATIENCE);
    // Beside the picture, which is 64 pixels wide.
    const isCovered = async () => (await screen.colourAt(watched.window, 200, 100)).length > 0;
    while (await isCovered() !== isWide) {
      limit.throwIfAborted();
      await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL));
    }
  };
  await untilWide(false);
  await screen.press(F);
  await untilWide(true);
  await screen.press(ESC);
  await untilWide(false);
  await screen.press(ESC);
  await untilAsked(1);
  const { code, stderr } = await client.ending();
  assertEquals([code, asked], [0, ["stop"]], stderr);
});

test("WindowSink shows at once what is sought in a pause", async () => {
  const name = await seconds("ffv1");
  await using server = await testServer({ media: media.path });
  await using watched = await Watched.start(["--video", name, ...at(server)]);
  const { screen, seen, client } = watched;
  await watched.until((second) => second >= 1);
  await screen.press(SPACE);
  await screen.press(RIGHT);
  await watched.until((second) => second >= 11);
  const [first] = seen.slice(-1);
  await screen.press(SPACE);
  await watched.until((second) => second > first);
  const next = seen.at(-1) ?? 0;
  assert(seen.at(-2) === first && next <= first + 5, `${seen}`);
  client.kill("SIGINT");
  assertEquals((await client.ending()).code, 130);
});
