/** `stream-client --listen`: Python scripts that connect and push, with every framing, as programs. */
import { assertEquals, assertMatch } from "@std/assert";
import { mediaFolder } from "../support/media/media_folder.ts";
import { countFrames, decodedBy } from "../support/media/reference.ts";
import {
  argumentsOf,
  assertData,
  assertRate,
  byLength,
  expectedSums,
  FRAMING_ROWS,
  JPEGS,
  NUMPY_2_ROWS,
  PICKLES,
  type ScriptRow,
} from "../support/peers/script_rows.ts";
import {
  PYTHON_WITH_NUMPY_2,
  SCRIPT_FRAMES,
  SCRIPT_SIZE,
  type SenderOptions,
  SenderProgram,
  sumsIn,
  sumsOfArrays,
} from "../support/peers/sender_program.ts";
import { PYTHON } from "../support/peers/script_server.ts";
import { type Ending, startProgram } from "../support/programs/running_program.ts";
import { testIf } from "../support/test_if.ts";

const media = mediaFolder();
const test = testIf(PYTHON !== undefined, "no Python with numpy and OpenCV");
const testNumpy2 = testIf(PYTHON_WITH_NUMPY_2 !== undefined, "no Python with numpy 2");

/** What a client and the script that pushed to it did. */
interface Pushed {
  viewer: Ending;
  /** What the client wrote to its standard output. */
  bytes: Uint8Array;
  sender: SenderProgram;
}

/** Has a script push to a client until both have ended. */
async function push(
  script: readonly string[],
  client: readonly string[],
  options?: SenderOptions,
): Promise<Pushed> {
  await using program = startProgram("client", ["--listen", "127.0.0.1:0", ...client]);
  const [, port] = await program.stderr.until(/^Waiting [^\n]* 127\.0\.0\.1:(\d+)/m);
  await using sender = SenderProgram.push(port, script, options);
  const [viewer, { stderr }] = await Promise.all([program.ending(), sender.ending()]);
  assertEquals(stderr, "");
  return { viewer, bytes: program.stdout.bytes, sender };
}

/** Has a script push to a client, which has to write every frame as it is. */
async function pixelsFrom(
  script: readonly string[],
  client: readonly string[],
  options?: SenderOptions,
): Promise<{ sums: string[]; sender: SenderProgram }> {
  const { viewer, bytes, sender } = await push(script, ["--output", "-", ...client], options);
  assertEquals(viewer.code, 0, viewer.stderr);
  const sums = await sumsIn(await media.write(`${crypto.randomUUID()}.nut`, bytes));
  return { sums, sender };
}

/** Has the script of a row push to a client, and compares what arrives. */
async function play(row: ScriptRow, options?: SenderOptions): Promise<void> {
  const { args, folder } = await argumentsOf(row, media);
  const told = row.isTold ? ["--framing", row.format] : [];
  const data = row.around ? ["--data", `${folder}/data`] : [];
  const { sums } = await pixelsFrom(args, [...told, ...data], options);
  assertEquals(sums, await expectedSums(row, folder), row.name);
  if (row.around) await assertData(`${folder}/data`, row);
}

/** Plays rows at the same time. */
async function playAll(rows: readonly ScriptRow[], options?: SenderOptions): Promise<void> {
  await Promise.all(rows.map((row) => play(row, options)));
}

for (const [length, rows] of byLength(FRAMING_ROWS)) {
  test(`stream-client --listen gets every pixel of frames with length ${length}`, () =>
    playAll(rows));
}

testNumpy2("stream-client --listen gets every pixel from numpy 2", async () => {
  await playAll(NUMPY_2_ROWS.slice(0, 2), { python: PYTHON_WITH_NUMPY_2 });
});

test("stream-client --listen finds out that a script waits for acknowledgements", async () => {
  const { sums, sender } = await pixelsFrom([...PICKLES, "--wait-ack"], []);
  assertEquals(sums, sumsOfArrays("uint8"));
  assertEquals(sender.asked.length, SCRIPT_FRAMES);
});

test("stream-client --listen sends the words that a script waits for", async () => {
  const script = [...PICKLES, "--wait-request", "start", "--wait-ack"];
  const client = ["--request", "start", "--ack", "received"];
  const { sums, sender } = await pixelsFrom(script, client);
  assertEquals(sender.asked, ["start", ...Array(SCRIPT_FRAMES).fill("received")]);
  assertEquals(sums, sumsOfArrays("uint8"));
});

test("stream-client --listen gets all frames of a script that reads no acknowledgement", async () => {
  // Its system resets the connection, once all frames have arrived.
  const { sums } = await pixelsFrom(PICKLES, ["--ack", "received"]);
  assertEquals(sums, sumsOfArrays("uint8"));
});

test("stream-client --listen records a camera of one frame a second at one frame a second", async () => {
  const output = media.pathOf("rate.mkv");
  const { viewer, sender } = await push([...JPEGS, "--fps", "1"], ["--output", output]);
  assertEquals(viewer.code, 0, viewer.stderr);
  assertRate(await decodedBy(output, { stream: "V:0" }), sender.moments);
});

test("stream-client --listen goes on if the size changes", async () => {
  const output = media.pathOf("size.nut");
  const { viewer } = await push([...PICKLES, "--change-size"], [
    "--codec",
    "rawvideo",
    "--output",
    output,
  ]);
  assertEquals(viewer.code, 0, viewer.stderr);
  const half = SCRIPT_FRAMES / 2;
  assertEquals(await sumsIn(output), sumsOfArrays("uint8").slice(0, half));
  const size = { width: 2 * SCRIPT_SIZE.width, height: SCRIPT_SIZE.height + 2 };
  const second = await sumsIn(media.pathOf("size-2.nut"));
  assertEquals(second, sumsOfArrays("uint8", { size }).slice(half));
});

test("stream-client --listen tells a cut from an end, and keeps what arrived", async () => {
  const output = media.pathOf("cut.mkv");
  const script = [...PICKLES, "--cut-inside"];
  const { viewer } = await push(script, ["--output", output, "--retries", "0"]);
  assertMatch(
    viewer.stderr,
    new RegExp(`^Cannot finish "[^"\\n]+" after ${SCRIPT_FRAMES} frames [^\\n]*cut`, "m"),
  );
  assertEquals(viewer.code, 1);
  assertEquals(await countFrames(media.pathOf("cut.part.mkv")), SCRIPT_FRAMES);
});
