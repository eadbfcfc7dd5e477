import {
  assertEquals,
  assertLess,
  assertMatch,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { classicRequest } from "../../lib/wire/classic.ts";
import { encodeMessage, MAX_REQUEST_LENGTH } from "../../lib/wire/native.ts";
import { mediaFolder, pictures } from "../support/media.ts";
import { conversationMedia, mediaChildren, SHORT_FRAMES, watchedServer } from "./watched_server.ts";

// Viewers that stop reading, and FFmpeg dying.

const media = await conversationMedia();
const classicFolder = mediaFolder();
const largeFolder = mediaFolder();

const LONG = { command: "get_video", name: "long.mkv" } as const;

const TIMEOUTS = { request: 10_000, stall: 300, ping: 50 };

Deno.test("runSession() gives up a native viewer that stops reading", async () => {
  await using server = await watchedServer({ media, timeouts: TIMEOUTS });
  using peer = await server.connect();
  await peer.ask(LONG);
  await peer.until("frame");
  await server.logged(/ended: The peer took nothing for too long\n$/);
  await server.quiet();
  await server.assertWell();
});

Deno.test("runSession() gives up a peer that sends pings and reads no answer", async () => {
  await using server = await watchedServer({ media, timeouts: TIMEOUTS });
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

Deno.test("runSession() gives up a classic viewer that never reads", async () => {
  const defaults = { video: "large.mkv" };
  // Enough in the first second of real time to fill whatever lies between the two.
  await classicFolder.make("large.mkv", [
    ...pictures({ size: "1920x1080", seconds: 1 }),
    "-c:v",
    "mpeg4",
  ]);
  await classicFolder.make("image.png", [...pictures(), "-frames:v", "1"]);
  await using server = await watchedServer({
    media: classicFolder.path,
    defaults,
    timeouts: TIMEOUTS,
  });
  using peer = await server.connect();
  await peer.write(classicRequest("get_video"));
  await server.logged(/ended: The peer took nothing for too long\n$/);
  await server.quiet();
  await server.assertWell();
});

Deno.test("runSession() holds few frames for a viewer that stops reading", async () => {
  const large = pictures({ size: "1920x1080", rate: "10", seconds: 10 });
  await largeFolder.make("large.mkv", [...large, "-c:v", "mpeg4", "-q:v", "20"]);
  const timeouts = { ...TIMEOUTS, stall: 1500 };
  await using server = await watchedServer({ media: largeFolder.path, timeouts });
  // The first viewer makes the server grow to its working size.
  {
    using first = await server.connect();
    await first.ask({ command: "get_video", duration: 1 });
    assertStrictEquals((await first.answer()).frames, 10);
  }
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
  await using server = await watchedServer({ media });
  using peer = await server.connect();
  await peer.ask({ ...LONG, speed: 1 });
  await peer.until("frame", 3);
  for (const id of await mediaChildren()) Deno.kill(id, "SIGKILL");
  const { kinds, error } = await peer.answer();
  assertEquals([kinds.at(-1), error?.code], ["error", "media_error"]);
  assertMatch(error?.message ?? "", /^Cannot decode "long.mkv": ffmpeg was ended by SIGKILL/);
  await peer.ask({ command: "get_video", name: "short.mkv" });
  assertStrictEquals((await peer.answer()).frames, SHORT_FRAMES);
  peer.close();
  await server.assertWell();
});

Deno.test("runSession() ends a classic answer without its end when FFmpeg dies", async () => {
  const defaults = { video: "long.mkv" };
  await using server = await watchedServer({ media, defaults });
  using peer = await server.connect();
  await peer.write(classicRequest("get_video"));
  const some = new Uint8Array(100_000);
  await peer.socket.read(some);
  for (const id of await mediaChildren()) Deno.kill(id, "SIGKILL");
  const rest = await peer.readAll();
  assertStrictEquals(new TextDecoder("latin1").decode(rest.subarray(-40)).includes("end"), false);
  await server.logged(/ended: Cannot decode "long.mkv": ffmpeg was ended by SIGKILL/);
  await server.assertWell();
});

Deno.test("runSession() tells a peer nothing of the server's insides, but the log", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "stream_gone_" });
  await using server = await watchedServer({ media: folder });
  using peer = await server.connect();
  Deno.removeSync(folder);
  await peer.ask(LONG);
  const { error } = await peer.answer();
  assertStrictEquals(error?.code, "internal");
  assertStrictEquals(
    error.message,
    "Cannot serve the request: the server failed, its log says why",
  );
  await server.logged(/ error .*its log says why: .*No such file/);
});
