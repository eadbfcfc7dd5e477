/** Messages of data streams, printed, and written beside recordings. */
import { assert, assertAlmostEquals, assertEquals, assertMatch } from "@std/assert";
import { encodeMessage } from "../../../lib/protocol/native/framing.ts";
import { encodeDescription } from "../../../lib/protocol/native/response.ts";
import { mediaFolder, namesIn } from "../../support/media/media_folder.ts";
import { momentsOf } from "../../support/media/moments.ts";
import { Camera } from "../../support/peers/camera.ts";
import { LiveServer } from "../../support/peers/changing_source.ts";
import {
  frame,
  GREY,
  message,
  say,
  ScriptedServer,
  untilGone,
} from "../../support/peers/scripted_server.ts";
import { dataStream, TestPublisher } from "../../support/peers/test_publisher.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";
import { startProgram } from "../../support/programs/running_program.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

const media = mediaFolder();

/** Id of the first data stream as viewers get it. */
const DATA = 2;

interface Line {
  time: number;
  stream: number;
  value: unknown;
}

function linesOf(text: string): Line[] {
  return text.trimEnd().split("\n").map((line) => JSON.parse(line));
}

async function linesIn(path: string): Promise<Line[]> {
  return linesOf(await Deno.readTextFile(path));
}

Deno.test("--data - prints a line for each message, in order, and asks for nothing else", async () => {
  await using source = await LiveServer.start();
  const { publisher } = source;
  const values = [{ boxes: [[1, 2, 3, 4]] }, "two\nlines", 3, null, "\x1b[2J\u{9b}"];
  const { status, stdout, stderr } = await source.play(["--data", "-"], async ({ publish }) => {
    await publish({
      ...{ width: 64, height: 48, frames: values.length },
      data: [dataStream(8), dataStream(9, "bytes"), dataStream(10)],
      async before(frame, timestamp) {
        await publisher.say(8, timestamp + 7, values[frame]);
      },
    });
    await publisher.send({ streamId: 9, timestamp: 6000, data: Uint8Array.of(0, 255, 10) });
    const data = new TextEncoder().encode('no "JSON"');
    await publisher.send({ streamId: 10, timestamp: 6001, data });
    const spaced = new TextEncoder().encode(' {"big": 12345678901234567890,\r\n\t"x": 1 } ');
    await publisher.send({ streamId: 10, timestamp: 6002, data: spaced });
  });
  assertEquals(status, 0, stderr);
  const lines = linesOf(stdout);
  assertEquals(lines.slice(0, 5).map(({ value }) => value), values);
  assertEquals(lines.slice(0, 5).map(({ time }) => time), [0, 0.04, 0.08, 0.12, 0.16]);
  assertEquals(lines.map(({ stream }) => stream), [2, 2, 2, 2, 2, 3, 4, 4]);
  assertEquals(lines[5], { time: 0.993, stream: 3, value: "AP8K" });
  assertEquals(lines[6].value, 'no "JSON"');
  assertMatch(stdout, /"value":\{"big": 12345678901234567890, {1,2}"x": 1 \}\}\n$/);
  assert(!/[^\x20-\x7e\n]/.test(stdout), "control characters are escaped");
  assertMatch(stderr, /^Received 8 messages in /);
});

Deno.test("--data - is seen by a pipe at once", async () => {
  await using server = await testServer({ media: media.path });
  using publisher = await TestPublisher.begin(server.address.port, { name: "gps", onDemand: true });
  await publisher.describe(dataStream(0));
  await using client = startProgram("client", ["--video", "gps", "--data", "-", ...at(server)]);
  await publisher.asked("resume");
  for (const value of [1, 2]) {
    await publisher.say(0, value * 500, { value });
    await client.stdout.until(new RegExp(`"stream":${DATA},"value":\\{"value":${value}\\}\\}\n$`));
  }
  await publisher.finish();
  const { code, stdout } = await client.ending();
  assertEquals([code, linesOf(stdout).map(({ time }) => time)], [0, [0, 0.5]]);
});

