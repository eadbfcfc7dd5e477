import { assert, assertEquals, assertMatch, assertStrictEquals } from "@std/assert";
import { type Kind, KINDS, MAX_LENGTH } from "../../../lib/protocol/native/framing.ts";
import { concat } from "../../support/media/bytes.ts";
import { type NativeClient, requestMessage } from "../../support/peers/native_client.ts";
import {
  conversationMedia,
  SHORT_FRAMES,
  type TestServer,
  testServer,
} from "../../support/peers/test_server.ts";
import { HandClock } from "../../support/time/hand_clock.ts";
import { LeapingTime } from "../../support/time/leaping_time.ts";

// Peers that mean harm, or know no better. After each, the server does its work, and nothing of
// the peer is left: no session, no FFmpeg.

const media = await conversationMedia();

const SHORT = { command: "get_video", name: "short.mkv" } as const;
const LONG = { command: "get_video", name: "long.mkv" } as const;

const text = (value: string) => new TextEncoder().encode(value);

/** A message with any kind, any payload, and a length that need not be its own. */
function message(
  { kind = KINDS.request, payload = new Uint8Array(0), length = 12 + payload.length }: {
    kind?: number;
    payload?: Uint8Array;
    length?: number;
  },
): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(16);
  new DataView(header.buffer).setUint32(0, length, true);
  header[4] = kind;
  return concat(header, payload);
}

/** A request whose payload is some text. */
const request = (json: string) => message({ payload: text(json) });

/** A request with some fields beside the necessary ones, as JSON. */
const requestWith = (fields: string) => request(`{"version":1,"command":"get_video",${fields}}`);

/** Sends bytes, ends the sending direction, and waits for the server's messages. */
async function say(server: TestServer, bytes: Uint8Array) {
  using peer = await server.connect();
  await peer.write(bytes);
  await peer.socket.closeWrite();
  return await peer.farewell();
}

/** Messages that get an error and end the connection. */
const REFUSED: Record<string, Uint8Array> = {
  "a length of 0": message({ length: 0 }),
  "a length of 11": message({ length: 11 }),
  "a length over the limit": message({ length: MAX_LENGTH + 1 }),
  "the largest length there is": message({ length: 2 ** 32 - 1 }),
  "a request that claims to be too large": message({ length: 12 + 64 * 1024 + 1 }),
  "a request that is too large": message({ payload: new Uint8Array(64 * 1024 + 1) }),
  "a frame that claims to be huge": message({ kind: KINDS.frame, length: MAX_LENGTH }),
  "kind 0": message({ kind: 0 }),
  "kind 10": message({ kind: 10 }),
  "kind 255": message({ kind: 255 }),
  "a control that is no JSON": message({ kind: KINDS.control, payload: text("stop") }),
  "an HTTP request": text("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
  "a TLS greeting": concat(Uint8Array.of(22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3), new Uint8Array(512)),
};
for (const kind of ["describe", "frame", "end", "error", "list"] satisfies Kind[]) {
  REFUSED[`a message of kind ${kind}`] = message({ kind: KINDS[kind], payload: text("{}") });
}

Deno.test("runSession() refuses broken messages and ends the connection", async (t) => {
  await using server = await testServer({ media });
  for (const [name, bytes] of Object.entries(REFUSED)) {
    await t.step(name, async () => {
      const error = await say(server, bytes);
      assertStrictEquals(error?.code, "bad_request");
      assertMatch(error.message, /^Cannot (read|take) .*expected|^Cannot read (the control|TLS)/);
      await server.quiet();
    });
  }
  await server.assertWell();
});

const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);

