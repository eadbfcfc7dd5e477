import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { FormatError } from "../../../../lib/base/errors.ts";
import type { DatagramListener, DatagramSocket } from "../../../../lib/net/datagram_socket.ts";
import { CutError } from "../../../../lib/net/errors.ts";
import type { ResponsePart } from "../../../../lib/protocol/media_response.ts";
import {
  type DatagramOptions,
  receiveDatagrams,
} from "../../../../lib/protocol/script/datagrams/receiver.ts";
import { latin1 } from "../../../support/media/bytes.ts";
import { cut, smallJpeg } from "../../../support/media/jpeg_pieces.ts";
import { pureTest } from "../../../support/pure_test.ts";
import { HandClock } from "../../../support/time/hand_clock.ts";

const CAMERA = "10.0.0.1:4000";
const OTHER = "10.0.0.2:4000";

/** A port at which a test lets datagrams arrive. */
class HandSocket implements DatagramSocket {
  readonly address = { hostname: "127.0.0.1", port: 9999 };
  #listener: DatagramListener | undefined;

  listen(listener: DatagramListener): void {
    this.#listener = listener;
  }

  arrive(datagrams: readonly Uint8Array[], sender = CAMERA): void {
    for (const datagram of datagrams) this.#listener?.onDatagram(datagram, sender);
  }

  [Symbol.dispose](): void {
    this.#listener?.onClose();
  }
}

/** A response, and what makes it. */
function receive(options: Partial<DatagramOptions> = {}) {
  const [socket, clock, lines] = [new HandSocket(), new HandClock(), [] as string[]];
  const notify = (line: string) => void lines.push(line);
  const response = receiveDatagrams(socket, { name: "cam", clock, notify, ...options });
  return { socket, clock, lines, response, parts: response[Symbol.asyncIterator]() };
}

/** What tells one part from another. */
function summary(part: ResponsePart): unknown[] {
  if (part.kind === "describe") {
    const [stream] = part.description.streams;
    return [stream.codec, ...(stream.type === "video" ? [stream.width, stream.height] : [])];
  }
  if (part.kind !== "frame") return [part.kind];
  return [part.frame.timestamp, part.frame.data.byteLength, ...(part.dropped ? ["dropped"] : [])];
}

async function take(parts: AsyncIterator<ResponsePart>, count: number): Promise<unknown[][]> {
  const taken: unknown[][] = [];
  while (taken.length < count) taken.push(summary((await parts.next()).value));
  return taken;
}

const [SMALL, LARGE] = [smallJpeg(), smallJpeg({ width: 640, height: 480 })];
const SIZE = SMALL.byteLength;

pureTest("receiveDatagrams() gives JPEGs with their moment of arrival", async () => {
  const { socket, clock, parts } = receive();
  socket.arrive([SMALL]);
  const { value: { description } } = await parts.next();
  assertEquals(description, {
    name: "cam",
    live: true,
    streams: [{
      ...{ id: 0, type: "video", codec: "mjpeg", fourcc: "MJPG", timeBase: [1, 1_000_000] },
      ...{ width: 64, height: 48, extradata: new Uint8Array(0) },
    }],
  });
  const { value: { frame } } = await parts.next();
  assertEquals(frame, { streamId: 0, timestamp: 0, keyframe: true, data: SMALL });
  clock.pass(200);
  const next = take(parts, 3);
  socket.arrive([SMALL, SMALL]);
  clock.pass(0.5);
  socket.arrive([SMALL]);
  assertEquals(await next, [[200_000, SIZE], [200_001, SIZE], [200_500, SIZE]]);
});

pureTest("receiveDatagrams() describes frames of another size", async () => {
  const { socket, parts } = receive();
  socket.arrive([SMALL, LARGE, LARGE, SMALL]);
  const sizes = [["mjpeg", 64, 48], [0, SIZE], ["mjpeg", 640, 480], [1, SIZE], [2, SIZE]];
  assertEquals(await take(parts, 7), [...sizes, ["mjpeg", 64, 48], [3, SIZE]]);
});

pureTest("receiveDatagrams() says where frames are missing", async () => {
  const { socket, parts } = receive();
  const [first, ...others] = cut(SMALL, 3);
  socket.arrive([SMALL, first, ...others, first, first, ...others]);
  await take(parts, 1);
  assertEquals(await take(parts, 3), [[0, SIZE], [1, SIZE], [2, SIZE, "dropped"]]);
});

pureTest(
  "receiveDatagrams() says at most every 10 seconds how many frames lack datagrams",
  async () => {
    const { socket, parts, clock, lines } = receive();
    const [first, ...others] = cut(SMALL, 3);
    socket.arrive([SMALL, first, ...others, first, first, first, ...others]);
    await take(parts, 4);
    clock.pass(10_000);
    socket.arrive([first, first, ...others]);
    await take(parts, 1);
    const remedy = "a larger net.core.rmem_default keeps more";
    assertEquals(lines, [
      `Datagrams were lost, of 1 frame so far; ${remedy}`,
      `Datagrams were lost, of 3 frames so far; ${remedy}`,
    ]);
  },
);

