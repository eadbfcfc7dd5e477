import { assertEquals, assertMatch } from "@std/assert";
import type { Frame } from "../../lib/media/frame.ts";
import { LossySink } from "../../lib/sinks/lossy_sink.ts";
import type { Presentation, Sink } from "../../lib/sinks/sink.ts";
import { mediaFolder, namesIn, pictures, run } from "../support/media/media_folder.ts";
import { GREY } from "../support/peers/scripted_server.ts";
import { testServer } from "../support/peers/test_server.ts";
import { at } from "../support/programs/run_inside.ts";
import { startProgram } from "../support/programs/running_program.ts";
import { witness } from "../support/programs/witness.ts";
import { pureTest } from "../support/pure_test.ts";
import { shownBy } from "../support/screens/players.ts";

const media = mediaFolder();

const GREYS: Presentation = {
  ...{ name: "grey", live: false, streams: [GREY], still: false, encoding: "raw" },
  ...{ speed: 1, lead: 0, firstPicture: 0 },
};

function frame(timestamp: number): Frame {
  return { streamId: 0, timestamp, keyframe: true, data: new Uint8Array([timestamp]) };
}

/** A view that runs an action for each frame, and keeps the timestamps. */
function view(show: Sink["show"], more: Partial<Sink> = {}): Sink & { shown: number[] } {
  const shown: number[] = [];
  return {
    shown,
    begin: () => Promise.resolve(),
    show(frame) {
      shown.push(frame.timestamp);
      return show(frame);
    },
    finish: () => Promise.resolve(undefined),
    [Symbol.asyncDispose]: () => Promise.resolve(),
    ...more,
  };
}

pureTest("LossySink passes everything to a view that keeps up", async () => {
  const inner = view(() => Promise.resolve(true));
  await using beside = new LossySink(inner);
  await beside.begin(GREYS);
  for (let time = 0; time < 20; time++) assertEquals(await beside.show(frame(time)), true);
  assertEquals(await beside.finish(true), undefined);
  assertEquals(inner.shown, Array.from({ length: 20 }, (_, time) => time));
});

pureTest("LossySink does not wait for a view that begins with other streams", async () => {
  const ready = Promise.withResolvers<void>();
  const begun: number[] = [];
  const inner = view(() => Promise.resolve(true), {
    async begin({ streams: [stream] }) {
      begun.push(stream.type === "video" ? stream.width : 0);
      if (begun.length > 1) await ready.promise;
    },
  });
  await using beside = new LossySink(inner);
  await beside.begin(GREYS);
  await beside.show(frame(1));
  await beside.begin({ ...GREYS, streams: [{ ...GREY, width: 32 }] });
  for (const time of [2, 3]) assertEquals(await beside.show(frame(time)), true);
  ready.resolve();
  assertEquals(await beside.finish(true), undefined);
  assertEquals([begun, inner.shown], [[16, 32], [1, 2, 3]]);
});

pureTest("LossySink drops what a view does not take in time, and reports how much", async () => {
  const free = Promise.withResolvers<boolean>();
  const inner = view(({ timestamp }) => timestamp === 0 ? free.promise : Promise.resolve(true));
  await using beside = new LossySink(inner);
  await beside.begin(GREYS);
  await beside.show(frame(0));
  // By then the view has the first one.
  await Promise.resolve();
  for (let time = 1; time < 100; time++) assertEquals(await beside.show(frame(time)), true);
  free.resolve(true);
  assertMatch(`${await beside.finish(true)}`, /^the view dropped 6\d frames$/);
  assertEquals(inner.shown.at(-1), 99);
});

pureTest("LossySink gives up a view that has stalled", async () => {
  const stuck = Promise.withResolvers<boolean>();
  const told: string[] = [];
  const inner = view(() => stuck.promise, {
    [Symbol.asyncDispose]: () => {
      stuck.resolve(false);
      return Promise.resolve();
    },
  });
  const options = { patience: 10, notify: (line: string) => void told.push(line) };
  await using beside = new LossySink(inner, options);
  await beside.begin(GREYS);
  for (let time = 0; time < 3; time++) assertEquals(await beside.show(frame(time)), true);
  await beside.finish(true);
  assertEquals(told, ["The view took nothing any more, and was closed; the recording goes on"]);
  assertEquals(inner.shown, [0]);
});