/** Requests with a wrong payload: they get this code, and the peer may send another one. */
const WRONG: [name: string, bytes: Uint8Array, code: string][] = [
  ["nothing", request(""), "bad_request"],
  ["a list", request("[]"), "bad_request"],
  ["a number", request("1"), "bad_request"],
  ["null", request("null"), "bad_request"],
  ["half an object", request('{"version":1'), "bad_request"],
  ["NaN", request('{"version":NaN}'), "bad_request"],
  ["invalid UTF-8", message({ payload: Uint8Array.of(0x7b, 0xff, 0xfe, 0x7d) }), "bad_request"],
  ["deep nesting", request(nested(32_000)), "bad_request"],
  ["deep nesting in a field", requestWith(`"name":${nested(32_000)}`), "bad_request"],
  ["deep nesting in the version", request(`{"version":${nested(32_000)}}`), "version"],
  ["another version", request('{"version":2,"command":"get_video"}'), "version"],
  ["a version as long as may be", request(`{"version":"${"v".repeat(65_000)}"}`), "version"],
  ["no version", request('{"command":"get_video"}'), "version"],
  ["no command", request('{"version":1}'), "bad_request"],
  ["a command that is none", request('{"version":1,"command":"get_root"}'), "bad_request"],
  ["a name that is a list", requestWith('"name":["short.mkv"]'), "bad_request"],
  ["a name with NUL", requestWith('"name":"short.mkv\\u0000"'), "bad_request"],
  ["half a surrogate pair", requestWith('"name":"\\ud800"'), "not_found"],
  ["a path out of the folder", requestWith('"name":"../../../../etc/passwd"'), "not_found"],
  ["an absolute path", requestWith('"name":"/etc/passwd"'), "not_found"],
  ["a URL", requestWith('"name":"file:///etc/passwd"'), "not_found"],
  ["an argument of FFmpeg", requestWith('"name":"-i"'), "not_found"],
  ["a pixel format with arguments", requestWith('"pixelFormat":"rgb24 -y x"'), "bad_request"],
  ["a width that is text", requestWith('"width":"NaN"'), "bad_request"],
  ["a width beyond all numbers", requestWith('"width":1e999'), "bad_request"],
  ["a start in the far future", requestWith('"start":1e8,"name":"short.mkv"'), "bad_request"],
  ["a picture larger than a message", requestWith('"width":16384,"height":16384'), "unsupported"],
];

Deno.test("runSession() refuses wrong requests and takes the next one", async (t) => {
  await using server = await testServer({ media });
  using peer = await server.connect();
  for (const [name, bytes, code] of WRONG) {
    await t.step(name, async () => {
      await peer.write(bytes);
      const { error } = await peer.response();
      assertStrictEquals(error?.code, code);
      assert(error.message.length < 300, error.message);
      assert(!error.message.includes(media), error.message);
    });
  }
  await t.step("and a right one with unknown fields", async () => {
    await peer.write(requestWith('"name":"short.mkv","speed":0,"colour":{"a":[1]},"__proto__":1'));
    assertStrictEquals((await peer.response()).frames.length, SHORT_FRAMES);
  });
  peer.close();
  await server.assertWell();
});

Deno.test("runSession() survives random bytes", async () => {
  await using server = await testServer({ media });
  let state = 7;
  // Numerical Recipes' linear congruential generator: the same bytes every time.
  const random = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) >>> 24;
  for (let round = 0; round < 60; round++) {
    const bytes = Uint8Array.from({ length: 1 + random() }, random);
    // Half of them look like a message at first sight, so that they are read further.
    if (round % 2 === 0) bytes.set([random() >> 4, 0, 0, 0, 1 + random() % 9]);
    using peer = await server.connect();
    await peer.write(bytes);
    await peer.socket.closeWrite();
    await peer.readAll();
  }
  await server.assertWell();
});

Deno.test("runSession() refuses malformed script requests", async () => {
  await using server = await testServer({ media });
  for (const bytes of ["get_audio", "get_imagf", "get_", "get_\n\x1b[2J\x07"]) {
    using peer = await server.connect();
    await peer.write(text(bytes));
    await peer.socket.closeWrite();
    assertEquals(await peer.readAll(), new Uint8Array(0));
  }
  await server.assertWell();
  assertClean(server);
});

Deno.test("runSession() lets no peer forge a log line", async () => {
  await using server = await testServer({ media });
  using peer = await server.connect();
  const line = "2024-01-01T00:00:00.000Z error forged";
  for (const name of [`a\n${line}`, `\r${line}\x1b[2J`, `\u2028${line}\u202e\x9b`]) {
    await peer.ask({ command: "get_video", name });
    assertStrictEquals((await peer.response()).error?.code, "not_found");
  }
  await peer.write(request('{"version":"\\n\\u001b","command":"x"}'));
  assertStrictEquals((await peer.response()).error?.code, "version");
  assertClean(server);
});

function assertClean(server: TestServer): void {
  for (const line of server.lines) {
    assertMatch(
      line,
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warn |info |debug) [^\p{C}]+\n$/u,
    );
  }
}

/** Milliseconds; a busy machine reaches none of them, and a test the first by a leap. */
const TIMEOUTS = {
  ...{ request: 60_000, stall: 600_000, ping: 600_000 },
  ...{ life: 600_000, silence: 600_000 },
};

/** Peers that are slow on purpose, and their log lines. */
const SLOW: [name: string, bytes: Uint8Array][] = [
  ["nothing", new Uint8Array(0)],
  ["one byte", Uint8Array.of(99)],
  ["half of a classic request", text("get_im")],
  ["the beginning of a header", Uint8Array.of(99, 0, 0, 0, 1)],
  ["half of a request", requestMessage(SHORT).subarray(0, 40)],
];