pureTest("receiveDatagrams() keeps the newest frames if they are not taken", async () => {
  const { socket, parts } = receive();
  socket.arrive(Array(100).fill(SMALL));
  await take(parts, 1);
  assertEquals(await take(parts, 2), [[68, SIZE, "dropped"], [69, SIZE]]);
  await take(parts, 30);
  socket.arrive([SMALL]);
  assertEquals(await take(parts, 1), [[100, SIZE]]);
});

pureTest("receiveDatagrams() bounds the bytes that wait", async () => {
  const { socket, parts } = receive();
  const large = smallJpeg({ length: 2 ** 24 });
  for (let count = 0; count < 5; count++) socket.arrive(cut(large, 300));
  await take(parts, 1);
  assertEquals(await take(parts, 1), [[2, large.byteLength, "dropped"]]);
  await take(parts, 2);
  for (let count = 5; count < 11; count += 2) {
    socket.arrive([...cut(large, 300), ...cut(large, 300)]);
    const sizes = [[count, large.byteLength], [count + 1, large.byteLength]];
    assertEquals(await take(parts, 2), sizes);
  }
});

pureTest("receiveDatagrams() takes one sender until it is silent for 3 seconds", async () => {
  const { socket, clock, parts } = receive();
  socket.arrive([SMALL]);
  clock.pass(2000);
  socket.arrive([LARGE], OTHER);
  socket.arrive([SMALL]);
  clock.pass(2999);
  socket.arrive([LARGE], OTHER);
  clock.pass(1);
  socket.arrive([latin1("5")], OTHER);
  socket.arrive([SMALL]);
  socket.arrive([LARGE], OTHER);
  assertEquals(await take(parts, 5), [
    ...[["mjpeg", 64, 48], [0, SIZE], [2_000_000, SIZE]],
    ...[["mjpeg", 640, 480], [5_000_000, SIZE, "dropped"]],
  ]);
});

pureTest("receiveDatagrams() begins anew with the pieces of another sender", async () => {
  const { socket, clock, parts } = receive();
  const pieces = cut(LARGE, 2);
  socket.arrive([SMALL, pieces[0]]);
  clock.pass(3000);
  socket.arrive([pieces[1], SMALL], OTHER);
  assertEquals(await take(parts, 3), [
    ...[["mjpeg", 64, 48], [0, SIZE], [3_000_000, SIZE, "dropped"]],
  ]);
});

pureTest("receiveDatagrams() goes on for ever, whatever the silence", async () => {
  const { socket, clock, parts } = receive();
  socket.arrive([SMALL]);
  await take(parts, 2);
  clock.pass(1e9);
  const next = take(parts, 1);
  socket.arrive([SMALL]);
  assertEquals(await next, [[1e12, SIZE]]);
});

pureTest("receiveDatagrams() refuses a first sender that sends something else", async () => {
  const { socket, parts } = receive();
  socket.arrive([latin1("hello there")]);
  const error = await assertRejects(() => parts.next(), FormatError);
  assertMatch(error.message, /^Cannot read datagrams: 11 bytes of text "hello there", expected/);
});

pureTest("receiveDatagrams() ignores a later sender that sends something else", async () => {
  const { socket, clock, parts, lines } = receive();
  socket.arrive([SMALL]);
  clock.pass(3000);
  socket.arrive([latin1("hello there"), latin1("hello there")], OTHER);
  // It has not got the port by that.
  socket.arrive([SMALL]);
  for (let port = 0; port < 100; port++) socket.arrive([latin1("hello there")], `[::]:${port}`);
  clock.pass(3000);
  for (let port = 0; port < 100; port++) socket.arrive([latin1("hello there")], `[::]:${port}`);
  assertEquals(await take(parts, 3), [
    ...[["mjpeg", 64, 48], [0, SIZE], [3_000_000, SIZE, "dropped"]],
  ]);
  assertEquals(lines.length, 16);
  assertMatch(lines[0], /^Cannot read datagrams: 11 bytes of text/);
});

pureTest("receiveDatagrams() refuses pictures of too many pixels", async () => {
  const bomb = smallJpeg({ width: 65_000, height: 65_000 });
  const first = receive({ maxPixels: 64 * 48 });
  first.socket.arrive([bomb]);
  const error = await assertRejects(() => first.parts.next(), FormatError);
  const message = "Cannot take a frame of 65000x65000 from a script: 4225000000 pixels, " +
    "expected at most 3072";
  assertEquals(error.message, message);

  const { socket, parts, lines } = receive({ maxPixels: 64 * 48 });
  socket.arrive([SMALL, bomb, bomb, SMALL]);
  assertEquals(await take(parts, 3), [["mjpeg", 64, 48], [0, SIZE], [1, SIZE, "dropped"]]);
  assertEquals(lines, [message]);
});

pureTest("receiveDatagrams() drops JPEGs without a size", async () => {
  const { socket, parts } = receive();
  socket.arrive([Uint8Array.of(0xff, 0xd8, 0xff, 0xda, 0, 2, 1, 0xff, 0xd9), SMALL]);
  assertEquals(await take(parts, 2), [["mjpeg", 64, 48], [0, SIZE, "dropped"]]);
});

pureTest("receiveDatagrams() is over when its port is closed", async () => {
  const { socket, response, parts } = receive();
  socket.arrive([SMALL]);
  await take(parts, 2);
  const next = assertRejects(() => parts.next(), CutError, "the port was closed");
  response.abandon?.();
  response.abandon?.();
  await next;
});
