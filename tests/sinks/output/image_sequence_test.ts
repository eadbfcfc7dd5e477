import { assertEquals, assertMatch } from "@std/assert";
import { isPattern, numberedName } from "../../../lib/sinks/output/image_sequence.ts";
import { mediaFolder, namesIn, pictures } from "../../support/media/media_folder.ts";
import { decodedBytes } from "../../support/media/reference.ts";
import { packetMessages } from "../../support/peers/packet_server.ts";
import {
  describe,
  end,
  frame,
  say,
  ScriptedServer,
  stay,
} from "../../support/peers/scripted_server.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";
import { startProgram } from "../../support/programs/running_program.ts";
import { witness } from "../../support/programs/witness.ts";
import { pureTest } from "../../support/pure_test.ts";

const media = mediaFolder();

/** A server that sends some pictures of different greys, half a second apart. */
function greyServer(count: number, { whole = true } = {}): ScriptedServer {
  const timeBase = [1, 2];
  const all = Array.from({ length: count }, (_, index) => frame(index, { value: 40 * index }));
  return new ScriptedServer((peer) =>
    say(peer, describe({ timeBase }), ...all, ...(whole ? [end()] : []))
  );
}

function series(server: Pick<ScriptedServer, "address">, pattern: string, ...more: string[]) {
  return runInside(["--image", "--every", "0.5", "--output", pattern, ...more, ...at(server)]);
}

pureTest("numberedName() puts the number where isPattern() finds its placeholder", () => {
  for (
    const [pattern, name] of [
      ["shot%03d.png", "shot007.png"],
      ["shot%d.png", "shot7.png"],
      ["a%d/b/%2d.jpg", "a%d/b/07.jpg"],
    ]
  ) {
    assertEquals([isPattern(pattern), numberedName(pattern, 7)], [true, name]);
  }
  for (const plain of ["a.png", "a%03d/b.png", "100%.png", "%s.png"]) {
    assertEquals(isPattern(plain), false, plain);
  }
});

Deno.test("ImageSequenceSink writes numbered files from 1, and reports how many", async () => {
  const place = await media.folder("50%d percent");
  await using server = greyServer(4);
  const { status, stderr } = await series(server, `${place}/shot%03d.png`);
  assertEquals(status, 0, stderr);
  assertMatch(stderr, /; wrote 4 files, "[^"]+\/shot001\.png" to "[^"]+\/shot004\.png"\n$/);
  assertEquals(namesIn(place), ["shot001.png", "shot002.png", "shot003.png", "shot004.png"]);
  for (const number of [1, 4]) {
    // FFmpeg would take the folder's name for a pattern.
    const copy = media.pathOf(`${number}.png`);
    await Deno.copyFile(`${place}/shot00${number}.png`, copy);
    const pixels = await decodedBytes(copy, ["-f", "rawvideo"]);
    assertEquals([pixels.byteLength, pixels[0]], [256, 40 * (number - 1)]);
  }
});

Deno.test("ImageSequenceSink keeps what arrived of a sequence that is cut", async () => {
  const place = await media.folder("cut");
  await using server = greyServer(2, { whole: false });
  const { status, stderr } = await series(server, `${place}/%d.bmp`);
  assertEquals([status, namesIn(place)], [1, ["1.bmp", "2.bmp"]]);
  assertMatch(stderr, /^Cannot finish "grey" after 2 pictures [^\n]+; wrote 2 files, [^\n]+\n$/);
});

Deno.test("ImageSequenceSink stores JPEGs as they are sent", async () => {
  const place = await media.folder("as they are");
  const path = await media.make("one.jpg", [...pictures(), "-frames:v", "1"]);
  const messages = await packetMessages(path);
  await using server = new ScriptedServer((peer) => say(peer, ...messages));
  const { status, stderr } = await series(server, `${place}/%d.jpg`, "--encoding", "mjpeg");
  assertEquals(status, 0, stderr);
  assertMatch(stderr, /; wrote 1 file, "[^"]+\/1\.jpg"\n$/);
  assertEquals(await Deno.readFile(`${place}/1.jpg`), await Deno.readFile(path));
});

Deno.test("ImageSequenceSink refuses outputs before any request", async () => {
  const place = await media.folder("refused");
  await Deno.writeTextFile(`${place}/shot12.png`, "before");
  const nobody = ["--image", "--every", "1", "--host", "127.0.0.1", "--port", "1"];
  for (
    const [name, reason] of [
      ["shot%03d.png", '"shot12.png" exists, replace it with --overwrite'],
      ["a%d-%d.png", "its name has no one place for a number, expected one such as shot%03d.png"],
      ["a%d%.png", "its name has no one place for a number, expected one such as shot%03d.png"],
      ["a%d.mp4", "expected a type of one picture, such as shot%03d.png"],
    ]
  ) {
    const pattern = `${place}/${name}`;
    const { status, stderr } = await runInside([...nobody, "--output", pattern]);
    assertEquals([status, stderr], [1, `Cannot write "${pattern}": ${reason}\n`]);
  }
  const { stderr } = await runInside([...nobody, "--output", `${place}/none/%d.png`]);
  assertMatch(stderr, /there is no folder/);
  await using server = greyServer(1);
  assertEquals((await series(server, `${place}/shot%02d.png`, "--overwrite")).status, 0);
  assertEquals(namesIn(place), ["shot01.png", "shot12.png"]);
});

Deno.test("ImageSequenceSink leaves no unfinished file when it is killed", async () => {
  const place = await media.folder("hanging");
  const changes = Deno.watchFs(place);
  // It has the first picture, of 256 bytes behind as many of headers at the most, and more.
  // The shell makes them itself, lest a child of it outlives it.
  const files = `: > "${place}/1.png"; : > "${place}/2.png.tmp"`;
  const instead = `head -c 600 > /dev/null; ${files}; exec sleep 600`;
  await using ffmpeg = await witness("ffmpeg", { instead });
  const stopped = Promise.withResolvers<void>();
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, describe(), frame(0), frame(1), frame(2));
    await stay(peer);
    stopped.resolve();
  });
  const what = ["--image", "--every", "0.5", "--output", `${place}/%d.png`];
  const env = { PATH: ffmpeg.path };
  await using client = startProgram("client", [...what, ...at(server)], { env });
  for await (const { paths } of changes) if (paths.some((path) => path.endsWith(".tmp"))) break;
  client.kill("SIGINT");
  await stopped.promise;
  client.kill("SIGINT");
  assertEquals((await client.ending()).code, 130);
  assertEquals(namesIn(place), ["1.png"]);
});

Deno.test("stream-client --image --every shows images one after the other in a terminal", async () => {
  await using server = greyServer(3);
  const args = ["--image", "--every", "0.5", "--view", "terminal", ...at(server)];
  const { status, stdout } = await runInside(args, { environment: { stdoutIsTerminal: true } });
  assertEquals(status, 0);
  const shown = [0, 40, 80].map((value) => stdout.indexOf(`38;2;${value};${value};${value}`));
  // Images that come faster than they can be drawn are dropped, except the last.
  const drawn = shown.filter((place) => place >= 0);
  assertEquals(drawn, drawn.toSorted((a, b) => a - b));
  assertEquals(shown[2] >= 0, true, `${shown}`);
});
