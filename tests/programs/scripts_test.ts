/** `stream-server --script` as a process, and Python receivers that are slow. */
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { MAX_QUEUED_BYTES } from "../../lib/sources/live/subscriber_queue.ts";
import { mediaFolder } from "../support/media/media_folder.ts";
import { NativeClient } from "../support/peers/native_client.ts";
import { ScriptReceiver } from "../support/peers/script_receiver.ts";
import { PYTHON } from "../support/peers/script_server.ts";
import {
  assertFailed,
  runProgram,
  startServerProgram,
} from "../support/programs/running_program.ts";
import { testIf } from "../support/test_if.ts";

const media = mediaFolder();

const linuxInterop = testIf(
  PYTHON !== undefined && Deno.build.os === "linux",
  "no python3 with numpy and cv2, or not on Linux",
);

/** Frames of 900 kB that are the same for scripts and native viewers, from one FFmpeg. */
const SIZE = { width: 1280, height: 720 };
const FRAMING = "u64le+raw:1280x720:gray";

/** Frames that a script does not take while others do: 115 MB. */
const UNTAKEN = 125;

/** Bytes of memory that a process uses. */
async function memoryOf(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(status.match(/^VmRSS:\s+(\d+) kB$/m)?.[1]) * 1024;
}

linuxInterop(
  "a script that is slow gets the newest frames, and takes no memory meanwhile",
  async () => {
    const { program, port } = await startServerProgram([
      ...["--media", media.path, "--live", "cam=lavfi:testsrc2=size=1280x720:rate=25"],
      ...["--script", `0=cam,${FRAMING}`],
    ]);
    await using _program = program;
    const [, scriptPort] = await program.stderr.until(/Scripts get "cam" at [\d.]+:(\d+) \(/);
    const address = { hostname: "127.0.0.1", port: Number(port) };
    using viewer = new NativeClient(await Deno.connect(address));
    await viewer.ask({ command: "get_video", name: "cam", pixelFormat: "gray", ...SIZE });
    const seen: string[] = [];
    const watch = async () => {
      const [{ md5 }] = await viewer.frames(1);
      seen.push(md5);
      // The server hangs up on a viewer from which it hears nothing.
      await viewer.connection.send("pong", new Uint8Array());
    };
    const watchUntil = async <T>(event: Promise<T>): Promise<T> => {
      let isOver = false;
      const ended = event.finally(() => isOver = true);
      while (!isOver) await watch();
      return await ended;
    };
    await watch();
    const args = ["--wait", "--frames=20"];
    await using receiver = ScriptReceiver.connect(Number(scriptPort), FRAMING, ...args);
    await watchUntil(receiver.received(1));
    // The server's buffers, and those of the connections, are full by then.
    for (let frame = 0; frame < 25; frame++) await watch();
    // Frames wait for the viewer as well, once, if this process stands still.
    const growth: number[] = [];
    for (let round = 0; round < 2 && (growth.at(-1) ?? Infinity) > 40e6; round++) {
      const before = await memoryOf(program.pid);
      for (let frame = 0; frame < UNTAKEN; frame++) await watch();
      growth.push(await memoryOf(program.pid) - before);
    }
    assertLess(growth.at(-1) ?? 0, 40e6, `${growth}`);
    assertLess(growth[0], 40e6 + MAX_QUEUED_BYTES, `${growth}`);
    const newest = seen.length;
    await receiver.go();
    const { frames } = await watchUntil(receiver.result());
    assertEquals(frames.length, 20);
    // The viewer may have yet to read what the script has got, and lack some if it is slow.
    const isSeen = ({ md5 }: { md5: string }) => seen.includes(md5);
    for (let more = 0; more < 200 && !frames.every(isSeen); more++) await watch();
    const found = frames.filter(isSeen).map(({ md5 }) => seen.indexOf(md5));
    assertGreater(found.length, 15);
    const steps = found.slice(1).map((index, at) => index - found[at]);
    assert(steps.every((step) => step > 0), `${found}`);
    // A few wait in buffers, of which the system tells some.
    assertLess(found.filter((index) => index < newest).length, 12, `${found}`);
    assertGreater(found.at(-1) ?? 0, newest, `${found}`);
  },
);

Deno.test("stream-server refuses a framing that there is not, with those that there are", async () => {
  const ending = await runProgram("server", ["--script", "8486=cam,u64le+png"]);
  assertFailed(ending, {
    code: 2,
    reason: /"u64le\+png": no payload "png", expected one of pickle jpeg /,
  });
});

Deno.test("stream-server refuses the name of nothing that scripts would get", async () => {
  const args = ["--media", media.path, "--port", "0", "--script", "0=door"];
  assertFailed(await runProgram("server", args), { code: 1, reason: /"door"/ });
});
