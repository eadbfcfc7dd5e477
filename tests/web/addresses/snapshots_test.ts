import { assertEquals, assertRejects } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import type { VideoStream } from "../../../lib/media/frame.ts";
import type { MediaRequest } from "../../../lib/protocol/native/request.ts";
import type { OpenResponse, ResponsePart } from "../../../lib/protocol/media_response.ts";
import { Snapshots } from "../../../lib/web/addresses/snapshots.ts";

const VIDEO: VideoStream = {
  ...{ id: 0, type: "video", codec: "mjpeg", fourcc: "MJPG", timeBase: [1, 25] },
  ...{ width: 64, height: 48, extradata: new Uint8Array(0) },
};

const REQUEST: MediaRequest = { command: "get_image", name: "cam", encoding: "mjpeg" };

const NEVER = new AbortController().signal;

/** A response of parts that wait for a promise. */
function responseOf(parts: ResponsePart[], ready: Promise<void> = Promise.resolve()): OpenResponse {
  return {
    async *[Symbol.asyncIterator]() {
      await ready;
      yield* parts;
    },
    [Symbol.dispose]() {},
  };
}

/** Description and one picture. */
function picture(text: string): ResponsePart[] {
  const data = new TextEncoder().encode(text);
  return [
    { kind: "describe", description: { name: "cam", live: true, streams: [VIDEO] } },
    { kind: "frame", frame: { streamId: 0, timestamp: 0, keyframe: true, data }, dropped: false },
  ];
}

Deno.test("Snapshots gets a picture once for all who ask for the same meanwhile", async () => {
  const ready = Promise.withResolvers<void>();
  let opened = 0;
  const open = () => {
    opened++;
    return Promise.resolve(responseOf(picture(`JPEG ${opened}`), ready.promise));
  };
  const snapshots = new Snapshots({ open, signal: NEVER });
  const waiting = [snapshots.get(REQUEST), snapshots.get({ ...REQUEST }), snapshots.get(REQUEST)];
  ready.resolve();
  const texts = (await Promise.all(waiting)).map((bytes) => new TextDecoder().decode(bytes));
  assertEquals([texts, opened], [["JPEG 1", "JPEG 1", "JPEG 1"], 1]);
  assertEquals(new TextDecoder().decode(await snapshots.get(REQUEST)), "JPEG 2");
});

Deno.test("Snapshots makes four pictures at once, and refuses to let too many wait", async () => {
  const ready = Promise.withResolvers<void>();
  let opened = 0;
  const open = () => {
    opened++;
    return Promise.resolve(responseOf(picture("JPEG"), ready.promise));
  };
  const snapshots = new Snapshots({ open, signal: NEVER });
  const waiting = Array.from(
    { length: 64 },
    (_, at) => snapshots.get({ ...REQUEST, width: at + 1 }),
  );
  const refused = await assertRejects(() => snapshots.get(REQUEST), RequestError, "64 others");
  assertEquals([refused.code, opened], ["busy", 4]);
  ready.resolve();
  await Promise.all(waiting);
  assertEquals(opened, 64);
});

Deno.test("Snapshots gives up if no picture comes", async () => {
  const open = (_: MediaRequest, signal: AbortSignal) => {
    const never = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => never.reject(signal.reason));
    return Promise.resolve(responseOf([], never.promise));
  };
  const snapshots = new Snapshots({ open, timeout: 1, signal: NEVER });
  const error = await assertRejects(
    () => snapshots.get(REQUEST),
    RequestError,
    "none came in time",
  );
  assertEquals(error.code, "busy");
});

Deno.test("Snapshots finds that a response has no picture", async () => {
  const open = () => Promise.resolve(responseOf(picture("").slice(0, 1)));
  const snapshots = new Snapshots({ open, signal: NEVER });
  const error = await assertRejects(() => snapshots.get(REQUEST), RequestError, 'Cannot get "cam"');
  assertEquals(error.code, "not_found");
});
