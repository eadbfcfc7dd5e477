import { assert, assertEquals, assertFalse, assertGreater, assertMatch } from "@std/assert";
import { mediaFolder } from "../../support/media/media_folder.ts";
import { watchLive } from "../../support/peers/native_client.ts";
import { liveServer, type TestServer } from "../../support/peers/test_server.ts";
import { mediaChildren } from "../../support/programs/machine.ts";
import { assertFailed, runProgram } from "../../support/programs/running_program.ts";
import { standIn } from "../../support/programs/stand_in.ts";

const CAMERA = "lavfi:testsrc2=size=64x48:rate=25";

/** Ends the only FFmpeg there is, as a crash would. */
async function crash(): Promise<void> {
  const children = await mediaChildren();
  assertEquals(children.length, 1);
  Deno.kill(children[0], "SIGKILL");
}

/** The error of a request now. */
async function refusal(server: TestServer): Promise<string> {
  using viewer = await watchLive(server);
  const { error } = await viewer.until("error");
  return `${error.code}: ${error.message}`;
}

/** A host that accepts connections and sends nothing. */
function silentHost(): { url: string } & Disposable {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `tcp://127.0.0.1:${(listener.addr as Deno.NetAddr).port}`;
  return { url, [Symbol.dispose]: () => listener.close() };
}

Deno.test("ten viewers stay while FFmpeg is killed, are notified, and go on when it is back", async () => {
  {
    await using server = await liveServer(`cam=${CAMERA}`, { linger: 10 });
    const viewers = await Promise.all(Array.from({ length: 10 }, () => watchLive(server)));
    const before = await Promise.all(viewers.map((viewer) => viewer.frames(3)));
    // It does not come back before all are notified, and one more request has failed.
    const dead = await standIn("ffmpeg", "kill -9 $$");
    await crash();
    const lost = await Promise.all(viewers.map((viewer) => viewer.notice("source_lost")));
    for (const { message } of lost) {
      assertMatch(message, /^Cannot read "cam": .*SIGKILL; it is tried again in 1\.\d s$/);
    }
    assertMatch(await refusal(server), /^media_error: Cannot read "cam": .*SIGKILL/);
    dead[Symbol.dispose]();
    await Promise.all(viewers.map((viewer) => viewer.notice("source_back")));
    const after = await Promise.all(viewers.map((viewer) => viewer.frames(3)));
    for (const [at, [first, second]] of after.entries()) {
      assert(first.discontinuity && !first.dropped && !second.discontinuity);
      assertGreater(first.seconds, before[at][2].seconds + 0.9);
    }
    assertEquals((await mediaChildren()).length, 1);
    for (const viewer of viewers) viewer[Symbol.dispose]();
  }
  assertEquals(await mediaChildren(), []);
});

Deno.test("a viewer gets the reason why a source cannot be started", async () => {
  // Nothing has these names: the folder belongs to this test.
  const place = mediaFolder().path;
  const cases: [string, RegExp][] = [
    [`v4l2:${place}/video0`, /^media_error: Cannot read "cam": No such file or directory$/],
    [`${place}/nothing.ts`, /^media_error: Cannot read "cam": No such file or directory$/],
    ["rtsp://me:word@127.0.0.1:9/a", /^media_error: Cannot read "cam": Connection refused$/],
    ["lavfi:testsrc2=size=0x0", /^media_error: Cannot read "cam": ./],
    [`x11grab:${place}/screen:0`, /^media_error: Cannot read "cam": ./],
  ];
  for (const [input, expected] of cases) {
    await using server = await liveServer(`cam=${input}`, { linger: 10 });
    assertMatch(await refusal(server), expected);
    assertFalse(server.lines.join("").includes("word"), server.lines.join(""));
  }
  assertEquals(await mediaChildren(), []);
});

Deno.test("a source that gives nothing is stopped, and started again", async () => {
  using silent = silentHost();
  await using server = await liveServer(`cam=${silent.url}`, { readTimeout: 200, linger: 60 });
  assertMatch(await refusal(server), /^media_error: Cannot read "cam": nothing came for 0\.2 s$/);
  await server.logged(/nothing came for 0\.2 s; it is tried again in/, 2);
});

Deno.test("a viewer does not wait for a first frame for ever", async () => {
  using silent = silentHost();
  await using server = await liveServer(`cam=${silent.url}`, { firstFrameTimeout: 200 });
  const late = /^media_error: Cannot read "cam": nothing came within 0\.2 s, ask again later$/;
  assertMatch(await refusal(server), late);
});

Deno.test("a source that is no media ends with the reason", async () => {
  const folder = mediaFolder();
  const path = folder.pathOf("noise.bin");
  await Deno.writeFile(path, new Uint8Array(100_000).fill(7));
  await using server = await liveServer(`cam=${path}`, { loop: true, linger: 10 });
  assertMatch(await refusal(server), /^media_error: Cannot read "cam": Invalid data found/);
});

Deno.test("viewers whose source comes back in another size have to ask again", async () => {
  const folder = mediaFolder();
  const make = (size: string) => [
    ...["-f", "lavfi", "-i", `testsrc=size=${size}:rate=25:d=1`],
    ...["-c:v", "ffv1", "-f", "matroska"],
  ];
  const path = await folder.make("source.mkv", make("64x48"));
  const other = await folder.make("other.mkv", make("32x16"));
  await using server = await liveServer(`cam=${path}`, { loop: true, linger: 10 });
  using viewer = await watchLive(server);
  await viewer.frames(2);
  await Deno.rename(other, path);
  await crash();
  await viewer.notice("source_lost");
  const { error } = await viewer.until("error");
  assertMatch(error.message, /^Cannot read "cam": it came back as something else, ask/);
  using next = await watchLive(server);
  assertEquals((await next.frames(1))[0].data.byteLength, 32 * 16 * 4);
});

Deno.test("a server that ends leaves nothing behind, whatever its sources do", async () => {
  {
    await using server = await liveServer(`cam=${CAMERA}`, { linger: 10 });
    using viewer = await watchLive(server);
    await viewer.frames(1);
    await crash();
    await viewer.notice("source_lost");
  }
  {
    using silent = silentHost();
    await using server = await liveServer(`cam=${silent.url}`, { linger: 10 });
    using _viewer = await watchLive(server);
    await server.logged(/"cam" is started/);
  }
  assertEquals(await mediaChildren(), []);
});

Deno.test("stream-server refuses malformed sources, with one line", async () => {
  const cases: [string[], RegExp][] = [
    [["cam"], /^Cannot use --live "cam": there is no =/],
    [["cam=v4l3:/dev/video0"], /FFmpeg knows no format "v4l3", did you mean v4l2\?/],
    [["a=/x", "a=/y"], /^Cannot use --live "a=…" twice/],
  ];
  const { path } = mediaFolder();
  for (const [sources, reason] of cases) {
    const flags = sources.flatMap((source) => ["--live", source]);
    const ending = await runProgram("server", ["--port", "0", "--media", path, ...flags]);
    assertFailed(ending, { code: 2, reason });
  }
});
