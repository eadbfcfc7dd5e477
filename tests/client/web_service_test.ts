import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertLess,
  assertMatch,
  assertRejects,
} from "@std/assert";
import { HEADER_LENGTH } from "../../lib/protocol/native/framing.ts";
import { parseLiveSource } from "../../lib/sources/live/source_spec.ts";
import { EXACT, mediaMomentsOf, playedIn } from "../support/media/browser_plays.ts";
import { mediaFolder, pictures, run, tone } from "../support/media/media_folder.ts";
import { describe, frame, message, say, ScriptedServer } from "../support/peers/scripted_server.ts";
import { watchLive } from "../support/peers/native_client.ts";
import { liveServer, testServer } from "../support/peers/test_server.ts";
import { testPage } from "../support/screens/page.ts";

const media = mediaFolder();
const played = playedIn(media);
const FOUR = { seconds: 4 };
const CODED = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "3", "-g", "40", "-c:a", "aac"];

/** Checks that times are the last of all times, without gaps. */
function assertRun(times: readonly number[], all: readonly number[]) {
  const from = all.findIndex((time) => Math.abs(time - times[0]) < EXACT);
  assert(from >= 0, `${times[0]} is none of ${all.slice(0, 5)}`);
  assertEquals(times.length, all.length - from);
  times.forEach((time, at) => assertAlmostEquals(time, all[from + at], EXACT));
}