Deno.test("--data counts messages in --json, and times from the first frame beside a view", async () => {
  await using source = await LiveServer.start();
  const path = media.pathOf("beside.jsonl");
  const { status, stdout, stderr } = await source.play(
    ["--data", path, "--view", "none", "--json"],
    async ({ publish, publisher }) => {
      await publish({
        ...{ width: 64, height: 48, frames: 3, data: [dataStream(1)] },
        // Before the frame, though later by its time.
        before: (frame, timestamp) => publisher.say(1, timestamp + 5, frame),
      });
    },
  );
  const { frames, messages, bytes } = JSON.parse(stdout);
  assertEquals([status, frames, messages, bytes], [0, 3, 3, 3 * 64 * 48 + 3], stderr);
  assertEquals((await linesIn(path)).map(({ time }) => time), [0.005, 0.045, 0.085]);
});

Deno.test("a recording has its messages beside it, on its own timeline, in each of its files", async () => {
  await using source = await LiveServer.start();
  const folder = await media.folder("beside");
  const { status, stderr } = await source.play(
    ["--output", `${folder}/cam.mkv`],
    async ({ publish, publisher }) => {
      for (const [width, height] of [[64, 48], [128, 96]]) {
        await publish({
          ...{ width, height, frames: 6, data: [dataStream(1)] },
          async before(frame, timestamp) {
            if (frame % 2 === 1) await publisher.say(1, timestamp, { width, frame });
          },
        });
      }
    },
  );
  assertEquals(status, 0, stderr);
  assertMatch(stderr, /; wrote ".*cam\.mkv"; its data is in ".*cam\.jsonl"; wrote ".*cam-2\.mkv"/);
  assertEquals(namesIn(folder), ["cam-2.jsonl", "cam-2.mkv", "cam.jsonl", "cam.mkv"]);
  for (const [name, width] of [["cam", 64], ["cam-2", 128]] as const) {
    const lines = await linesIn(`${folder}/${name}.jsonl`);
    const moments = (await momentsOf(`${folder}/${name}.mkv`)).toSorted((a, b) => a - b);
    assertEquals(lines.map(({ value }) => value), [1, 3, 5].map((frame) => ({ width, frame })));
    for (const [index, { time }] of lines.entries()) {
      assertAlmostEquals(time, moments[2 * index + 1], 0.002, name);
    }
  }
});

Deno.test("a recording that FFmpeg ends by itself has its messages beside it", async () => {
  const folder = await media.folder("ended");
  await using server = await testServer({ media: media.path });
  using publisher = await TestPublisher.begin(server.address.port, { name: "cam" });
  await publisher.describe({ ...GREY, extradata: undefined }, dataStream(1));
  await using _camera = new Camera(publisher, (time) => [
    { streamId: 1, data: new TextEncoder().encode("[]") },
    { timestamp: time / 40, data: new Uint8Array(256) },
  ]);
  const output = ["--output", `${folder}/cam.mkv`, ...at(server), "--", "-frames:v", "3"];
  const { status, stderr } = await runInside(["--video", "cam", ...output]);
  assertEquals(status, 0, stderr);
  assertMatch(stderr, /; wrote ".*cam\.mkv"; its data is in ".*cam\.jsonl"/);
  assertEquals(namesIn(folder), ["cam.jsonl", "cam.mkv"]);
  assertEquals((await momentsOf(`${folder}/cam.mkv`)).length, 3);
});

