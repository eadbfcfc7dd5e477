/** Messages between frames: notices, seeks, notes, and the latency of live sources. */
import { assert, assertAlmostEquals, assertEquals, assertMatch } from "@std/assert";
import { ByteReader, fromSocket } from "../../../lib/base/byte_reader.ts";
import { connect } from "../../../lib/net/connection.ts";
import { requestMedia } from "../../../lib/protocol/native/client.ts";
import type { Description } from "../../../lib/media/frame.ts";
import {
  encodeFrame,
  encodeMessage,
  HEADER_LENGTH,
  parseHeader,
} from "../../../lib/protocol/native/framing.ts";
import { encodeControl } from "../../../lib/protocol/native/request.ts";
import {
  encodeDescription,
  encodeEnd,
  encodeNotice,
  type Notice,
} from "../../../lib/protocol/native/response.ts";
import { mediaFolder, run } from "../../support/media/media_folder.ts";
import {
  end,
  frame,
  GREY,
  say,
  ScriptedServer,
  untilGone,
} from "../../support/peers/scripted_server.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";

const media = mediaFolder();

/** Milliseconds by which the clock of the test server is ahead. */
const AHEAD = 3_600_000;

function describe(more: Partial<Description>): Uint8Array {
  const description = { name: "cam", live: true, streams: [GREY], ...more };
  return encodeMessage("describe", encodeDescription(description));
}

function notice(news: Notice): Uint8Array {
  return encodeMessage("notice", encodeNotice(news));
}

/** The server's clock, microseconds since 1970. */
function serverTime(): number {
  return Math.round((performance.timeOrigin + performance.now() + AHEAD) * 1000);
}

/** A frame that was captured some milliseconds ago. */
function liveFrame(timestamp: number, age: number): Uint8Array {
  const data = new Uint8Array(new ArrayBuffer(256 + 64), 64);
  const captured = serverTime() - age * 1000;
  return encodeFrame({ streamId: 0, timestamp, keyframe: true, captured, data });
}

/** Waits for a ping and answers it. */
async function replyToPing(peer: Deno.TcpConn): Promise<void> {
  const reader = new ByteReader(fromSocket(peer));
  const header = parseHeader(await reader.peek(HEADER_LENGTH) ?? new Uint8Array(HEADER_LENGTH));
  assertEquals(header.kind, "ping");
  assertAlmostEquals(header.timestamp, serverTime() - AHEAD * 1000, 5e6);
  reader.consume(HEADER_LENGTH);
  const payload = await reader.readInto(new Uint8Array(header.payloadLength));
  await say(peer, encodeMessage("pong", payload, { timestamp: serverTime() }));
}

Deno.test("stream-client --json gives the latency of live frames, whatever the server's clock", async () => {
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, describe({ duration: 99 }));
    await replyToPing(peer);
    for (let index = 0; index < 20; index++) {
      await say(peer, liveFrame(index, index === 19 ? 6000 : 3000));
    }
    await say(peer, end());
  });
  const args = ["--video", "cam", "--view", "none", "--json", ...at(server)];
  let drawn = "";
  const { status, stdout } = await runInside(args, {
    environment: { stderrIsTerminal: true, printError: (text) => void (drawn += text) },
  });
  const { latencyMs, frames } = JSON.parse(stdout);
  assertEquals([status, frames], [0, 20]);
  // A busy machine adds latency, but never as much as the clocks differ by.
  assert(latencyMs.p50 > 900 && latencyMs.p95 < AHEAD / 2, JSON.stringify(latencyMs));
  assertMatch(drawn, /frame 1 {2}00:00\.0 {2}[^\n]*\/s {2}latency [1-9]\d{3,} ms/);
});

Deno.test("stream-client --json gives no latency of a file", async () => {
  await using server = new ScriptedServer((peer) =>
    say(peer, describe({ live: false }), frame(0), end())
  );
  const { stdout } = await runInside(["--video", "--view", "none", "--json", ...at(server)]);
  assertEquals(JSON.parse(stdout).latencyMs, null);
});