for (const [name, bytes] of SLOW) {
  Deno.test(`runSession() waits only so long after ${name}`, async () => {
    using time = new LeapingTime();
    await using server = await testServer({ media, timeouts: TIMEOUTS });
    using peer = await server.connect();
    await peer.write(bytes);
    await time.running(TIMEOUTS.request);
    // What was written arrives meanwhile.
    for (let part = 0; part < 10; part++) await time.leap(TIMEOUTS.request / 10);
    await server.logged(/no request within 60 s\n$/);
    await peer.readAll();
    peer.close();
    await server.quiet();
    await server.assertWell();
  });
}

Deno.test("runSession() waits for a whole request from its first byte on", async () => {
  using time = new LeapingTime();
  await using server = await testServer({ media, timeouts: TIMEOUTS });
  using peer = await server.connect();
  await time.running(TIMEOUTS.request);
  await time.leap(0.9 * TIMEOUTS.request);
  await peer.write(requestMessage(SHORT).subarray(0, 40));
  // Another peer is served meanwhile: the bytes have arrived by then.
  {
    using other = await server.connect();
    await other.ask({ command: "list_media" });
    await other.response();
  }
  await time.leap(0.2 * TIMEOUTS.request);
  assertMatch((await peer.farewell())?.message ?? "", /no request within 60 s/);
  peer.close();
  await server.quiet();
});

Deno.test("runSession() limits the wait for the next request", async () => {
  using time = new LeapingTime();
  const clock = new HandClock();
  await using server = await testServer({ media, timeouts: TIMEOUTS, clock });
  using peer = await server.connect();
  // Takes longer than the deadline, which is for requests alone.
  await peer.ask({ ...SHORT, speed: 1 });
  await peer.until("frame");
  await time.leap(2 * TIMEOUTS.request);
  for (let frame = 1; frame < SHORT_FRAMES; frame++) await clock.passToNext();
  assertStrictEquals((await peer.response()).frames.length, SHORT_FRAMES - 1);
  await time.running(TIMEOUTS.request);
  await time.leap(TIMEOUTS.request);
  const error = await peer.farewell();
  assertMatch(error?.message ?? "", /no request within 60 s/);
  peer.close();
  await server.quiet();
});

/** Ways to leave without a word, after the first frame of a video. */
const DEPARTURES: [name: string, leave: (peer: NativeClient) => Promise<void>][] = [
  // Frames are under way and unread: closing resets the connection.
  ["by a reset", (peer) => Promise.resolve(peer.close())],
  ["in the middle of a request", async (peer) => {
    await peer.write(requestMessage(SHORT).subarray(0, 20));
    peer.close();
  }],
  ["in the middle of a header, half closed", async (peer) => {
    await peer.write(Uint8Array.of(1, 2, 3));
    await peer.socket.closeWrite();
    await peer.farewell();
  }],
];

for (const speed of [0, 1]) {
  for (const [name, leave] of DEPARTURES) {
    Deno.test(`runSession() ends when the peer leaves ${name}, at speed ${speed}`, async () => {
      await using server = await testServer({ media });
      using peer = await server.connect();
      await peer.ask({ ...LONG, speed });
      await peer.until("frame");
      await leave(peer);
      await server.quiet();
      await server.assertWell();
    });
  }
}

Deno.test("runSession() ends at once when an idle peer leaves in the middle of a message", async () => {
  // A deadline that would be missed by far.
  const timeouts = { request: 600_000, stall: 600_000, ping: 600_000 };
  await using server = await testServer({ media, timeouts });
  using peer = await server.connect();
  await peer.ask({ command: "get_image" });
  await peer.response();
  await peer.write(Uint8Array.of(12, 0, 0, 0, 8));
  peer.close();
  await server.logged(/ended: Input ended after 5 bytes, expected 16\n$/);
  await server.quiet();
  await server.assertWell();
});

Deno.test("runSession() survives a hundred peers that come and go", async () => {
  await using server = await testServer({ media, maxClients: 200 });
  const visits = Array.from({ length: 100 }, async (_, at) => {
    using peer = await server.connect();
    if (at % 4 === 1) await peer.write(Uint8Array.of(1));
    if (at % 4 === 2) await peer.write(requestMessage({ command: "list_media" }));
    if (at % 4 === 3) await peer.write(text("get_image"));
  });
  await Promise.all(visits);
  await server.assertWell();
});
