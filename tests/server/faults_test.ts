/** Faults of FFmpeg and of files. The server works after each, and leaves nothing behind. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { parseList } from "../../lib/protocol/native/list.ts";
import { scriptRequest } from "../support/peers/script_messages.ts";
import { mediaFolder, namesIn, pictures } from "../support/media/media_folder.ts";
import type { NativeClient, NativeResponse } from "../support/peers/native_client.ts";
import { conversationMedia, type TestServer, testServer } from "../support/peers/test_server.ts";
import { mediaChildren } from "../support/programs/machine.ts";
import { standIn } from "../support/programs/stand_in.ts";
import { LeapingTime } from "../support/time/leaping_time.ts";

const media = await conversationMedia();
const folder = mediaFolder();

/** Milliseconds; a busy machine reaches none of them, and a test the last two by a leap. */
const TIMEOUTS = {
  ...{ request: 600_000, stall: 600_000, life: 600_000, ping: 600_000 },
  ...{ silence: 30_000, probe: 31_000 },
};

const LONG = { command: "get_video", name: "long.mkv" } as const;

function faultyServer(path = media): Promise<TestServer> {
  const metrics = { hostname: "127.0.0.1", port: 0 };
  return testServer({ media: path, timeouts: TIMEOUTS, metrics });
}

/** Last line of a script that does nothing more. */
const IDLE = `: > "${folder.pathOf("idle")}"`;

/** A command that keeps the pipes of a stand-in open for as long as the stand-in is in place. */
const HOLD = `while [ -e "$0" ]; do sleep 0.1; done`;

/** Waits until a script has come to {@linkcode IDLE}. */
async function untilIdle(): Promise<void> {
  while (!namesIn(folder.path).includes("idle")) await new Promise((go) => setTimeout(go, 20));
  await Deno.remove(folder.pathOf("idle"));
}

/**
 * Waits for a response that comes only once FFmpeg is given up, and lets the time pass.
 *
 * @param timeout milliseconds
 */
async function givenUp<Answer>(
  time: LeapingTime,
  { response, timeout }: { response: Promise<Answer>; timeout: number },
): Promise<Answer> {
  let isOver = false;
  const over = response.finally(() => isOver = true);
  while (!isOver) {
    await Promise.race([time.running(timeout), over]);
    if (!isOver) await time.leap(timeout);
  }
  return await over;
}

/** Checks that the server does its work, and has given back all that it took. */
async function assertUnharmed(server: TestServer): Promise<void> {
  await server.assertWell();
  const [, where] = server.lines.join("").match(/Metrics are at (\S+)/) ?? [];
  const text = await (await fetch(where)).text();
  for (const name of ["viewers", "decoders", "decoders_waiting", "frame_memory_bytes"]) {
    assertMatch(text, new RegExp(`^stream_${name} 0$`, "m"));
  }
}

async function ask(server: TestServer, name: string): Promise<NativeResponse> {
  using peer = await server.connect();
  await peer.ask({ command: "get_video", name });
  return await peer.response();
}

/** Starts a video at double speed, and gives what follows `event`. */
async function meanwhile(
  server: TestServer,
  name: string,
  event: (peer: NativeClient) => Promise<void> | void,
): Promise<NativeResponse> {
  using peer = await server.connect();
  await peer.ask({ command: "get_video", name, speed: 2 });
  await peer.until("frame", 3);
  await event(peer);
  return await peer.response();
}

async function signalFfmpeg(signal: Deno.Signal): Promise<void> {
  const children = await mediaChildren();
  assertEquals(children.length, 1);
  Deno.kill(children[0], signal);
}

for (const signal of ["SIGKILL", "SIGTERM", "SIGSEGV"] as const) {
  Deno.test(`FFmpeg killed by ${signal} ends the response, and nothing else`, async () => {
    await using server = await faultyServer();
    const { error, end } = await meanwhile(server, "long.mkv", () => signalFfmpeg(signal));
    assertEquals([error?.code, end], ["media_error", undefined]);
    assertMatch(error?.message ?? "", /^Cannot decode "long\.mkv": ffmpeg \S/);
    await assertUnharmed(server);
  });
}

Deno.test("FFmpeg that is frozen is given up, in either protocol", async () => {
  using time = new LeapingTime();
  await using server = await faultyServer();
  const frozen = Promise.withResolvers<void>();
  const response = meanwhile(server, "long.mkv", async () => {
    await signalFfmpeg("SIGSTOP");
    frozen.resolve();
  });
  await Promise.race([frozen.promise, response]);
  const { error } = await givenUp(time, { response, timeout: TIMEOUTS.silence });
  assertEquals(error?.message, `Cannot decode "long.mkv": FFmpeg came to nothing for too long`);
  using peer = await server.connect();
  await peer.write(scriptRequest("get_video"));
  await server.logged(/wire=classic\n/);
  await peer.socket.read(new Uint8Array(1000));
  await signalFfmpeg("SIGSTOP");
  await givenUp(time, { response: peer.readAll(), timeout: TIMEOUTS.silence });
  await server.logged(/came to nothing for too long .*wire=classic/);
  peer.close();
  await assertUnharmed(server);
});

