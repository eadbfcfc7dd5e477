import { assert, assertEquals, assertMatch } from "@std/assert";
import { createLogger, LOG_FORMATS } from "../../../lib/base/log.ts";
import { scriptRequest } from "../../support/peers/script_messages.ts";
import { startServer } from "../../../lib/server/server.ts";
import { NativeClient } from "../../support/peers/native_client.ts";
import { conversationMedia, SHORT_FRAMES, testServer } from "../../support/peers/test_server.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

const media = await conversationMedia();

const SHORT = { command: "get_video", name: "short.mkv" } as const;

/** Lines of a request, without their times. */
function linesOf(lines: readonly string[], request: number): string[] {
  return lines.filter((line) => line.includes(` request=${request} `))
    .map((line) => line.replace(/^\S+ /, "").replace(/peer=\S+ /, "").trimEnd());
}

Deno.test("a request is logged when it begins and when it ends, and no frame in between", async () => {
  await using server = await testServer({ media });
  using peer = await server.connect();
  await peer.ask(SHORT);
  await peer.response();
  await peer.ask({ command: "get_image" });
  await peer.response();
  await peer.ask({ command: "list_media" });
  await peer.until("list");
  await server.logged(/ request=3 request ends /);
  const seconds = String.raw`seconds=\d+(\.\d{1,3})?`;
  const [begins, ends, ...more] = linesOf(server.lines, 1);
  assertEquals(begins, "info  request=1 request begins command=get_video name=short.mkv");
  assertMatch(
    ends,
    new RegExp(
      `^info  request=1 request ends command=get_video name=short.mkv result=done ${seconds} ` +
        `frames=${SHORT_FRAMES} audioFrames=0 bytes=\\d+ dropped=0$`,
    ),
  );
  assertEquals(more, []);
  const [asked, given] = linesOf(server.lines, 2);
  assertEquals(asked, "info  request=2 request begins command=get_image");
  assertMatch(given, / command=get_image name=image\.png result=done .* frames=1 /);
  assertMatch(linesOf(server.lines, 3)[1], / command=list_media result=done seconds=\S+$/);
  peer.close();
  await server.quiet();
});

Deno.test("a request that is refused, stopped or lost is logged with that result", async () => {
  await using server = await testServer({ media });
  {
    using peer = await server.connect();
    await peer.ask({ command: "get_video", name: "none such" });
    await peer.response();
    await peer.ask({ ...SHORT, name: "long.mkv", speed: 1 });
    await peer.until("frame");
    await peer.control("stop");
    await peer.response();
    await peer.ask({ ...SHORT, name: "long.mkv", speed: 1 });
    await peer.until("frame");
  }
  await server.logged(/ request=3 request ends .* result=cut /);
  const [, refused] = linesOf(server.lines, 1);
  assertMatch(
    refused,
    /^warn {2}request=1 Cannot find "none such": .* name="none such" result=not_found seconds=\S+$/,
  );
  assertMatch(linesOf(server.lines, 2)[1], /^info .* result=stopped .* frames=\d+ /);
  await server.quiet();
});

Deno.test("a request of a script is logged as such", async () => {
  await using server = await testServer({ media, defaults: { video: "short.mkv" } });
  using peer = await server.connect();
  await peer.write(scriptRequest("get_video"));
  await peer.readAll();
  await server.logged(/ request=1 request ends .* result=done /);
  const [begins, ends] = linesOf(server.lines, 1);
  assertEquals(begins, "info  request=1 request begins command=get_video wire=classic");
  assertMatch(ends, new RegExp(` name=short.mkv result=done .* frames=${SHORT_FRAMES} `));
});

Deno.test("a flood of requests does not fill the log, which counts what was suppressed", async () => {
  const asked = 200;
  // Errors hold the peer back, but not here.
  const server = await testServer({ media, clock: new HandClock({ skips: true }) });
  {
    using peer = await server.connect();
    for (let count = 0; count < asked; count++) {
      await peer.ask({ command: "get_video", name: "none" });
      await peer.response();
    }
  }
  await server.quiet();
  await server[Symbol.asyncDispose]();
  const told = server.lines.filter((line) => line.includes("result=not_found")).length;
  const counted = server.lines.map((line) => Number(line.match(/ requests=(\d+)$/m)?.[1] ?? 0));
  const leftOut = counted.reduce((sum, each) => sum + each, 0);
  assertEquals(told + leftOut, asked);
  assert(leftOut > 0, server.lines.join(""));
});

Deno.test("names of a peer are cut in the log, in messages too", async () => {
  const server = await testServer({ media, clock: new HandClock({ skips: true }) });
  {
    using peer = await server.connect();
    // As long as a name may be; quotation marks are escaped in the log.
    for (const letter of ["\u{1f3a5}", '"', "x"]) {
      const name = letter.repeat(1024 / letter.length);
      for (let count = 0; count < 40; count++) {
        await peer.ask({ command: "get_video", name });
        assert((await peer.response()).error?.message.includes(name));
      }
    }
  }
  await server.quiet();
  await server[Symbol.asyncDispose]();
  const names = server.lines.join("").match(/(\u{1f3a5}|\\?"|x){100,}…?/gu) ?? [];
  assert(names.length > 2, server.lines.join(""));
  for (const name of names) assertMatch(name, /^"?((\u{1f3a5}){100}|(\\?"){200,203}|x{200})…$/u);
});

for (const format of LOG_FORMATS) {
  Deno.test(`every event of a session has its peer, written as ${format}`, async () => {
    const lines: string[] = [];
    const logger = createLogger({ level: "debug", format, write: (line) => lines.push(line) });
    const options = { host: "127.0.0.1", port: 0, media, defaults: {}, maxClients: 4 };
    const server = await startServer(options, logger);
    // Of the server itself, not of a session.
    lines.splice(0);
    server.run();
    const { hostname, port } = server.address;
    {
      using peer = new NativeClient(await Deno.connect({ hostname, port }));
      await peer.ask(SHORT);
      await peer.response();
    }
    await server[Symbol.asyncDispose]();
    assertEquals(lines.length, 3);
    for (const line of lines) {
      const peer = format === "json"
        ? JSON.parse(line).peer
        : line.match(/^\S+ (?:info |debug) peer=(\S+) /)?.[1];
      assertMatch(peer, /^127\.0\.0\.1:\d+$/);
    }
    if (format === "human") return;
    const { message, request, result, frames } = JSON.parse(lines[1]);
    assertEquals([message, request, result, frames], ["request ends", 1, "done", SHORT_FRAMES]);
  });
}
