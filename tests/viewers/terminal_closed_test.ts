/** A terminal, or a pipe in its place, that takes no more. */
import { assertEquals, assertRejects } from "@std/assert";
import { OutputClosedError } from "../../lib/core/errors.ts";
import { FRAME_HEADROOM, FRAME_TAILROOM, type VideoStream } from "../../lib/core/frame.ts";
import { TerminalViewer } from "../../lib/viewers/terminal.ts";

const SIZE = { width: 64, height: 48 };

const STREAM: VideoStream = {
  ...{ id: 0, type: "video", codec: "rawvideo", fourcc: "RGB\x18", timeBase: [1, 25] },
  ...{ extradata: new Uint8Array(0), pixelFormat: "rgb24", ...SIZE },
};

/** Shows pictures until the viewer wants no more, which it does since writing fails. */
async function showToFailing(failure: Error): Promise<void> {
  const write = () => {
    throw failure;
  };
  await using viewer = new TerminalViewer({ write, size: () => ({ columns: 80, rows: 24 }) });
  const how = { still: false, encoding: "raw", speed: 1, lead: 0, firstPicture: 0 } as const;
  await viewer.begin({ name: "x", live: false, streams: [STREAM], ...how });
  const bytes = SIZE.width * SIZE.height * 3;
  const memory = new ArrayBuffer(FRAME_HEADROOM + bytes + FRAME_TAILROOM);
  const data = new Uint8Array(memory, FRAME_HEADROOM, bytes);
  let timestamp = 0;
  while (await viewer.show({ streamId: 0, timestamp: timestamp++, keyframe: true, data }));
}

Deno.test("TerminalViewer.show() wants no more once its output is closed", async () => {
  assertEquals(await showToFailing(new OutputClosedError("closed")), undefined);
});

Deno.test("TerminalViewer.show() throws what drawing failed with", async () => {
  await assertRejects(() => showToFailing(new Error("the terminal is full")), Error, "is full");
});
