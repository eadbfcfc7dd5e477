/** `stream-client --classic`: Python scripts that listen, with every framing, as programs. */
import { assertEquals, assertMatch } from "@std/assert";
import { mediaFolder } from "../support/media/media_folder.ts";
import { countFrames, decodedBy } from "../support/media/reference.ts";
import {
  argumentsOf,
  assertData,
  assertRate,
  byLength,
  expectedSums,
  NUMPY_2_ROWS,
  PICKLE_ROWS,
  PICKLES,
  SCRIPT_ROWS,
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
import { runProgram, startProgram } from "../support/programs/running_program.ts";
import { testIf } from "../support/test_if.ts";

const media = mediaFolder();
const test = testIf(PYTHON !== undefined, "no Python with numpy and OpenCV");
const testNumpy2 = testIf(PYTHON_WITH_NUMPY_2 !== undefined, "no Python with numpy 2");

/** Runs the client against a script. */
function watch({ port }: SenderProgram, args: readonly string[]) {
  const where = ["--host", "127.0.0.1", "--port", port];
  return runProgram("client", ["--classic", "--video", ...where, ...args]);
}

/** Runs the client, which has to write every frame as it is, and gives their checksums. */
async function pixelsFrom({ port }: SenderProgram, args: readonly string[]): Promise<string[]> {
  const line = ["--classic", "--video", "--host", "127.0.0.1", "--port", port, "--output", "-"];
  await using program = startProgram("client", [...line, ...args]);
  const { code, stderr } = await program.ending();
  assertEquals(code, 0, stderr);
  return await sumsIn(await media.write(`${crypto.randomUUID()}.nut`, program.stdout.bytes));
}

/** Plays a row through the client, and compares what arrives. */
async function play(row: ScriptRow, options?: SenderOptions): Promise<void> {
  const { args, folder } = await argumentsOf(row, media);
  await using sender = await SenderProgram.listen(args, options);
  const told = row.isTold ? ["--framing", row.format] : [];
  const data = row.around ? ["--data", `${folder}/data`] : [];
  const sums = await pixelsFrom(sender, [...told, ...data]);
  assertEquals(await sender.ending(), { code: 0, stderr: "" });
  assertEquals(sums, await expectedSums(row, folder), row.name);
  if (row.around) await assertData(`${folder}/data`, row);
}

/** Plays rows at the same time. */
async function playAll(rows: readonly ScriptRow[], options?: SenderOptions): Promise<void> {
  await Promise.all(rows.map((row) => play(row, options)));
}

for (const [length, rows] of byLength(SCRIPT_ROWS)) {
  test(`stream-client --classic gets every pixel of frames with length ${length}`, () =>
    playAll(rows));
}

test("stream-client --classic gets every pixel of pickles of protocols 0 to 5", async () => {
  await playAll(PICKLE_ROWS);
});

testNumpy2("stream-client --classic gets every pixel from numpy 2", async () => {
  await playAll(NUMPY_2_ROWS, { python: PYTHON_WITH_NUMPY_2 });
});

/** What a script waits for, what the client is told, and what the script then has to hear. */
const CONVERSATIONS: [what: string, script: string[], client: string[], heard: string[]][] = [
  ["one request", ["--wait-request", "start"], ["--request", "start"], ["start"]],
  [
    "a request for each frame",
    ["--wait-request", "next", "--each"],
    ["--request", "next", "--ack"],
    Array(SCRIPT_FRAMES).fill("next"),
  ],
  [
    "an acknowledgement of its own",
    ["--wait-ack"],
    ["--ack", "received"],
    Array(SCRIPT_FRAMES).fill("received"),
  ],
];

for (const [what, script, client, heard] of CONVERSATIONS) {
  test(`stream-client --classic talks to a script that waits for ${what}`, async () => {
    await using sender = await SenderProgram.listen([...PICKLES, ...script]);
    assertEquals(await pixelsFrom(sender, client), sumsOfArrays("uint8"));
    assertEquals(await sender.ending(), { code: 0, stderr: "" });
    assertEquals(sender.asked, heard);
  });
}

test("stream-client --classic finds out that a script waits for get_video", async () => {
  await using sender = await SenderProgram.listen([...PICKLES, "--wait-request", "get_video"]);
  assertEquals(await pixelsFrom(sender, []), sumsOfArrays("uint8"));
  assertEquals(sender.asked, ["get_video"]);
});

test("stream-client --classic finds out that a script waits for acknowledgements", async () => {
  await using sender = await SenderProgram.listen([...PICKLES, "--wait-ack"]);
  assertEquals(await pixelsFrom(sender, ["--request", "none"]), sumsOfArrays("uint8"));
  assertEquals(sender.asked.length, SCRIPT_FRAMES);
});

test("stream-client --classic gets all frames of a script that does not read its request", async () => {
  // Its system resets the connection, once all frames have arrived.
  await using sender = await SenderProgram.listen(PICKLES);
  assertEquals(await pixelsFrom(sender, ["--request", "start"]), sumsOfArrays("uint8"));
});

test("stream-client --classic records a camera of one frame a second at one frame a second", async () => {
  const output = media.pathOf("rate.mkv");
  await using sender = await SenderProgram.listen([...PICKLES, "--fps", "1"]);
  const { code, stderr } = await watch(sender, ["--output", output]);
  assertEquals(code, 0, stderr);
  assertRate(await decodedBy(output, { stream: "V:0" }), sender.moments);
});

test("stream-client --classic goes on if the size changes", async () => {
  const output = media.pathOf("size.nut");
  await using sender = await SenderProgram.listen([...PICKLES, "--change-size"]);
  const { code, stderr } = await watch(sender, ["--codec", "rawvideo", "--output", output]);
  assertEquals(code, 0, stderr);
  const half = SCRIPT_FRAMES / 2;
  assertEquals(await sumsIn(output), sumsOfArrays("uint8").slice(0, half));
  const size = { width: 2 * SCRIPT_SIZE.width, height: SCRIPT_SIZE.height + 2 };
  assertEquals(
    await sumsIn(media.pathOf("size-2.nut")),
    sumsOfArrays("uint8", { size }).slice(half),
  );
});

test("stream-client --classic tells a cut from an end, and keeps what arrived", async () => {
  const output = media.pathOf("cut.mkv");
  await using sender = await SenderProgram.listen([...PICKLES, "--cut-inside"]);
  const { code, stderr } = await watch(sender, ["--output", output, "--retries", "0"]);
  assertMatch(
    stderr,
    new RegExp(`^Cannot finish "[^"\\n]+" after ${SCRIPT_FRAMES} frames [^\\n]*cut`, "m"),
  );
  assertEquals(code, 1);
  assertEquals(await countFrames(media.pathOf("cut.part.mkv")), SCRIPT_FRAMES);
});

test("stream-client --classic --retries connects again after a cut", async () => {
  const output = media.pathOf("again.mkv");
  await using sender = await SenderProgram.listen([...PICKLES, "--cut-inside", "--times", "2"]);
  const { code, stderr } = await watch(sender, ["--output", output, "--retries", "1"]);
  assertEquals(code, 1, stderr);
  await sender.ending();
  assertEquals(sender.moments.length, 2 * SCRIPT_FRAMES);
});