/** Faults of FFmpeg, and the error that the peer gets. */
const MISDEEDS: Record<
  string,
  { script: string; code: string; reason: RegExp; isIdle?: boolean }
> = {
  "gives garbage without end": {
    script: `exec cat /dev/zero`,
    code: "internal",
    reason: /^Cannot serve the request: the server failed, its log says why$/,
  },
  "gives nothing": {
    script: "exit 0",
    code: "media_error",
    reason: /^Cannot send "long\.mkv": there is nothing that can be decoded$/,
  },
  "gives a part of a frame": {
    script: `"$REAL" "$@" | head -c 300000; exit 1`,
    code: "media_error",
    reason: /^Cannot decode "long\.mkv": ffmpeg failed \(1\)/,
  },
  "gives a part of a frame, and succeeds": {
    script: `"$REAL" "$@" | head -c 300000`,
    code: "media_error",
    reason: /^Cannot decode "long\.mkv": FFmpeg ended inside a frame$/,
  },
  "complains without end": {
    script: `${IDLE}; exec yes "so much to say" >&2`,
    isIdle: true,
    code: "media_error",
    reason: /^Cannot decode "long\.mkv": FFmpeg came to nothing for too long$/,
  },
  "closes its output, and stays": {
    script: `"$REAL" "$@" | head -c 300000; exec >&-; ${IDLE}; exec sleep 60`,
    isIdle: true,
    code: "media_error",
    reason: /^Cannot decode "long\.mkv": FFmpeg came to nothing for too long$/,
  },
  "leaves a process that holds its pipes": {
    script: `${HOLD} & ${IDLE}; exit 3`,
    isIdle: true,
    code: "media_error",
    reason: /^Cannot decode "long\.mkv": FFmpeg came to nothing for too long$/,
  },
  "cannot be run": {
    script: "exit 126",
    code: "media_error",
    reason: /^Cannot decode "long\.mkv": ffmpeg failed \(126\)$/,
  },
};

for (const [misdeed, { script, code, reason, isIdle = false }] of Object.entries(MISDEEDS)) {
  Deno.test(`FFmpeg that ${misdeed} ends the response, and nothing else`, async () => {
    using time = new LeapingTime();
    await using server = await faultyServer();
    {
      using _ffmpeg = await standIn("ffmpeg", script);
      const response = ask(server, LONG.name);
      if (isIdle) await untilIdle();
      const { error } =
        await (isIdle ? givenUp(time, { response, timeout: TIMEOUTS.silence }) : response);
      assertEquals(error?.code, code, error?.message);
      assertMatch(error?.message ?? "", reason);
    }
    await assertUnharmed(server);
    assert(server.lines.length < 20, server.lines.join(""));
  });
}

