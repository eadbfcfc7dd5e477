import { assertEquals, assertMatch } from "@std/assert";
import { scriptRequest } from "../../support/peers/script_messages.ts";
import { parseLiveSource } from "../../../lib/sources/live/source_spec.ts";
import { conversationMedia, SHORT_FRAMES, testServer } from "../../support/peers/test_server.ts";

const media = await conversationMedia();

const LONG = { command: "get_video", name: "long.mkv", speed: 1 } as const;
const SHORT = { command: "get_video", name: "short.mkv" } as const;

Deno.test("a request waits in the queue for a decoder, is notified, and then served", async () => {
  await using server = await testServer({ media, maxDecoders: 1 });
  using first = await server.connect();
  await first.ask(LONG);
  await first.until("frame");
  using second = await server.connect();
  await second.ask(SHORT);
  assertEquals((await second.until("notice")).before, []);
  using classic = await server.connect();
  await classic.write(scriptRequest("get_image"));
  // Stream copy needs none.
  using third = await server.connect();
  await third.ask({ ...SHORT, encoding: "copy" });
  assertEquals((await third.response()).end?.reason, "end");
  await first.control("stop");
  assertEquals((await first.response()).end?.reason, "stopped");
  assertEquals((await second.response()).frames.length, SHORT_FRAMES);
  assertEquals((await classic.readAll()).length > 1000, true);
});

Deno.test("a request may be stopped, or its peer leave, while it is in the queue", async () => {
  await using server = await testServer({ media, maxDecoders: 1 });
  using first = await server.connect();
  await first.ask(LONG);
  await first.until("frame");
  using second = await server.connect();
  await second.ask(SHORT);
  await second.until("notice");
  {
    using third = await server.connect();
    await third.ask(SHORT);
    await third.until("notice");
  }
  await server.logged(/ request=3 request ends .* result=cut /);
  await second.control("stop");
  const { error } = await second.response();
  assertEquals(error?.code, "busy");
  assertMatch(error?.message ?? "", /stopped while it waited in the queue$/);
  await second.ask({ ...SHORT, encoding: "copy" });
  assertEquals((await second.response()).end?.reason, "end");
  second.close();
  first.close();
  await server.quiet();
  await server.assertWell();
});

Deno.test("a live source takes a decoder for all its viewers, and gives it back when another request waits for it", async () => {
  const live = {
    sources: [parseLiveSource("cam=lavfi:testsrc2=size=64x48:rate=30")],
    linger: 600,
  };
  await using server = await testServer({ media, maxDecoders: 1, live });
  using first = await server.connect();
  await first.ask({ command: "get_video", name: "cam" });
  await first.until("frame");
  using second = await server.connect();
  await second.ask({ command: "get_video", name: "cam", duration: 0.2 });
  assertEquals((await second.response()).end?.reason, "end");
  // Another rendition is another decoder.
  await second.ask({ command: "get_video", name: "cam", width: 32, duration: 0.2 });
  await second.until("notice");
  // Without viewers it would go on for ten minutes.
  await first.control("stop");
  await first.response();
  assertEquals((await second.response()).end?.reason, "end");
  // The same if its last viewer has left before the waiting begins.
  await first.ask(SHORT);
  assertEquals((await first.response()).frames.length, SHORT_FRAMES);
});
