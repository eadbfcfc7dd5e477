/** JPEGs and arrays of scripts that connect, in a window and in a terminal. */
import { assertEquals, assertMatch } from "@std/assert";
import { run } from "../../support/media/media_folder.ts";
import { framed, pickled, push } from "../../support/peers/script_sender.ts";
import { say } from "../../support/peers/scripted_server.ts";
import { ListeningClient } from "../../support/programs/listening_client.ts";
import { type RunningProgram, startProgram } from "../../support/programs/running_program.ts";
import { environmentOn, shownBy } from "../../support/screens/players.ts";
import { XScreen } from "../../support/screens/x_screen.ts";
import { testWith } from "../../support/test_if.ts";
import { PATIENCE } from "../../support/time/patience.ts";

/** A JPEG of one colour. */
function colour(name: string, size: string): Promise<Uint8Array<ArrayBuffer>> {
  return run("ffmpeg", [
    ...["-f", "lavfi", "-i", `color=${name}:size=${size},format=yuvj444p`, "-frames:v", "1"],
    ...["-c:v", "mjpeg", "-q:v", "2", "-f", "image2pipe", "pipe:1"],
  ]);
}

/** Sends a JPEG again and again until a window shows its colour. */
async function sendUntilShown(
  camera: Deno.TcpConn,
  { jpeg, expected, screen, client }: {
    jpeg: Uint8Array;
    expected: readonly number[];
    screen: XScreen;
    client: RunningProgram;
  },
): Promise<void> {
  const limit = AbortSignal.timeout(PATIENCE);
  let seen: readonly number[] = [];
  while (!limit.aborted) {
    await say(camera, framed("u32be", jpeg));
    await camera.read(new Uint8Array(2));
    const window = (await screen.windows()).find(({ title }) => title === "video");
    if (window === undefined) continue;
    seen = await screen.colourAt(window, 20, 20);
    const isNear = seen.length > 0 &&
      seen.every((value, index) => Math.abs(value - expected[index]) < 16);
    if (isNear) return;
  }
  throw new Error(`Cannot see the picture: ${seen}; ${client.stderr.text}`);
}

testWith("Xvfb", "mpv")(
  "a window shows the JPEGs of a script, also in another size, until it closes",
  async () => {
    using _player = await shownBy("mpv");
    await using screen = await XScreen.start();
    const env = environmentOn(screen);
    const args = ["--listen", "0", "--ack", "ok", "--view", "window"];
    await using client = startProgram("client", args, { env });
    const [, port] = await client.stderr.until(/Waiting for a camera on 127\.0\.0\.1:(\d+)/);
    using camera = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
    const shown = { screen, client };
    const lime = await colour("lime", "160x96");
    await sendUntilShown(camera, { jpeg: lime, expected: [0, 255, 0], ...shown });
    const blue = await colour("blue", "96x64");
    await sendUntilShown(camera, { jpeg: blue, expected: [0, 0, 255], ...shown });
    camera.close();
    const { code, stderr } = await client.ending();
    assertEquals(code, 0, stderr);
    assertMatch(stderr, /\nReceived \d+ frames in /);
  },
);

for (const kind of ["a JPEG", "an array"]) {
  Deno.test(`a terminal shows ${kind} of a script`, async () => {
    const pixels = new Uint8Array(64 * 48 * 3).map((_, at) => at % 3 === 1 ? 255 : 0);
    const payload = kind === "a JPEG" ? await colour("lime", "64x48") : pickled(pixels);
    await using client = await ListeningClient.start(["--listen", "0", "--view", "terminal"]);
    await push(client.address, framed("u64le", payload));
    const { status, stdout, stderr } = await client.outcome;
    assertEquals(status, 0, stderr);
    assertMatch(stdout, /[34]8;2;\d;25\d;\d/);
  });
}