for (const start of [0, 1.3, 1.6, 3.3]) {
  Deno.test(`a play from ${start} s has the packets of the file at their own times`, async () => {
    const path = await media.make("b.mp4", [...pictures(FOUR), ...tone(FOUR), ...CODED]);
    await using server = await testServer({ media: media.path });
    await using page = await testPage(server);
    const query = `name=b.mp4&start=${start}&can=h264,aac`;
    const play = await played(await page.fetch(`/api/play?${query}`), `out/copy${start}.mp4`);
    assertMatch(play.headers.get("Content-Type") ?? "", /^video\/mp4; codecs="avc1\.\w+, mp4a/);
    assertEquals(Number(play.headers.get("X-Start")), start);
    assertEquals(play.headers.get("X-Duration"), "4");
    assertEquals(play.headers.get("X-Live"), "0");
    assertRun(play.video, await mediaMomentsOf(path, "v"));
    assert(play.video[0] <= start && play.audio[0] <= start + 0.05);
    assertRun(play.audio, await mediaMomentsOf(path, "a"));
  });
}

for (const start of [1.5, 3.9, 4, 5]) {
  Deno.test(`a play from ${start} s of a file without decode timestamps is whole`, async () => {
    const source = ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:d=6"];
    const coded = [...CODED, "-preset", "ultrafast", "-bf", "2", "-g", "100"];
    const path = await media.make("b.mkv", [...source, ...tone({ seconds: 6 }), ...coded]);
    await using server = await testServer({ media: media.path });
    await using page = await testPage(server);
    const query = `name=b.mkv&start=${start}&can=h264,aac`;
    const play = await played(await page.fetch(`/api/play?${query}`), `out/mkv${start}.mp4`);
    const all = await mediaMomentsOf(path, "v");
    assert(play.video[0] <= start);
    assertAlmostEquals(play.video.at(-1) ?? 0, all.at(-1) ?? NaN, 0.001);
    const from = all.findIndex((moment) => Math.abs(moment - play.video[0]) < 0.001);
    assertEquals(play.video.length, all.length - from);
  });
}

Deno.test("a play of codecs that browsers do not play is encoded from the exact start", async () => {
  const args = [...pictures(FOUR), ...tone(FOUR), "-c:v", "mpeg4", "-bf", "2", "-c:a", "ac3"];
  const path = await media.make("old.mkv", args);
  await using server = await testServer({ media: media.path });
  await using page = await testPage(server);
  const query = "name=old.mkv&start=1.5&can=h264,aac";
  const play = await played(await page.fetch(`/api/play?${query}`), "out/old.mp4");
  assertMatch(play.headers.get("Content-Type") ?? "", /"avc1\.64002a, mp4a\.40\.2"$/);
  const expected = (await mediaMomentsOf(path, "v")).filter((moment) => moment >= 1.5 - EXACT);
  assertRun(play.video, expected);
  assertEquals(play.video.length, expected.length);
  const notes = JSON.parse(decodeURIComponent(play.headers.get("X-Notes") ?? "[]"));
  assertEquals(notes[0], "pictures are re-encoded: this browser does not play mpeg4");
});

Deno.test("a play of damaged media goes on after the damage", async () => {
  const args = [...pictures(FOUR), ...tone(FOUR), "-c:v", "mpeg2video", "-c:a", "mp2"];
  const path = await media.make("old.ts", args);
  const bytes = await Deno.readFile(path);
  const from = Math.floor(bytes.byteLength / 2);
  // Damages the payload of some MPEG-TS packets, and leaves their headers.
  for (let at = from - from % 188; at < from + 188 * 20; at += 188) {
    bytes.fill(0x55, at + 60, at + 90);
  }
  await media.write("damaged.ts", bytes);
  await using server = await testServer({ media: media.path });
  await using page = await testPage(server);
  const query = "name=damaged.ts&can=h264,aac";
  const play = await played(await page.fetch(`/api/play?${query}`), "out/damaged.mp4");
  const all = await mediaMomentsOf(path, "v");
  const length = all[all.length - 1] - all[0];
  assertAlmostEquals(play.video[play.video.length - 1] - play.video[0], length, 0.2);
});

Deno.test("a play with keep=0 encodes everything", async () => {
  await media.make("b.mp4", [...pictures(FOUR), ...tone(FOUR), ...CODED]);
  await using server = await testServer({ media: media.path });
  await using page = await testPage(server);
  const response = await page.fetch("/api/play?name=b.mp4&can=h264,aac&keep=0");
  const play = await played(response, "out/anew.mp4");
  assertEquals(play.video.length, 100);
  assertMatch(play.headers.get("Content-Type") ?? "", /avc1\.64002a/);
  // The page has shown the reason before the request.
  assertEquals(decodeURIComponent(play.headers.get("X-Notes") ?? ""), "[]");
});

Deno.test("a play that is encoded has even sizes and square pixels", async () => {
  const args = [...pictures({ size: "45x33" }), "-vf", "setsar=2", "-c:v", "ffv1"];
  await media.make("odd.mkv", args);
  await using server = await testServer({ media: media.path });
  await using page = await testPage(server);
  const { path } = await played(await page.fetch("/api/play?name=odd.mkv"), "out/odd.mp4");
  const shown = "stream=width,height,sample_aspect_ratio,pix_fmt";
  const said = await run("ffprobe", ["-show_entries", shown, "-of", "csv=p=0", path]);
  assertMatch(new TextDecoder().decode(said), /^90,34,(1:1|N\/A),yuv420p/);
});

Deno.test("a play of audio alone has audio only", async () => {
  await media.make("tone.flac", [...tone(), "-c:a", "flac"]);
  await using server = await testServer({ media: media.path });
  await using page = await testPage(server);
  const kept = await page.fetch("/api/play?name=tone.flac&can=flac");
  assertEquals(kept.headers.get("Content-Type"), 'audio/mp4; codecs="flac"');
  const anew = await page.fetch("/api/play?name=tone.flac&can=h264");
  assertEquals(anew.headers.get("Content-Type"), 'audio/mp4; codecs="mp4a.40.2"');
  await Promise.all([kept.bytes(), anew.bytes()]);
});

Deno.test("plays at the same time are independent", async () => {
  await media.make("b.mp4", [...pictures(FOUR), ...tone(FOUR), ...CODED]);
  await using server = await testServer({ media: media.path });
  await using page = await testPage(server);
  const ask = async (start: number) =>
    await (await page.fetch(`/api/play?name=b.mp4&can=h264,aac&start=${start}`)).bytes();
  const [alone] = [await ask(1)];
  const together = await Promise.all([ask(1), ask(3), ask(1)]);
  assertEquals(together[0], alone);
  assertEquals(together[2], alone);
});

Deno.test("flags of the command line are used for the request", async () => {
  await media.make("b.mp4", [...pictures(FOUR), ...tone(FOUR), ...CODED]);
  await using server = await testServer({ media: media.path });
  const flags = ["--video", "b.mp4", "--size", "32x24", "--no-audio", "--start", "1"];
  await using page = await testPage(server, [...flags, "--duration", "1"]);
  const response = await page.fetch("/api/play?name=b.mp4&can=h264,aac&start=1.2");
  const play = await played(response, "out/flags.mp4");
  assertEquals(play.audio, []);
  assertEquals(play.video.length, 20);
  assertAlmostEquals(play.video[0], 1.2, EXACT);
  assertEquals(play.headers.get("X-Duration"), "2");
  const list = await (await page.fetch("/api/list")).json();
  assertEquals(list.start, { kind: "video", name: "b.mp4", at: 1, loop: false, speed: 1 });
});

Deno.test("a live play has video and audio without gaps, each at its own time", async () => {
  const camera = "cam=lavfi:testsrc2=size=64x48:rate=25[out0];sine=sample_rate=48000[out1]";
  const live = { sources: [parseLiveSource(camera)], linger: 0 };
  await using server = await testServer({ media: media.path, live });
  await using page = await testPage(server, ["--video", "cam", "--duration", "5"]);
  const play = await played(await page.fetch("/api/play?name=cam"), "out/live.mp4");
  assertEquals([play.headers.get("X-Live"), play.headers.get("X-Duration")], ["1", null]);
  const steps = (times: number[]) => times.slice(1).map((time, at) => time - times[at]);
  assert(play.video.length > 25 && play.audio.length > 40);
  // Within a tick of the stream's time base.
  for (const step of steps(play.video)) assertAlmostEquals(step, 1 / 25, 0.001);
  for (const step of steps(play.audio)) assertAlmostEquals(step, 1024 / 48_000, 0.001);
});

Deno.test("a body that is cancelled ends its FFmpeg and its connection", async () => {
  await using server = await testServer({
    media: media.path,
    live: { sources: [parseLiveSource("cam=lavfi:testsrc2=size=64x48:rate=25")], linger: 0 },
  });
  await using page = await testPage(server);
  const leave = new AbortController();
  const response = await page.fetch("/api/play?name=cam", { signal: leave.signal });
  assertEquals(response.headers.get("X-Live"), "1");
  const reader = response.body!.getReader();
  assert((await reader.read()).value !== undefined);
  leave.abort();
  await assertRejects(() => reader.read());
  // The sanitizers find anything that is left.
  assertEquals((await page.end()).status, 130);
});

/** A server that sends frames until it is paused, and records the actions that it receives. */
function endlessServer(actions: string[], onAction: () => void): ScriptedServer {
  return new ScriptedServer(async (peer) => {
    /** Resolved unless paused. */
    let going = Promise.withResolvers<void>();
    going.resolve();
    let gone = false;
    const receive = async () => {
      const bytes = new Uint8Array(65536);
      for (let count; (count = await peer.read(bytes)) !== null;) {
        const text = new TextDecoder().decode(bytes.subarray(0, count));
        for (const [, action] of text.matchAll(/"action":"(\w+)"/g)) {
          actions.push(action);
          if (action === "pause") going = Promise.withResolvers();
          else going.resolve();
          onAction();
        }
      }
    };
    const receiving = receive().catch(() => actions.push("gone")).finally(() => {
      gone = true;
      going.resolve();
    });
    await say(peer, describe({ width: 640, height: 480 }));
    for (let timestamp = 0; !gone; timestamp++) {
      await say(peer, noise(timestamp));
      await going.promise;
    }
    await receiving;
  });
}

/** A frame that compresses badly. */
function noise(timestamp: number): Uint8Array {
  const bytes = frame(timestamp, { size: 640 * 480 });
  for (let at = HEADER_LENGTH, seed = timestamp + 1; at < bytes.byteLength; at++) {
    seed = Math.imul(seed, 1_103_515_245) + 12_345;
    bytes[at] = seed >>> 16;
  }
  return bytes;
}

Deno.test("a page that stops reading pauses the server, and resumes it when it reads on", async () => {
  const actions: string[] = [];
  let news = Promise.withResolvers<void>();
  await using server = endlessServer(actions, () => {
    news.resolve();
    news = Promise.withResolvers();
  });
  const until = async (count: number) => {
    while (actions.length < count) await news.promise;
  };
  await using page = await testPage(server);
  const socket = new WebSocket(`ws://${page.host}/api/play?name=grey`);
  socket.binaryType = "arraybuffer";
  let taken = 0;
  const closed = new Promise((resolve) => socket.addEventListener("close", resolve));
  let reads = false;
  socket.addEventListener("message", ({ data }) => {
    if (typeof data === "string") return;
    taken += data.byteLength;
    if (reads) socket.send(`${taken}`);
  });
  await until(1);
  assertEquals(actions, ["pause"]);
  assert(taken <= 2 << 20, `${taken} bytes were sent ahead`);
  reads = true;
  socket.send(`${taken}`);
  await until(2);
  assertEquals(actions.slice(0, 2), ["pause", "resume"]);
  socket.close();
  await closed;
});

Deno.test("a page that stops reading a live source has little of it under way", async () => {
  await using server = await liveServer("cam=lavfi:testsrc2=size=64x48:rate=100");
  await using page = await testPage(server);
  const socket = new WebSocket(`ws://${page.host}/api/play?name=cam`);
  const closed = new Promise((resolve) => socket.addEventListener("close", resolve));
  const begun = Promise.withResolvers<void>();
  let taken = 0;
  socket.addEventListener("message", ({ data }) => {
    if (typeof data === "string") return;
    taken++;
    begun.resolve();
  });
  await begun.promise;
  using witness = await watchLive(server, { name: "cam" });
  // What waited while FFmpeg started comes at once.
  await witness.frames(600);
  let ahead = 0;
  for (let round = 0; round < 10 && taken > ahead; round++) {
    ahead = taken;
    await witness.frames(200);
  }
  assertEquals(taken, ahead);
  assertLess(ahead, 500);
  socket.close();
  await closed;
});

Deno.test("a page that reads nothing does not delay the end of the program", async () => {
  let paused = 0;
  let news = Promise.withResolvers<void>();
  await using server = endlessServer([], () => {
    paused++;
    news.resolve();
    news = Promise.withResolvers();
  });
  await using page = await testPage(server);
  const [hostname, port] = page.host.split(":");
  const upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  using connections = new DisposableStack();
  for (const headers of ["", upgrade]) {
    const socket = connections.use(await Deno.connect({ hostname, port: Number(port) }));
    const request = `GET /api/play?name=grey HTTP/1.1\r\nHost: ${page.host}\r\n${headers}\r\n`;
    await socket.write(new TextEncoder().encode(request));
  }
  while (paused < 2) await news.promise;
  assertEquals((await page.end()).status, 130);
});

Deno.test("a play that is cut breaks its body, and is reported over a WebSocket", async () => {
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, describe(), ...Array.from({ length: 50 }, (_, at) => frame(at)));
  });
  await using page = await testPage(server);
  const response = await page.fetch("/api/play?name=grey");
  assertEquals(response.status, 200);
  await assertRejects(() => response.bytes());
  const messages = await messagesOf(page.host, "name=grey");
  assertEquals(messages.map(({ kind }) => kind).filter((kind) => kind !== "stats"), [
    "begin",
    "problem",
  ]);
  assertEquals(messages.at(-1)?.message, 'Cannot finish "grey": the connection was cut');
});

