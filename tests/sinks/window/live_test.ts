/** Live pictures in a window of mpv: when they show, and in which colours. */
import { assertEquals } from "@std/assert";
import { run } from "../../support/media/media_folder.ts";
import { LiveServer } from "../../support/peers/changing_source.ts";
import { rawStream, type StreamFields } from "../../support/peers/test_publisher.ts";
import { at } from "../../support/programs/run_inside.ts";
import { type RunningProgram, startProgram } from "../../support/programs/running_program.ts";
import { environmentOn, shownBy } from "../../support/screens/players.ts";
import { XScreen } from "../../support/screens/x_screen.ts";
import { testWith } from "../../support/test_if.ts";
import { PATIENCE } from "../../support/time/patience.ts";

const test = testWith("Xvfb", "mpv");

/** Milliseconds from one look at a window to the next. */
const LOOK_INTERVAL = 20;

/** Looks after which a picture is sent once more. */
const LOOKS = 100;

/** Size of all pictures, pixels. */
const [WIDTH, HEIGHT] = [64, 48];

/** A client that watches `cam` in a window. */
class Viewer implements AsyncDisposable {
  readonly source: LiveServer;
  readonly client: RunningProgram;
  #screen: XScreen;
  #player: Disposable;

  private constructor(
    source: LiveServer,
    screen: XScreen,
    player: Disposable,
    flags: readonly string[],
  ) {
    this.source = source;
    this.#screen = screen;
    this.#player = player;
    const args = ["--video", "cam", "--view", "window", ...flags, ...at(source.server)];
    this.client = startProgram("client", args, { env: environmentOn(screen) });
  }

  static async start(...flags: string[]): Promise<Viewer> {
    // mpv's output for X11 without OpenGL may send a picture to the screen only with the next one.
    const player = await shownBy("mpv", "--gpu-sw=yes");
    return new Viewer(await LiveServer.start(), await XScreen.start(), player, flags);
  }

  /**
   * Waits until a window shows a colour.
   *
   * @param again sends the picture once more, now and then: on a busy machine mpv may wait for a
   * second one before it begins
   */
  async until(expected: readonly number[], again?: () => Promise<void>): Promise<void> {
    const limit = AbortSignal.timeout(PATIENCE);
    let seen: number[] = [];
    for (let looks = 1; !limit.aborted; looks++) {
      if (looks % LOOKS === 0) await again?.();
      const window = (await this.#screen.windows()).find(({ title }) => title === "cam");
      if (window !== undefined) seen = await this.#screen.colourAt(window, 20, 20);
      const isNear = seen.length > 0 &&
        seen.every((value, index) => Math.abs(value - expected[index]) < 4);
      if (isNear) return;
      await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL));
    }
    throw new Error(`Cannot see ${expected}: ${seen}; ${this.client.stderr.text}`);
  }

  /** Ends the source, and waits until the client has ended. */
  async end(): Promise<void> {
    await this.source.publisher.finish();
    const { code, stderr } = await this.client.ending();
    assertEquals(code, 0, stderr);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
    await this.#screen[Symbol.asyncDispose]();
    await this.source[Symbol.asyncDispose]();
    this.#player[Symbol.dispose]();
  }
}

test("WindowSink shows a live picture before the next one comes", async () => {
  await using viewer = await Viewer.start();
  const { publisher } = viewer.source;
  await publisher.asked("resume");
  await publisher.describe(rawStream(WIDTH, HEIGHT));
  let timestamp = 0;
  for (const level of [40, 200, 90]) {
    const data = new Uint8Array(WIDTH * HEIGHT).fill(level);
    const send = () => publisher.send({ timestamp: timestamp += 40, data });
    await send();
    await viewer.until([level, level, level], level === 40 ? send : undefined);
  }
  await viewer.end();
});

/** Formats, the samples of a pixel, and its colour. */
const FORMATS: readonly [fields: StreamFields, pixel: number[], colour: number[]][] = [
  [{ pixelFormat: "gray" }, [32], [32, 32, 32]],
  [{ pixelFormat: "gray16le" }, [0, 32], [32, 32, 32]],
  [{ pixelFormat: "rgb24" }, [200, 100, 50], [200, 100, 50]],
  [{ pixelFormat: "bgra" }, [50, 100, 200, 255], [200, 100, 50]],
  [{ pixelFormat: "grayf32le" }, [0, 0, 0, 63], [128, 128, 128]],
];

test("WindowSink shows raw formats in their colours", async () => {
  await using viewer = await Viewer.start();
  const { publisher } = viewer.source;
  await publisher.asked("resume");
  let timestamp = 0;
  for (const [fields, pixel, colour] of FORMATS) {
    await publisher.describe({ ...rawStream(WIDTH, HEIGHT), ...fields });
    const data = new Uint8Array(WIDTH * HEIGHT * pixel.length)
      .map((_, at) => pixel[at % pixel.length]);
    const send = () => publisher.send({ timestamp: timestamp += 40, data });
    await send();
    await viewer.until(colour, send);
  }
  await viewer.end();
});

/** A JPEG of one colour. */
function jpeg(colour: string): Promise<Uint8Array<ArrayBuffer>> {
  return run("ffmpeg", [
    ...["-f", "lavfi", "-i", `color=${colour}:size=${WIDTH}x${HEIGHT},format=yuvj444p`],
    ...["-frames:v", "1", "-c:v", "mjpeg", "-q:v", "2", "-f", "image2pipe", "pipe:1"],
  ]);
}

test("WindowSink goes on behind damaged pictures", async () => {
  await using viewer = await Viewer.start("--encoding", "copy");
  const { publisher } = viewer.source;
  await publisher.asked("resume");
  await publisher.describe({ ...rawStream(WIDTH, HEIGHT, "yuvj444p"), codec: "mjpeg" });
  const [first, last] = [await jpeg("0x204080"), await jpeg("0x802040")];
  let timestamp = 0;
  const send = (data: Uint8Array<ArrayBuffer>) =>
    publisher.send({ timestamp: timestamp += 40, data });
  await send(first);
  await viewer.until([32, 64, 128], () => send(first));
  await send(first.subarray(0, first.byteLength / 2));
  await send(new Uint8Array(100).fill(77));
  await send(last);
  await viewer.until([128, 32, 64]);
  await viewer.end();
});
