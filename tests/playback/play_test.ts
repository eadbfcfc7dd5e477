import { assertEquals, assertRejects } from "@std/assert";
import { play } from "../../lib/playback/play.ts";
import { Statistics } from "../../lib/playback/statistics.ts";
import type { ResponsePart } from "../../lib/protocol/media_response.ts";
import { Progress } from "../../lib/client/terminal/progress.ts";
import type { Presentation, Sink } from "../../lib/sinks/sink.ts";
import { DESCRIPTION, END, response, TestSink } from "../support/media/test_sink.ts";
import { GREY } from "../support/peers/scripted_server.ts";
import { pureTest } from "../support/pure_test.ts";

function playTo(
  sinks: readonly Sink[],
  parts = response(),
  signal = new AbortController().signal,
) {
  const statistics = new Statistics("get_video");
  return play(parts, { sinks, statistics, still: false, signal });
}

pureTest("play() shows every frame to all sinks, and finishes them", async () => {
  const sinks = [new TestSink(), new TestSink()];
  const result = await playTo(sinks);
  assertEquals(result.outcome, "whole");
  assertEquals(result.notes, [
    "the media is damaged: a block is missing",
    "it is done",
    "it is done",
  ]);
  for (const { calls } of sinks) {
    assertEquals(calls, [
      "begin grey false",
      ...["show 0", "show 1", "show 2", "show 3"],
      "finish true",
    ]);
  }
});

pureTest("play() goes on without a sink that is closed, and ends with the last one", async () => {
  const [closing, open] = [new TestSink("closes"), new TestSink()];
  const both = await playTo([closing, open]);
  assertEquals([both.outcome, both.failures], ["whole", []]);
  assertEquals(closing.calls.at(-1), "show 2");
  assertEquals(open.calls.at(-1), "finish true");
  assertEquals((await playTo([new TestSink("closes")])).outcome, "closed");
});

pureTest("play() finishes a recording that takes no more, alone or beside a view", async () => {
  for (const views of [[], [new TestSink()]]) {
    const recording = new TestSink("closes");
    const result = await playTo([Object.assign(recording, { isRecording: true }), ...views]);
    assertEquals(recording.calls.slice(-2), ["show 2", "finish true"]);
    assertEquals(result.outcome, views.length === 0 ? "closed" : "whole");
    assertEquals(result.notes.filter((note) => note === "it is done").length, 1 + views.length);
  }
});

for (const behaviour of ["fails", "fails to begin", "fails to finish"] as const) {
  pureTest(`play() goes on without a sink that ${behaviour}, and reports it`, async () => {
    const open = new TestSink();
    const notes: string[] = [];
    const result = await play(response(), {
      sinks: [new TestSink(behaviour), open],
      statistics: new Statistics("get_video"),
      still: false,
      onNote: (note) => notes.push(`${note}, after ${open.calls.length}`),
      signal: new AbortController().signal,
    });
    const atOnce = {
      "fails": ["Cannot go on: it fails; the rest goes on, after 3"],
      "fails to begin": ["Cannot go on: it fails to begin; the rest goes on, after 0"],
      "fails to finish": [],
    };
    assertEquals(notes, atOnce[behaviour]);
    assertEquals(result.failures.map(String), [`Error: Cannot go on: it ${behaviour}`]);
    assertEquals([result.outcome, open.calls.at(-1)], ["whole", "finish true"]);
  });

  pureTest(`play() throws if the last sink ${behaviour}`, async () => {
    await assertRejects(
      () => playTo([new TestSink(behaviour)]),
      Error,
      `Cannot go on: it ${behaviour}`,
    );
  });
}

pureTest("play() finishes the sinks of a response that is cut as not whole", async () => {
  const sink = new TestSink();
  const result = await playTo([sink], response({ until: 2, then: "cut" }));
  assertEquals([result.outcome, String(result.reason)], ["cut", "Error: the connection was cut"]);
  assertEquals(sink.calls.at(-1), "finish false");
});