Deno.test("a refusal before the first byte is an error response", async () => {
  const refusal = message(5, '{"code":"busy","message":"Cannot serve more"}');
  await using server = new ScriptedServer((peer) => say(peer, refusal));
  await using page = await testPage(server);
  const response = await page.fetch("/api/play?name=grey");
  assertEquals(response.status, 503);
  assertEquals(await response.json(), {
    ...{ title: "Service Unavailable", status: 503 },
    ...{ code: "busy", detail: "Cannot serve more" },
  });
  const [problem] = await messagesOf(page.host, "name=grey");
  assertEquals(problem, { kind: "problem", code: "busy", message: "Cannot serve more" });
});

/** All messages of a WebSocket, whose bytes are reported as used at once. */
async function messagesOf(host: string, query: string) {
  const socket = new WebSocket(`ws://${host}/api/play?${query}`);
  socket.binaryType = "arraybuffer";
  const messages: { kind: string; [field: string]: unknown }[] = [];
  let taken = 0;
  socket.addEventListener("message", ({ data }) => {
    if (typeof data === "string") return void messages.push(JSON.parse(data));
    taken += data.byteLength;
    socket.send(`${taken}`);
  });
  await new Promise((resolve) => socket.addEventListener("close", resolve));
  return messages;
}

Deno.test("a WebSocket has messages for the head, the counters and the end", async () => {
  await media.make("b.mp4", [...pictures(FOUR), ...tone(FOUR), ...CODED]);
  await using server = await testServer({ media: media.path });
  await using page = await testPage(server);
  const messages = await messagesOf(page.host, "name=b.mp4&can=h264,aac&start=1");
  const [begin] = messages;
  assertEquals([begin.kind, begin.start, begin.duration, begin.live, begin.title], [
    ...["begin", 1, 4, false, "b.mp4"],
  ]);
  const stats = messages.filter(({ kind }) => kind === "stats").at(-1);
  assertAlmostEquals(Number(stats?.position), 4, 0.1);
  assertEquals(stats?.latencyMs, null);
  assertEquals(messages.at(-1)?.kind, "end");
  assertEquals(messages.at(-1)?.frames, stats?.frames);
});

Deno.test("a WebSocket is closed only when the page has used everything", async () => {
  await media.make("b.mp4", [...pictures(FOUR), ...tone(FOUR), ...CODED]);
  await using server = await testServer({ media: media.path });
  await using page = await testPage(server);
  const socket = new WebSocket(`ws://${page.host}/api/play?name=b.mp4&can=h264,aac`);
  socket.binaryType = "arraybuffer";
  const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener("close", resolve));
  let taken = 0;
  await new Promise<void>((resolve) =>
    socket.addEventListener("message", ({ data }) => {
      if (typeof data !== "string") taken += data.byteLength;
      else if (JSON.parse(data).kind === "end") resolve();
    })
  );
  // Gives a wrong close the time to arrive.
  for (let visit = 0; visit < 5; visit++) await (await page.fetch("/")).bytes();
  assertEquals(socket.readyState, WebSocket.OPEN);
  socket.send(`${taken}`);
  assertEquals((await closed).code, 1000);
});