for (
  const [what, show, line] of [
    ["fails", () => Promise.reject(new Error("Cannot show it: why")), "Cannot show it: why"],
    ["is closed", () => Promise.resolve(false), "The view is closed"],
  ] as const
) {
  pureTest(`LossySink reports at once that a view ${what}, and takes no more`, async () => {
    const told: string[] = [];
    const gone = Promise.withResolvers<void>();
    const notify = (line: string) => {
      told.push(line);
      gone.resolve();
    };
    await using beside = new LossySink(view(show), { notify });
    await beside.begin(GREYS);
    assertEquals(await beside.show(frame(0)), true);
    await gone.promise;
    assertEquals(await beside.show(frame(1)), false);
    assertEquals(await beside.finish(true), undefined);
    assertEquals(told, [`${line}; the recording goes on`]);
  });
}

pureTest("LossySink gives up a view that cannot begin", async () => {
  const told: string[] = [];
  const inner = view(() => Promise.resolve(true), {
    begin: () => Promise.reject(new Error("Cannot run ffplay")),
  });
  await using beside = new LossySink(inner, { notify: (line) => void told.push(line) });
  await beside.begin(GREYS);
  assertEquals([await beside.show(frame(0)), inner.shown], [false, []]);
  assertEquals(told, ["Cannot run ffplay; the recording goes on"]);
});

pureTest("LossySink has the methods of its view for the terminal and the keys", async () => {
  const told: string[] = [];
  const plain = new LossySink(view(() => Promise.resolve(true)));
  assertEquals([plain.notify, plain.showStatus, plain.jump], [undefined, undefined, undefined]);
  const inner = view(() => Promise.resolve(true), {
    notify: (line) => void told.push(`tell ${line}`),
    showStatus: (line) => void told.push(`status ${line}`),
    pause: (paused) => void told.push(`pause ${paused}`),
    jump: () => Promise.resolve(),
  });
  const beside = new LossySink(inner);
  beside.notify?.("a");
  beside.showStatus?.("b");
  beside.pause?.(true);
  await beside.jump?.(1);
  assertEquals(told, ["tell a", "status b", "pause true"]);
});

/** A program in place of ffplay that takes some input, then runs a script. */
for (
  const [what, instead, said] of [
    [
      "dies",
      "head -c 3000 > /dev/null; echo Broken window >&2; exit 1",
      /Broken window[^\n]*; the recording goes on\n/,
    ],
    ["is killed", "head -c 3000 > /dev/null; kill -9 $$", /; the recording goes on\n/],
    ["hangs", "head -c 3000 > /dev/null; kill -STOP $$", /The view took nothing any more/],
  ] as const
) {
  Deno.test(`stream-client records everything though the window beside it ${what}`, async () => {
    await media.make("clip.mkv", [...pictures({ size: "320x240", seconds: 4 }), "-c:v", "ffv1"]);
    const place = await media.folder(`window ${what}`);
    using _player = await shownBy("ffplay");
    await using ffplay = await witness("ffplay", { instead });
    await using server = await testServer({ media: media.path });
    const asked = ["--video", "clip.mkv", "--view", "window", "--speed", "max"];
    const args = [...asked, "--output", `${place}/x.mkv`, "--json", ...at(server)];
    const env = { PATH: ffplay.path, DISPLAY: ":none", WAYLAND_DISPLAY: "" };
    await using client = startProgram("client", args, { env });
    const { code, stderr, stdout } = await client.ending();
    assertEquals([code, JSON.parse(stdout).frames], [0, 100], stderr);
    assertMatch(stderr, said);
    assertEquals(namesIn(place), ["x.mkv"]);
    const count = ["-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"];
    const found = await run("ffprobe", [...count, `file:${place}/x.mkv`]);
    assertEquals(new TextDecoder().decode(found).trim(), "100");
  });
}
