/** A terminal, or a pipe in its place, that takes no more. */
import { assertEquals, assertRejects } from "@std/assert";
import { OutputClosedError } from "../../../lib/base/errors.ts";
import { FRAME_HEADROOM, FRAME_TAILROOM, type VideoStream } from "../../../lib/media/frame.ts";
import { TerminalSink } from "../../../lib/sinks/terminal/terminal.ts";

const SIZE = { width: 64, height: 48 };

const STREAM: VideoStream = {
  ...{ id: 0, type: "video", codec: "rawvideo", fourcc: "RGB\x18", timeBase: [1, 25] },
  ...{ extradata: new Uint8Array(0), pixelFormat: "rgb24", ...SIZE },
};

const HOW = { still: false, encoding: "raw", speed: 1, lead: 0, firstPicture: 0 } as const;

function picture(): Uint8Array<ArrayBuffer> {
  const bytes = SIZE.width * SIZE.height * 3;
  const memory = new ArrayBuffer(FRAME_HEADROOM + bytes + FRAME_TAILROOM);
  return new Uint8Array(memory, FRAME_HEADROOM, bytes);
}

/** Shows pictures until the viewer wants no more, which it does since writing fails. */
async function showToFailing(failure: Error): Promise<void> {
  const write = () => Promise.reject(failure);
  await using sink = new TerminalSink({ write, size: () => ({ columns: 80, rows: 24 }) });
  await sink.begin({ name: "x", live: false, streams: [STREAM], ...HOW });
  const data = picture();
  let timestamp = 0;
  while (await sink.show({ streamId: 0, timestamp: timestamp++, keyframe: true, data })) {
    // Drawing does not block show(), so that this loop would do nothing else.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

Deno.test("TerminalSink.show() returns false once its output is closed", async () => {
  assertEquals(await showToFailing(new OutputClosedError("closed")), undefined);
});

Deno.test("TerminalSink.show() throws the error of drawing", async () => {
  await assertRejects(() => showToFailing(new Error("the terminal is full")), Error, "is full");
});

Deno.test("TerminalSink leaves the screen before an error ends the program", async () => {
  let drawn = "";
  const entered = Promise.withResolvers<void>();
  await using sink = new TerminalSink({
    write: (text) => {
      drawn += text;
      if (text.includes("▀")) entered.resolve();
      return Promise.resolve();
    },
    writeNow: (text) => void (drawn += `now:${text}`),
    size: () => ({ columns: 80, rows: 24 }),
    isTerminal: true,
  });
  await sink.begin({ name: "x", live: false, streams: [STREAM], ...HOW });
  await sink.show({ streamId: 0, timestamp: 0, keyframe: true, data: picture() });
  await entered.promise;
  globalThis.dispatchEvent(new Event("unhandledrejection"));
  const [, now] = drawn.split("now:");
  assertEquals(now, "\x1b\\\x1b[?2026l\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l");
});