Deno.test("messages beside a recording count from sound that begins before the pictures", async () => {
  await using source = await LiveServer.start();
  const { publisher } = source;
  const folder = await media.folder("sound");
  const { status, stderr } = await source.play(["--output", `${folder}/cam.mp4`], async () => {
    const sound = { id: 1, type: "audio", codec: "pcm_s16le", timeBase: [1, 8000] } as const;
    await publisher.describe(
      { ...GREY, extradata: undefined, timeBase: [1, 1000] },
      { ...sound, sampleRate: 8000, channels: 1 },
      dataStream(2),
    );
    for (let step = 0; step < 10; step++) {
      const timestamp = 5000 + 40 * step;
      // 40 ms.
      await publisher.send({ streamId: 1, timestamp: timestamp * 8, data: new Uint8Array(640) });
      if (step < 2) continue;
      await publisher.send({ timestamp, data: new Uint8Array(256) });
      await publisher.say(2, timestamp, step);
    }
  });
  assertEquals(status, 0, stderr);
  const [first] = await linesIn(`${folder}/cam.jsonl`);
  const pictures = await momentsOf(`${folder}/cam.mp4`, "v");
  assertAlmostEquals(Math.min(...pictures), 0.08, 0.002);
  assertEquals([first.value, first.time], [2, 0.08]);
});

Deno.test("a recording of a source without messages has no file of them", async () => {
  await using source = await LiveServer.start();
  const folder = await media.folder("none");
  // Of something else.
  await Deno.writeTextFile(`${folder}/cam.jsonl`, "precious");
  const { status, stderr } = await source.play(
    ["--output", `${folder}/cam.mkv`],
    ({ publish }) => publish({ width: 64, height: 48, frames: 3 }),
  );
  assertEquals(status, 0, stderr);
  assertEquals(namesIn(folder), ["cam.jsonl", "cam.mkv"]);
  assertEquals(await Deno.readTextFile(`${folder}/cam.jsonl`), "precious");
});

for (
  const [what, flags] of [
    ["beside a recording", (folder: string) => ["--output", `${folder}/x.mkv`]],
    ["of --data", (folder: string) => ["--data", `${folder}/x.jsonl`]],
  ] as const
) {
  Deno.test(`a file ${what} that exists is not touched without --overwrite`, async () => {
    const folder = await media.folder(`kept ${what}`);
    const path = `${folder}/x.jsonl`;
    await Deno.writeTextFile(path, "precious\n".repeat(100));
    for (const overwrite of [[], ["--overwrite"]]) {
      await using server = await testServer({ media: media.path });
      using publisher = await TestPublisher.begin(server.address.port, { name: "cam" });
      const video = { ...GREY, extradata: undefined };
      await publisher.describe(video, dataStream(1));
      await using _camera = new Camera(publisher, (time) => [
        { streamId: 1, data: new TextEncoder().encode("[]") },
        { timestamp: time / 40, data: new Uint8Array(256) },
      ]);
      const { status, stderr } = await runInside([
        ...["--video", "cam", ...flags(folder), ...overwrite, "--duration", "0.1"],
        ...at(server),
      ]);
      if (overwrite.length > 0) {
        assertEquals(status, 0, stderr);
        assertEquals((await linesIn(path))[0].stream, DATA);
      } else {
        assertEquals(status, 1);
        assertMatch(stderr, /Cannot write ".*x\.jsonl": the file exists, replace it with --overw/);
        assertEquals(namesIn(folder), ["x.jsonl"]);
        assertEquals(await Deno.readTextFile(path), "precious\n".repeat(100));
      }
    }
  });
}

Deno.test("a recording goes on without its messages if a file is in their way by the time", async () => {
  await using source = await LiveServer.start();
  const folder = await media.folder("late");
  await Deno.writeTextFile(`${folder}/cam.jsonl`, "precious");
  const { status, stderr } = await source.play(
    ["--output", `${folder}/cam.mkv`],
    async ({ publish, publisher }) => {
      await publish({ width: 64, height: 48, frames: 3 });
      const before = (_: number, timestamp: number) => publisher.say(1, timestamp, "late");
      await publish({ width: 64, height: 48, frames: 3, data: [dataStream(1)], before });
    },
  );
  assertEquals(status, 0, stderr);
  assertMatch(stderr, /; wrote ".*cam\.mkv"; Cannot write ".*cam\.jsonl": the file exists/);
  assertEquals(namesIn(folder), ["cam.jsonl", "cam.mkv"]);
  assertEquals((await momentsOf(`${folder}/cam.mkv`)).length, 6);
});

