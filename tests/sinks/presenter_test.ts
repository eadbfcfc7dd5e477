import { assertEquals } from "@std/assert";
import type { DataStream } from "../../lib/media/frame.ts";
import { Presenter } from "../../lib/sinks/presenter.ts";
import { GREY } from "../support/peers/scripted_server.ts";
import { pureTest } from "../support/pure_test.ts";

const SMALL = { name: "cam", live: true, streams: [{ ...GREY, codec: "h264" }] };
const LARGE = { ...SMALL, streams: [{ ...GREY, codec: "h264", width: 32 }] };

function data(id: number): DataStream {
  return { id, type: "data", codec: "json", timeBase: [1, 1000] };
}

function frame(streamId: number) {
  return { streamId, timestamp: 40, keyframe: true, data: new Uint8Array(1) };
}

/** A presenter of packets, and the calls of its sink. */
function recorded(): { presenter: Presenter; calls: string[] } {
  const calls: string[] = [];
  const call = (text: string) => Promise.resolve(calls.push(text) > 0);
  const presenter = new Presenter({
    async begin({ streams: [stream], data = [] }) {
      const size = stream.type === "video" ? stream.width : 0;
      await call(`begin ${size} ${data.map(({ id }) => id)}`);
    },
    show: ({ streamId }) => call(`show ${streamId}`),
    takeMessage: ({ stream, time }) => call(`message ${stream.id} ${time}`),
  }, { still: false, encoding: "copy" });
  return { presenter, calls };
}

pureTest("Presenter passes held messages on as those of their own description", async () => {
  const { presenter, calls } = recorded();
  await presenter.describe({ ...SMALL, data: [data(2)] });
  await presenter.show(frame(2));
  await presenter.describe({ ...LARGE, data: [data(3)] });
  await presenter.show(frame(3));
  await presenter.show(frame(0));
  assertEquals(calls, [
    ...["begin 16 2", "message 2 0.04"],
    ...["begin 32 3", "message 3 0.04", "show 0"],
  ]);
});

pureTest("Presenter begins with the data streams of the newest description", async () => {
  const { presenter, calls } = recorded();
  await presenter.describe({ ...SMALL, data: [data(2)] });
  await presenter.show(frame(2));
  await presenter.describe({ ...SMALL, data: [data(3)] });
  await presenter.show(frame(3));
  await presenter.show(frame(0));
  assertEquals(calls, ["begin 16 3", "message 2 0.04", "message 3 0.04", "show 0"]);
});
