import { assertEquals, assertRejects } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import type { VideoStream } from "../../../lib/media/frame.ts";
import type { OpenResponse, ResponsePart } from "../../../lib/protocol/media_response.ts";
import { SharedPictures } from "../../../lib/web/addresses/pictures.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

const STALL = 30_000;

const VIDEO: VideoStream = {
  ...{ id: 0, type: "video", codec: "mjpeg", fourcc: "MJPG", timeBase: [1, 25] },
  ...{ width: 64, height: 48, extradata: new Uint8Array(0) },
};

/** A response whose parts a test gives. */
class HandResponse implements OpenResponse {
  isClosed = false;
  #parts = new TransformStream<ResponsePart, ResponsePart>(
    undefined,
    { highWaterMark: 100 },
    { highWaterMark: 100 },
  );
  #writer = this.#parts.writable.getWriter();

  constructor(signal: AbortSignal) {
    signal.addEventListener("abort", () => this.#writer.abort(signal.reason).catch(() => {}));
  }

  [Symbol.asyncIterator](): AsyncIterator<ResponsePart> {
    return this.#parts.readable[Symbol.asyncIterator]();
  }

  describe(streams = [VIDEO]): void {
    this.#give({ kind: "describe", description: { name: "cam", live: true, streams } });
  }

  show(text: string): void {
    const data = new TextEncoder().encode(text);
    const frame = { streamId: 0, timestamp: 0, keyframe: true, data };
    this.#give({ kind: "frame", frame, dropped: false });
  }

  async end(): Promise<void> {
    await this.#writer.close();
  }

  [Symbol.dispose](): void {
    this.isClosed = true;
  }

  #give(part: ResponsePart): void {
    this.#writer.write(part);
  }
}

/** Pictures of a response that a test gives, and what became of it. */
function sharedPictures(clock = new HandClock()) {
  let response: HandResponse | undefined;
  let opened = 0;
  const control = new AbortController();
  const pictures = new SharedPictures({
    open: (signal) => {
      opened++;
      response = new HandResponse(signal);
      return Promise.resolve(response);
    },
    ...{ stall: STALL, clock, signal: control.signal },
  });
  if (response === undefined) throw new Error("Cannot test: nothing was opened");
  return { pictures, response, control, opened: () => opened };
}

const FOREVER = new AbortController().signal;

/** Reads the pictures of a stream, one at a time. */
class PictureReader {
  #reader: ReadableStreamDefaultReader<Uint8Array>;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  /** The text of the next picture; `undefined` at the end. */
  async next(): Promise<string | undefined> {
    const { value } = await this.#reader.read();
    const text = new TextDecoder().decode(value);
    if (text === "--frame\r\n") return await this.next();
    return text.split("\r\n\r\n")[1]?.split("\r\n")[0];
  }

  async leave(): Promise<void> {
    await this.#reader.cancel();
  }
}

/** Lets everything that is ready run. */
async function settled(): Promise<void> {
  await new Promise<void>((resolve) => setTimeout(resolve, 0));
}

Deno.test("SharedPictures gives a slow reader the newest picture, and a quick one all", async () => {
  const { pictures, response, opened } = sharedPictures();
  response.describe();
  const [quick, slow] = [
    new PictureReader(await pictures.read(FOREVER)),
    new PictureReader(await pictures.read(FOREVER)),
  ];
  const seen: (string | undefined)[] = [];
  for (const text of ["a", "b", "c"]) {
    response.show(text);
    seen.push(await quick.next());
  }
  assertEquals(seen, ["a", "b", "c"]);
  assertEquals(await slow.next(), "c");
  const late = new PictureReader(await pictures.read(FOREVER));
  assertEquals(await late.next(), "c");
  assertEquals([pictures.readers, opened()], [3, 1]);
  for (const reader of [quick, slow, late]) await reader.leave();
  await pictures.ended;
  assertEquals([pictures.readers, response.isClosed], [0, true]);
});

Deno.test("SharedPictures ends its readers behind the newest picture", async () => {
  const { pictures, response } = sharedPictures();
  response.describe();
  const reader = new PictureReader(await pictures.read(FOREVER));
  response.show("last");
  await response.end();
  await pictures.ended;
  assertEquals([await reader.next(), await reader.next()], ["last", undefined]);
});

Deno.test("SharedPictures cuts a reader that takes nothing, and no other", async () => {
  const clock = new HandClock();
  const { pictures, response } = sharedPictures(clock);
  response.describe();
  const [quick, stuck] = [await pictures.read(FOREVER), await pictures.read(FOREVER)];
  const reader = new PictureReader(quick);
  for (const text of ["a", "b"]) {
    response.show(text);
    assertEquals(await reader.next(), text);
    clock.pass(STALL);
  }
  // It waits for a picture: the source is slow, and not the reader.
  const next = reader.next();
  await settled();
  clock.pass(1);
  response.show("c");
  assertEquals(await next, "c");
  await assertRejects(
    async () => {
      for await (const _ of stuck);
    },
    Error,
    "the reader takes no pictures",
  );
  assertEquals(pictures.readers, 1);
  await reader.leave();
  await pictures.ended;
});

Deno.test("SharedPictures refuses what has no pictures, and reports why it was refused", async () => {
  const silent = sharedPictures();
  silent.response.describe([]);
  const waiting = silent.pictures.read(FOREVER);
  await assertRejects(() => waiting, RequestError, 'Cannot show pictures of "cam": it has none');
  await silent.pictures.ended;
  const raw = sharedPictures();
  raw.response.describe([{ ...VIDEO, codec: "rawvideo" }]);
  await assertRejects(() => raw.pictures.read(FOREVER), RequestError, "as rawvideo, not as JPEG");
  const refused = new SharedPictures({
    open: () => Promise.reject(new RequestError("busy", "Cannot serve more")),
    ...{ stall: STALL, clock: new HandClock(), signal: FOREVER },
  });
  await assertRejects(() => refused.read(FOREVER), RequestError, "Cannot serve more");
});

Deno.test("SharedPictures ends when the last of those who wait for it leaves", async () => {
  const { pictures, response } = sharedPictures();
  const left = new AbortController();
  const waiting = [pictures.read(left.signal), pictures.read(left.signal)];
  assertEquals(pictures.readers, 2);
  left.abort(new Error("left"));
  for (const each of waiting) await assertRejects(() => each, Error, "left");
  await pictures.ended;
  assertEquals(response.isClosed, true);
});

Deno.test("SharedPictures ends with the server", async () => {
  const { pictures, response, control } = sharedPictures();
  response.describe();
  const reader = new PictureReader(await pictures.read(FOREVER));
  control.abort();
  await pictures.ended;
  assertEquals(await reader.next(), undefined);
});