Deno.test("a recording of a source of data alone is refused, and --data advised", async () => {
  await using server = await testServer({ media: media.path });
  using publisher = await TestPublisher.begin(server.address.port, { name: "gps" });
  await publisher.describe(dataStream(0));
  const path = media.pathOf("gps.mkv");
  await using _sending = new Camera(publisher, () => ({ data: new TextEncoder().encode("1") }));
  const args = ["--video", "gps", "--output", path, ...at(server)];
  const { status, stderr } = await runInside(args);
  assertEquals(status, 1);
  assertMatch(stderr, /^Cannot write ".*gps\.mkv": "gps" has only data, expected --data FILE/m);
});

Deno.test("--data goes on after a reconnect, on one timeline", async () => {
  const clock = new HandClock({ skips: true });
  const data = [{ id: 2, type: "data", codec: "json", timeBase: [1, 1000] }] as const;
  const described = encodeMessage(
    "describe",
    encodeDescription({ name: "cam", live: true, streams: [], data: [...data] }),
  );
  const text = (timestamp: number, value: string) => {
    const bytes = frame(timestamp, { streamId: 2, size: value.length });
    bytes.set(new TextEncoder().encode(value), bytes.length - value.length);
    return bytes;
  };
  const report = { frames: 0, audioFrames: 0, dropped: 0, reason: "end" };
  const end = message(
    4,
    JSON.stringify({ ...report, bytes: 3, streams: [{ id: 2, frames: 1, bytes: 3 }] }),
  );
  await using server = new ScriptedServer(async (peer, { index }) => {
    if (index === 0) await say(peer, described, text(5000, "1"), text(5250, "2"));
    else await say(peer, described, text(0, '"3"'), end);
  });
  const { status, stdout, stderr } = await runInside(["--video", "--data", "-", ...at(server)], {
    environment: { clock },
  });
  assertEquals(status, 0, stderr);
  const lines = linesOf(stdout);
  assertEquals(lines.map(({ value }) => value), [1, 2, "3"]);
  assertEquals(lines.slice(0, 2).map(({ time }) => time), [0, 0.25]);
  assertAlmostEquals(lines[2].time, 0.25 + clock.waits[0] / 1000, 0.002);
});

Deno.test("--data alone ends with an error if a server sends pictures in its place", async () => {
  const streams = [GREY];
  const described = encodeDescription({ name: "clip.mp4", live: false, streams, etag: "one" });
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, encodeMessage("describe", described));
    await untilGone(peer);
  });
  const args = ["--video", "clip.mp4", "--data", "-", ...at(server)];
  const { status, stdout, stderr } = await runInside(args);
  assertEquals([status, stdout], [1, ""]);
  assertMatch(stderr, /^Cannot get data of "clip\.mp4": it has none$/m);
});

Deno.test("--list shows published sources, and those of data alone", async () => {
  await using server = await testServer({ media: media.path });
  using camera = await TestPublisher.begin(server.address.port, { name: "cam" });
  using gps = await TestPublisher.begin(server.address.port, { name: "gps" });
  await camera.describe({ ...GREY, extradata: undefined }, dataStream(1));
  await gps.describe(dataStream(0));
  // Its answer comes behind the descriptions.
  for (const publisher of [camera, gps]) {
    await publisher.connection.send("ping", new Uint8Array());
    await publisher.until("pong");
  }
  const { stdout } = await runInside(["--list", ...at(server)]);
  assertMatch(stdout, /^cam +video, live, published +- +- +rawvideo\+json +16x16$/m);
  assertMatch(stdout, /^gps +data, live, published +- +- +json +-$/m);
  const json = await runInside(["--list", "--json", ...at(server)]);
  const { entries } = JSON.parse(json.stdout);
  const published = entries.filter((entry: { published?: boolean }) => entry.published);
  assertEquals(published.map(({ kind }: { kind: string }) => kind), ["video", "data"]);
});
