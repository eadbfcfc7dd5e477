/** Cameras of Python with numpy and OpenCV, which connect or listen. */
import { assertEquals } from "@std/assert";
import { concat } from "../../support/media/bytes.ts";
import { mediaFolder, run } from "../../support/media/media_folder.ts";
import { decodedBytes } from "../../support/media/reference.ts";
import { PYTHON } from "../../support/peers/script_server.ts";
import { ListeningClient } from "../../support/programs/listening_client.ts";
import { type Outcome, runInside } from "../../support/programs/run_inside.ts";
import { HelperProgram, pathOf } from "../../support/programs/running_program.ts";

const media = mediaFolder();

/** Frames that each camera sends. */
const FRAMES = [0, 1, 2];

function pythonTest(name: string, fn: () => Promise<void>): void {
  const missing = PYTHON === undefined ? " (ignored: no Python with numpy and OpenCV)" : "";
  Deno.test({ name: `${name}${missing}`, ignore: PYTHON === undefined, fn });
}

/** A camera that keeps what it sends in a folder. */
async function camera(args: readonly string[]): Promise<{ folder: string; script: HelperProgram }> {
  const folder = await media.folder(crypto.randomUUID());
  const script = pathOf("tests/peers/script_camera.py");
  return { folder, script: new HelperProgram(PYTHON ?? "python3", [script, folder, ...args]) };
}

/** What a camera sent, and what the client made of it. */
interface Received extends Outcome {
  folder: string;
}

/** Receives what a camera sends, in the direction of the flags. */
async function received(
  direction: "connects" | "listens",
  { sent, flags }: { sent: readonly string[]; flags: readonly string[] },
): Promise<Received> {
  if (direction === "listens") {
    const { folder, script } = await camera(sent);
    await using running = script;
    const [, port] = await running.stdout.until(/^Listening on [\d.]+:(\d+)\n/);
    const where = ["--classic", "--video", "--host", "127.0.0.1", "--port", port];
    const outcome = await runInside([...where, ...flags]);
    assertEquals((await running.ended).code, 0);
    return { ...outcome, folder };
  }
  await using client = await ListeningClient.start(["--listen", "0", ...flags]);
  const { folder, script } = await camera(["--connect", String(client.address.port), ...sent]);
  await using running = script;
  const outcome = await client.outcome;
  assertEquals((await running.ended).code, 0);
  return { ...outcome, folder };
}

/** Checks that the pixels of NUT are those that were sent. */
async function assertPixels(
  { folder, bytes, status, stderr }: Received,
  { kind, format }: { kind: "raw" | "jpg"; format: string },
): Promise<void> {
  assertEquals(status, 0, stderr);
  const raw = ["-pix_fmt", format, "-f", "rawvideo"];
  const nut = `${folder}/received.nut`;
  await Deno.writeFile(nut, bytes);
  const found = await decodedBytes(nut, ["-fps_mode", "passthrough", ...raw]);
  const expected = await Promise.all(FRAMES.map((number) => {
    const path = `${folder}/${number}.${kind}`;
    return kind === "raw" ? Deno.readFile(path) : run("ffmpeg", ["-i", path, ...raw, "pipe:1"]);
  }));
  assertEquals(found, concat(...expected));
}

/** Lengths and payloads, what the client calls the pixels, and which of them are compressed. */
const CAMERAS: [length: string, payload: string, format: string, kind: "raw" | "jpg"][] = [
  ["i32le", "array", "bgr24", "raw"],
  ["u64le", "array", "bgr24", "raw"],
  ["u32be", "array", "bgr24", "raw"],
  ["ascii16", "fortran", "bgr24", "raw"],
  ["u64le", "grey", "gray", "raw"],
  ["u64le", "alpha", "bgra", "raw"],
  ["u64le", "depth", "gray16le", "raw"],
  ["u32be", "npy", "bgr24", "raw"],
  ["none", "npy", "bgr24", "raw"],
  ["u32be", "jpeg", "bgr24", "jpg"],
  ["u64le", "jpeg", "bgr24", "jpg"],
  ["ascii16", "jpeg", "bgr24", "jpg"],
  ["none", "jpeg", "bgr24", "jpg"],
  ["u32be", "pickled-jpeg", "bgr24", "jpg"],
  ["u64le", "pickled-bytes", "bgr24", "jpg"],
  ["u64le", "pair", "bgr24", "jpg"],
  ["line", "base64", "bgr24", "jpg"],
];

for (const [index, [length, payload, format, kind]] of CAMERAS.entries()) {
  const direction = index % 2 === 0 ? "connects" : "listens";
  pythonTest(`a camera of Python ${direction} and sends ${length}, ${payload}`, async () => {
    const sent = ["--length", length, "--payload", payload];
    await assertPixels(await received(direction, { sent, flags: ["--output", "-"] }), {
      ...{ kind, format },
    });
  });
}

pythonTest("a camera of Python that is insisted on sends raw pixels", async () => {
  const sent = ["--length", "none", "--payload", "raw"];
  const flags = ["--framing", "none+raw:40x30:bgr24", "--output", "-"];
  await assertPixels(await received("connects", { sent, flags }), { kind: "raw", format: "bgr24" });
});

for (const direction of ["connects", "listens"] as const) {
  pythonTest(`a camera of Python that ${direction} gets its request and its replies`, async () => {
    const sent = ["--length", "u32be", "--payload", "array", "--request", "go", "--ack", "next"];
    const flags = ["--request", "go", "--ack", "next", "--output", "-"];
    await assertPixels(await received(direction, { sent, flags }), {
      kind: "raw",
      format: "bgr24",
    });
  });
}

pythonTest("a camera of Python that waits for replies gets them without a flag", async () => {
  const sent = ["--length", "u32be", "--payload", "array", "--ack", "ack"];
  const outcome = await received("connects", { sent, flags: ["--output", "-"] });
  await assertPixels(outcome, { kind: "raw", format: "bgr24" });
});

pythonTest("values beside the images go to --data, and beside a recording", async () => {
  const sent = ["--length", "u64le", "--payload", "dict"];
  const lines = [0, 1, 2].map((id) => ({ id, pose: [0.5, id] }));
  const printed = await received("connects", { sent, flags: ["--data", "-"] });
  assertEquals(printed.status, 0, printed.stderr);
  assertEquals(messagesOf(printed.stdout), lines);
  const path = media.pathOf("values.mkv");
  const recorded = await received("connects", { sent, flags: ["--output", path] });
  assertEquals(recorded.status, 0, recorded.stderr);
  assertEquals(messagesOf(await Deno.readTextFile(media.pathOf("values.jsonl"))), lines);
});

/** The values of lines of messages. */
function messagesOf(text: string): unknown[] {
  return text.trimEnd().split("\n").map((line) => JSON.parse(line).value);
}
