import { assertEquals, assertRejects } from "@std/assert";
import { ShutdownError } from "../../../lib/net/errors.ts";
import { LocalResponse } from "../../../lib/server/http/local_response.ts";
import { Controls } from "../../../lib/server/playback/controls.ts";
import { DESCRIPTION, END } from "../../support/media/test_sink.ts";
import { pureTest } from "../../support/pure_test.ts";

function localResponse() {
  const abort = new AbortController();
  const controls = new Controls({ command: "get_video" });
  let left = 0;
  const onLeave = () => void left++;
  const response = new LocalResponse({ controls, signal: abort.signal, onLeave });
  return { response, controls, abort, left: () => left };
}

function frameOf(value: number) {
  return { streamId: 0, timestamp: value, keyframe: true, data: Uint8Array.of(value) };
}

pureTest("LocalResponse.write() takes until the reader asks for the next part", async () => {
  const { response, left } = localResponse();
  const events: string[] = [];
  const writing = (async () => {
    await response.describe(DESCRIPTION);
    for (const value of [1, 2]) {
      await response.write(frameOf(value), { dropped: false });
      events.push(`taken ${value}`);
    }
    await response.end(END);
    response.close();
  })();
  for await (const part of response) {
    if (part.kind !== "frame") continue;
    events.push(`read ${part.frame.data[0]}`);
    // Many turns in which a writer could go on.
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  }
  await writing;
  assertEquals(events, ["read 1", "taken 1", "read 2", "taken 2"]);
  assertEquals(left(), 0);
});

pureTest("LocalResponse keeps the order of writes that overlap", async () => {
  const { response } = localResponse();
  const notices = ["a", "b", "c"].map((code) => response.notify({ code, message: "" }));
  const end = response.end(END).then(() => response.close());
  const codes: string[] = [];
  for await (const part of response) codes.push(part.kind === "notice" ? part.notice.code : "end");
  await Promise.all([...notices, end]);
  assertEquals(codes, ["a", "b", "c", "end"]);
});

pureTest("LocalResponse.abandon() ends the response once, and lets its writer go on", async () => {
  const { response, left } = localResponse();
  const writing = response.describe(DESCRIPTION);
  for await (const _part of response) break;
  response[Symbol.dispose]();
  await writing;
  assertEquals(await response.write(frameOf(1), { dropped: false }), 1);
  assertEquals(left(), 1);
});

pureTest("LocalResponse.fail() is what reading throws", async () => {
  const { response } = localResponse();
  response.fail(new Error("no such media"));
  await assertRejects(() => Array.fromAsync(response), Error, "no such media");
});

pureTest("LocalResponse.fail() ends reading behind a part that waits to be read", async () => {
  const { response, abort } = localResponse();
  const writing = response.write(frameOf(1), { dropped: false });
  await Promise.resolve();
  await Promise.resolve();
  abort.abort(new Error("the connection is lost"));
  await assertRejects(() => writing, Error, "the connection is lost");
  response.fail(abort.signal.reason);
  const kinds: string[] = [];
  const reading = (async () => {
    for await (const { kind } of response) kinds.push(kind);
  })();
  await assertRejects(() => reading, Error, "the connection is lost");
  assertEquals(kinds, ["frame"]);
});

pureTest(
  "LocalResponse.write() throws the signal's reason when the response is to end",
  async () => {
    const { response, abort } = localResponse();
    const writing = response.write(frameOf(1), { dropped: false });
    abort.abort(new Error("the connection is lost"));
    await assertRejects(() => writing, Error, "the connection is lost");
  },
);

pureTest("LocalResponse.end() fails reading if the server is shut down", async () => {
  const { response } = localResponse();
  await response.end({ ...END, reason: "shutdown" });
  await assertRejects(() => Array.fromAsync(response), ShutdownError, "the server was shut down");
});

pureTest("LocalResponse.control() reaches the controls of the request", async () => {
  const { response, controls } = localResponse();
  await response.control({ action: "pause" });
  assertEquals(controls.pacer.isPaused, true);
});