Deno.test("stream-client finishes a live recording that Ctrl-C ends", async () => {
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, describe({}), ...Array.from({ length: 30 }, (_, index) => frame(index)));
    await untilGone(peer);
  });
  const path = media.pathOf("cam.mkv");
  const stop = new AbortController();
  const { status, stderr } = await runInside(
    ["--video", "cam", "--output", path, ...at(server)],
    {
      signal: stop.signal,
      environment: {
        stderrIsTerminal: true,
        terminalSize: () => {
          // The progress line is drawn once frames arrive.
          queueMicrotask(() => stop.abort());
          return { columns: 80, rows: 24 };
        },
      },
    },
  );
  assertMatch(stderr, /Stopped after \d+ frames? in [^\n]+; wrote "[^"]+cam\.mkv"\n$/);
  assertEquals(status, 130);
  const args = ["-show_entries", "stream=codec_name", "-of", "csv=p=0", `file:${path}`];
  assertEquals(new TextDecoder().decode(await run("ffprobe", args)).trim(), "h264");
});

Deno.test("stream-client prints each note and notice on a line", async () => {
  await using server = new ScriptedServer((peer) =>
    say(
      peer,
      describe({ live: false, notes: ["Sound is left out", "Pictures are\nsmaller"] }),
      frame(0),
      notice({ code: "source_lost", message: "The camera went away" }),
      notice({ code: "slow_link", message: "slow", needed: 2e6, achieved: 1e6 }),
      notice({ code: "dropped", message: "3 frames", dropped: 3 }),
      notice({ code: "brand_new", message: "Whatever that is" }),
      frame(1),
      encodeMessage(
        "end",
        encodeEnd({
          ...{ frames: 2, audioFrames: 0, bytes: 0, dropped: 5, reason: "end" },
        }),
      ),
    )
  );
  const args = ["--video", "--view", "none", "--json", ...at(server)];
  const { status, stdout, stderr } = await runInside(args);
  assertEquals([status, JSON.parse(stdout).dropped], [0, 5]);
  assertEquals(stderr.split("\n"), [
    "Sound is left out",
    "Pictures are?smaller",
    "The camera went away",
    "The link is too slow: 2.0 MB/s needed, 1.0 MB/s achieved; try --encoding h264, or --size",
    "Whatever that is",
    "",
  ]);
});

Deno.test("stream-client prints notices below the video in a terminal, and again after it", async () => {
  await using server = new ScriptedServer((peer) =>
    say(
      peer,
      describe({ live: false }),
      frame(0),
      notice({ code: "source_lost", message: "The camera\x1b went away" }),
      frame(1),
      encodeMessage(
        "end",
        encodeEnd({ frames: 2, audioFrames: 0, bytes: 0, dropped: 5, reason: "end" }),
      ),
    )
  );
  let screen = "";
  const write = (text: string) => void (screen += text);
  const { status } = await runInside(["--video", "--view", "terminal", ...at(server)], {
    environment: {
      stdoutIsTerminal: true,
      stderrIsTerminal: true,
      print: write,
      printError: write,
    },
  });
  assertEquals(status, 0);
  const [during, after] = screen.split("\x1b[?1049l");
  assert(during.includes("\x1b[24;1H\x1b[KThe camera? went away"));
  assertMatch(after, /^The camera\? went away\nReceived 2 frames [^\n]+ fps, 5 dropped, [^\n]+\n$/);
});

Deno.test("stream-client counts dropped frames of a video that is cut", async () => {
  await using server = new ScriptedServer((peer) =>
    say(
      peer,
      describe({ live: false }),
      frame(0),
      notice({ code: "dropped", message: "3 frames", dropped: 3 }),
    )
  );
  const { stdout, stderr } = await runInside([
    ...["--video", "--view", "none", "--json", ...at(server)],
  ]);
  assertEquals(JSON.parse(stdout).dropped, 3);
  assertMatch(stderr, /^Cannot finish "cam" after 1 frame /);
});

Deno.test("requestMedia() gives replies to seeks, and discontinuities", async () => {
  const anew = new Uint8Array(new ArrayBuffer(256 + 64), 64);
  await using server = new ScriptedServer((peer) =>
    say(
      peer,
      describe({ live: false }),
      frame(0),
      encodeMessage("control", encodeControl({ action: "seek", to: 7, id: 3 })),
      encodeFrame({ streamId: 0, timestamp: 175, keyframe: true, discontinuity: true, data: anew }),
      end(),
    )
  );
  const { hostname: host, port } = server.address;
  using connection = await connect({ host, port }, new AbortController().signal);
  const parts: string[] = [];
  for await (const part of requestMedia(connection, { command: "get_video" })) {
    if (part.kind === "control") parts.push(JSON.stringify(part.control));
    else if (part.kind === "frame") parts.push(`frame ${part.frame.discontinuity}`);
    else parts.push(part.kind);
  }
  assertEquals(parts, [
    ...["describe", "frame false", '{"action":"seek","to":7,"id":3}'],
    ...["frame true", "end"],
  ]);
});
