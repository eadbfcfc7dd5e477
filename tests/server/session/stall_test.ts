import {
  assertEquals,
  assertLess,
  assertMatch,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { createLogger } from "../../../lib/base/log.ts";
import { encodeMessage, MAX_REQUEST_LENGTH } from "../../../lib/protocol/native/framing.ts";
import { scriptRequest } from "../../support/peers/script_messages.ts";
import { runSession } from "../../../lib/server/session/session.ts";
import { Library, type MediaFile } from "../../../lib/sources/file/library.ts";
import { sessionContext } from "../../support/peers/session_context.ts";
import { mediaFolder, pictures } from "../../support/media/media_folder.ts";
import { NativeClient } from "../../support/peers/native_client.ts";
import { conversationMedia, SHORT_FRAMES, testServer } from "../../support/peers/test_server.ts";
import { mediaChildren } from "../../support/programs/machine.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

// Viewers that stop reading or leave meanwhile, and FFmpeg dying.

const media = await conversationMedia();
const scriptFolder = mediaFolder();
const largeFolder = mediaFolder();
const gapFolder = mediaFolder();

const LONG = { command: "get_video", name: "long.mkv" } as const;

const TIMEOUTS = { request: 10_000, stall: 300, ping: 50 };

Deno.test("runSession() closes a native viewer that stops reading", async () => {
  await using server = await testServer({ media, timeouts: TIMEOUTS });
  using peer = await server.connect();
  await peer.ask(LONG);
  await peer.until("frame");
  await server.logged(/ended: The peer took nothing for too long\n$/);
  await server.quiet();
  await server.assertWell();
});

Deno.test("runSession() closes a peer that sends pings and reads no pong", async () => {
  // It is read without a pause.
  const clock = new HandClock({ skips: true });
  await using server = await testServer({ media, timeouts: TIMEOUTS, clock });
  using peer = await server.connect();
  const ping = encodeMessage("ping", new Uint8Array(MAX_REQUEST_LENGTH));
  const flood = async () => {
    while (true) await peer.write(ping);
  };
  // Until the server takes no more, and then hangs up.
  await assertRejects(flood);
  await server.logged(/ended: The peer took nothing for too long\n$/);
  await server.assertWell();
});

Deno.test("runSession() closes a script that never reads", async () => {
  const defaults = { video: "large.mkv" };
  // Enough in the first second of real time to fill whatever lies between the two.
  await scriptFolder.make("large.mkv", [
    ...pictures({ size: "1920x1080", seconds: 1 }),
    "-c:v",
    "mpeg4",
  ]);
  await scriptFolder.make("image.png", [...pictures(), "-frames:v", "1"]);
  await using server = await testServer({
    media: scriptFolder.path,
    defaults,
    timeouts: TIMEOUTS,
  });
  using peer = await server.connect();
  await peer.write(scriptRequest("get_video"));
  await server.logged(/ended: The peer took nothing for too long\n$/);
  await server.quiet();
  await server.assertWell();
});

/** A script that reads one byte, says so, and then waits to be killed. */
const KILLED_VIEWER = `
  const socket = await Deno.connect({ hostname: "127.0.0.1", port: Number(Deno.args[0]) });
  await socket.write(new TextEncoder().encode("get_video"));
  await socket.read(new Uint8Array(1));
  console.log("watching");
  await Deno.stdin.read(new Uint8Array(1));
`;

Deno.test("runSession() notices the reset of a script while nothing is written", async () => {
  // Ten minutes between two frames.
  const gap = ["-vf", "setpts=N*600/TB", "-fps_mode", "passthrough", "-c:v", "ffv1"];
  await gapFolder.make("gap.mkv", [...pictures({ rate: "10", seconds: 0.3 }), ...gap]);
  await using server = await testServer({ media: gapFolder.path });
  // Only the end of a process resets a connection at once; closing it here would half close first.
  const viewer = new Deno.Command(Deno.execPath(), {
    args: ["eval", KILLED_VIEWER, String(server.address.port)],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const said = viewer.stdout.getReader();
  await said.read();
  viewer.kill("SIGKILL");
  await Promise.all([viewer.status, viewer.stdin.close(), said.cancel()]);
  await server.logged(/ended: .*reset.*\n$/);
  await server.logged(/ disconnected\n$/);
  assertEquals(await mediaChildren(), []);
});

Deno.test("runSession() holds few frames for a viewer that stops reading", async () => {
  const large = pictures({ size: "1920x1080", rate: "10", seconds: 10 });
  await largeFolder.make("large.mkv", [...large, "-c:v", "mpeg4", "-q:v", "20"]);
  // The first viewer makes the process grow to its working size.
  {
    await using server = await testServer({ media: largeFolder.path });
    using first = await server.connect();
    await first.ask({ command: "get_video", duration: 1 });
    assertStrictEquals((await first.response()).frames.length, 10);
  }
  const timeouts = { ...TIMEOUTS, stall: 1500 };
  await using server = await testServer({ media: largeFolder.path, timeouts });
  const before = Deno.memoryUsage().rss;
  using peer = await server.connect();
  await peer.ask({ command: "get_video" });
  await peer.until("frame");
  // Until then FFmpeg could have decoded all of the hundred frames, 311 MB.
  await server.logged(/ended: The peer took nothing for too long\n$/);
  const frames = (Deno.memoryUsage().rss - before) / (1920 * 1080 * 1.5);
  assertLess(frames, 12);
  await server.quiet();
});

Deno.test("runSession() reports FFmpeg's end in the middle and goes on", async () => {
  await using server = await testServer({ media });
  using peer = await server.connect();
  await peer.ask({ ...LONG, speed: 1 });
  await peer.until("frame", 3);
  for (const id of await mediaChildren()) Deno.kill(id, "SIGKILL");
  const { kinds, error } = await peer.response();
  assertEquals([kinds.at(-1), error?.code], ["error", "media_error"]);
  assertMatch(error?.message ?? "", /^Cannot decode "long.mkv": ffmpeg was ended by SIGKILL/);
  await peer.ask({ command: "get_video", name: "short.mkv" });
  assertStrictEquals((await peer.response()).frames.length, SHORT_FRAMES);
  peer.close();
  await server.assertWell();
});

Deno.test("runSession() ends a script's response without its end when FFmpeg dies", async () => {
  const defaults = { video: "long.mkv" };
  await using server = await testServer({ media, defaults });
  using peer = await server.connect();
  await peer.write(scriptRequest("get_video"));
  const some = new Uint8Array(100_000);
  await peer.socket.read(some);
  for (const id of await mediaChildren()) Deno.kill(id, "SIGKILL");
  const rest = await peer.readAll();
  assertStrictEquals(new TextDecoder("latin1").decode(rest.subarray(-40)).includes("end"), false);
  await server.logged(
    / warn .* Cannot decode "long.mkv": ffmpeg was ended by SIGKILL.* result=media_error /,
  );
  await server.assertWell();
});

/** A library on a disk that fails. */
class FailingLibrary extends Library {
  override find(): Promise<MediaFile> {
    return Promise.reject(new Error(`Input/output error: ${media}`));
  }
}

Deno.test("runSession() reports internal errors to the log, and not to the peer", async () => {
  const lines: string[] = [];
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { hostname, port } = listener.addr;
  using peer = new NativeClient(await Deno.connect({ hostname, port }));
  const logger = createLogger({ level: "debug", write: (line) => lines.push(line) });
  const library = new FailingLibrary(media);
  await using context = await sessionContext({ library, logger, timeouts: TIMEOUTS });
  const session = runSession(await listener.accept(), context);
  await peer.ask(LONG);
  const { error } = await peer.response();
  assertStrictEquals(error?.code, "internal");
  assertStrictEquals(
    error.message,
    "Cannot serve the request: the server failed, its log says why",
  );
  peer.close();
  await session;
  assertMatch(lines.join(""), / error .*its log says why: Input\/output error/);
});