pureTest("play() distinguishes a stop from a cut", async () => {
  const sink = new TestSink();
  const parts = response({ until: 2, then: "cut" });
  const result = await playTo([sink], parts, AbortSignal.abort());
  assertEquals([result.outcome, sink.calls.at(-1)], ["stopped", "finish false"]);
});

pureTest("play() counts received and dropped frames", async () => {
  const statistics = new Statistics("get_video", () => 0);
  const signal = new AbortController().signal;
  await play(response(), { sinks: [new TestSink()], statistics, still: false, signal });
  assertEquals(
    [statistics.name, statistics.frames, statistics.bytes, statistics.dropped],
    ["grey", 4, 4, 2],
  );
});

/** Plays frames with these timestamps, 25 a second, and returns the presentation. */
async function presentationOf(
  timestamps: readonly number[],
  encoding: "raw" | "copy",
  { calls = [], live = false }: { calls?: string[]; live?: boolean } = {},
) {
  let presentation: Presentation | undefined;
  const sink: Sink = {
    begin: (value) => Promise.resolve(void (presentation = value)),
    show: () => Promise.resolve(true),
    finish: () => Promise.resolve(undefined),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  async function* parts(): AsyncGenerator<ResponsePart> {
    yield { kind: "describe", description: { ...DESCRIPTION, live } };
    calls.push(`described ${presentation === undefined}`);
    for (const timestamp of timestamps) {
      const frame = { streamId: 0, timestamp, keyframe: true, data: new Uint8Array(1) };
      yield { kind: "frame", frame, dropped: false };
      calls.push(`frame ${presentation === undefined}`);
    }
    yield { kind: "end", end: END };
  }
  const statistics = new Statistics("get_video");
  const { signal } = new AbortController();
  await play(parts(), { sinks: [sink], statistics, still: false, signal, encoding, speed: 2 });
  return presentation;
}

pureTest("play() presents how far before the start encoded frames begin", async () => {
  for (const [first, lead] of [[0, 1], [1, 1], [-1, 2], [-25, 2], [-26, 3], [-250, 11]]) {
    assertEquals((await presentationOf([first, 0], "copy"))?.lead, lead, `first frame at ${first}`);
    assertEquals((await presentationOf([first, 0], "raw"))?.lead, 0);
  }
  const calls: string[] = [];
  const presentation = await presentationOf([-1, 0], "copy", { calls });
  assertEquals([presentation?.encoding, presentation?.speed], ["copy", 2]);
  assertEquals([presentation?.firstPicture, (await presentationOf([], "copy"))?.firstPicture], [
    -0.04,
    0,
  ]);
  assertEquals(calls, ["described true", "frame false", "frame false"]);
  assertEquals((await presentationOf([], "copy"))?.lead, 1);
  assertEquals((await presentationOf([175, 176], "copy", { live: true }))?.lead, 0);
  assertEquals((await presentationOf([-1, 0], "copy", { live: true }))?.lead, 2);
});

pureTest("play() shows the duration of the requested part in the progress line", async () => {
  const durationIn = async (part: { start?: number; duration?: number }, duration?: number) => {
    let line = "";
    const progress = new Progress({ draw: (text) => void (line ||= text), clear() {} });
    async function* parts(): AsyncGenerator<ResponsePart> {
      for await (const each of response()) {
        const isFirst = each.kind === "describe";
        yield isFirst ? { ...each, description: { ...DESCRIPTION, duration } } : each;
      }
    }
    await play(parts(), {
      ...{ sinks: [new TestSink()], statistics: new Statistics("get_video"), still: false },
      ...{ progress, part, signal: new AbortController().signal },
    });
    return line.match(/00:00\.0( of \S+)?/)?.[1];
  };
  assertEquals(await durationIn({}, 20), " of 00:20.0");
  assertEquals(await durationIn({ start: 18 }, 20), " of 00:02.0");
  assertEquals(await durationIn({ start: 5, duration: 3 }, 20), " of 00:03.0");
  assertEquals(await durationIn({ start: 18, duration: 3 }, 20), " of 00:02.0");
  assertEquals(await durationIn({ start: 18 }), undefined);
});

pureTest(
  "play() waits for the first video after the first audio, and keeps their order",
  async () => {
    const audio = { ...GREY, type: "audio", id: 1, sampleRate: 48_000, channels: 1 } as const;
    const data = Uint8Array.of(0);
    const leadOf = async (frames: readonly [number, number][], live = false) => {
      let presented: number[] = [];
      const shown: string[] = [];
      const sink: Sink = {
        begin: ({ lead, firstPicture }) => Promise.resolve(void (presented = [lead, firstPicture])),
        show({ streamId, timestamp, data: [value] }) {
          shown.push(`${streamId}: ${timestamp} ${value}`);
          return Promise.resolve(true);
        },
        finish: () => Promise.resolve(undefined),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      };
      async function* parts(): AsyncGenerator<ResponsePart> {
        yield { kind: "describe", description: { ...DESCRIPTION, live, streams: [GREY, audio] } };
        for (const [index, [streamId, timestamp]] of frames.entries()) {
          // The memory is reused, as on a connection.
          data[0] = index;
          yield {
            kind: "frame",
            frame: { streamId, timestamp, keyframe: true, data },
            dropped: false,
          };
        }
        yield { kind: "end", end: END };
      }
      await play(parts(), {
        ...{ sinks: [sink], statistics: new Statistics("get_video"), still: false },
        ...{ encoding: "copy", signal: new AbortController().signal },
      });
      assertEquals(shown, frames.map(([id, time], index) => `${id}: ${time} ${index}`));
      return presented;
    };
    assertEquals(await leadOf([[1, 5], [1, 6], [0, -26], [0, -25]]), [3, -1.04]);
    assertEquals(await leadOf([[1, 0], [1, 13], [0, -26]]), [1, 0]);
    assertEquals(await leadOf([[1, -30], [1, 1]]), [3, 0]);
    assertEquals(await leadOf([[1, -1], [0, 0]]), [2, 0]);
    assertEquals(await leadOf([[1, 5], [0, -26]], true), [0, 0]);
  },
);

for (
  const [what, { live, loop }, whole] of [
    ["live sources as whole", { live: true, loop: false }, true],
    ["endless rounds as whole", { live: false, loop: true }, true],
    ["videos as not whole", { live: false, loop: false }, false],
  ] as const
) {
  pureTest(`play() ends ${what} at a stop`, async () => {
    async function* parts(): AsyncGenerator<ResponsePart> {
      yield { kind: "describe", description: { ...DESCRIPTION, live } };
      const data = new Uint8Array(1);
      const frame = { streamId: 0, timestamp: 0, keyframe: true, data };
      yield { kind: "frame", frame, dropped: false };
      throw new Error("the connection was closed");
    }
    const sink = new TestSink();
    const statistics = new Statistics("get_video");
    const { outcome } = await play(parts(), {
      ...{ sinks: [sink], statistics, still: false, loop },
      signal: AbortSignal.abort(),
    });
    assertEquals([outcome, sink.calls.at(-1)], ["stopped", `finish ${whole}`]);
  });
}

pureTest("play() passes on notes and notices, and counts dropped frames", async () => {
  const texts: string[] = [];
  const statistics = new Statistics("get_video");
  async function* parts(): AsyncGenerator<ResponsePart> {
    yield { kind: "describe", description: { ...DESCRIPTION, notes: ["one", "two"] } };
    yield { kind: "notice", notice: { code: "dropped", message: "three", dropped: 9 } };
    yield { kind: "control", control: { action: "seek", to: 1 } };
    texts.push(`${statistics.dropped} dropped`);
    yield { kind: "end", end: END };
  }
  await play(parts(), {
    ...{ sinks: [new TestSink()], statistics, still: false },
    signal: new AbortController().signal,
    onNote: (note) => texts.push(note),
    onNotice: ({ message }) => texts.push(message),
  });
  assertEquals([...texts, statistics.dropped], ["one", "two", "three", "9 dropped", 2]);
});