for (
  const [misdeed, script, reason] of [
    ["gives garbage", "echo garbage", /ffprobe's output is not JSON$/],
    ["gives garbage without end", "exec cat /dev/zero", /ended by SIGKILL/],
    ["gives nothing", "exit 0", /ffprobe's output is not JSON$/],
    ["hangs", `${IDLE}; exec sleep 60`, /found nothing in it within 31 s$/],
    [
      "leaves a process that holds its pipes",
      `${HOLD} & ${IDLE}; exit 1`,
      /found nothing in it within 31 s$/,
    ],
    ["is killed", "kill -9 $$", /ffprobe was ended by SIGKILL/],
  ] as const
) {
  Deno.test(`ffprobe that ${misdeed} fails one request, and the next one finds the file`, async () => {
    using time = new LeapingTime();
    await using server = await faultyServer();
    {
      using _ffprobe = await standIn("ffprobe", script);
      const response = ask(server, "short.mkv");
      const isIdle = script.includes(IDLE);
      if (isIdle) await untilIdle();
      const { error } =
        await (isIdle ? givenUp(time, { response, timeout: TIMEOUTS.probe }) : response);
      assertEquals(error?.code, "media_error", error?.message);
      assertMatch(error?.message ?? "", reason);
    }
    assertEquals((await ask(server, "short.mkv")).end?.reason, "end");
    await assertUnharmed(server);
  });
}

/** A video of 50 frames, of which FFmpeg cannot have read all when the first frames come. */
async function makeVideo(name: string): Promise<string> {
  await Deno.remove(folder.pathOf(name)).catch(() => {});
  const source = pictures({ size: "160x120", seconds: 2 });
  const noise = ["-vf", "noise=alls=100:allf=t", "-pix_fmt", "yuv420p", "-c:v", "ffv1"];
  await folder.make("whole.mkv", [...source, ...noise]);
  await folder.make("image.png", [...pictures(), "-frames:v", "1"]);
  await Deno.copyFile(folder.pathOf("whole.mkv"), folder.pathOf(name));
  return folder.pathOf(name);
}

Deno.test("ffprobe that gives garbage leaves the list of media empty, and no more", async () => {
  await using server = await faultyServer();
  const list = async () => {
    using peer = await server.connect();
    await peer.ask({ command: "list_media" });
    const message = await peer.connection.receive();
    assert(message?.kind === "list");
    return parseList(message.payload).entries.map(({ name }) => name);
  };
  {
    using _ffprobe = await standIn("ffprobe", "echo garbage");
    assertEquals(await list(), []);
  }
  assertEquals(await list(), ["image.png", "long.mkv", "short.mkv"]);
  await assertUnharmed(server);
});

Deno.test("a file that is truncated while it is sent is not reported as complete", async () => {
  const path = await makeVideo("cut.mkv");
  await using server = await faultyServer(folder.path);
  const { size } = await Deno.stat(path);
  const { error, frames } = await meanwhile(server, "cut.mkv", () => Deno.truncate(path, size / 2));
  assertEquals(error?.code, "media_error");
  assertMatch(error?.message ?? "", /the file was cut short while it was sent, ask again$/);
  assert(frames.length < 45);
  await assertUnharmed(server);
});

Deno.test("a file that is written to, or replaced, while it is sent, comes with a warning", async () => {
  await using server = await faultyServer(folder.path);
  for (
    const [name, what, change] of [
      ["grown.mkv", "has grown", async (path: string) => {
        // The beginning, which FFmpeg has read, is another now.
        await Deno.writeFile(path, new Uint8Array(9), APPEND);
        using file = await Deno.open(path, { write: true });
        await file.write(new Uint8Array(9));
      }],
      ["touched.mkv", "was written to", (path: string) => Deno.utime(path, 1, 1)],
      ["replaced.mkv", "was replaced", async (path: string) => {
        await Deno.copyFile(folder.pathOf("image.png"), `${path}.new`);
        await Deno.rename(`${path}.new`, path);
      }],
    ] as const
  ) {
    const path = await makeVideo(name);
    const { end } = await meanwhile(server, name, () => change(path));
    assertEquals([end?.reason, end?.warning], ["end", `the file ${what} while it was sent`]);
    await server.logged(new RegExp(`warn .*"${name}": the file ${what} while it was sent`));
  }
  // The next one gets what is there now.
  assertEquals((await ask(server, "replaced.mkv")).frames.length, 1);
  await assertUnharmed(server);
});

const APPEND = { append: true };

Deno.test("a file that only grows while it is sent is whole, and comes without a warning", async () => {
  await using server = await faultyServer(folder.path);
  const path = await makeVideo("growing.mkv");
  const piece = (await Deno.readFile(path)).subarray(-9000);
  const { end } = await meanwhile(
    server,
    "growing.mkv",
    () => Deno.writeFile(path, piece, APPEND),
  );
  assertEquals([end?.reason, end?.warning], ["end", undefined]);
  assert((end?.frames ?? 0) >= 50);
  await assertUnharmed(server);
});

Deno.test("a file that is deleted while it is sent arrives whole, and is gone then", async () => {
  const path = await makeVideo("gone.mkv");
  await using server = await faultyServer(folder.path);
  const { end } = await meanwhile(server, "gone.mkv", () => Deno.remove(path));
  assertEquals([end?.frames, end?.warning], [50, undefined]);
  assertEquals((await ask(server, "gone.mkv")).error?.code, "not_found");
  await assertUnharmed(server);
});

Deno.test("a media folder may go away, and come back", async () => {
  await makeVideo("clip.mkv");
  const away = `${folder.path}.away`;
  await using server = await faultyServer(folder.path);
  await Deno.rename(folder.path, away);
  try {
    const { error } = await ask(server, "clip.mkv");
    assertEquals(error?.code, "not_found");
    assertMatch(error?.message ?? "", /the media folder: it is gone, or not readable$/);
  } finally {
    await Deno.rename(away, folder.path);
  }
  assertEquals((await ask(server, "clip.mkv")).end?.frames, 50);
  await assertUnharmed(server);
});
