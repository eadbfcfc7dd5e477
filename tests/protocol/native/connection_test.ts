import {
  assertEquals,
  assertNotStrictEquals,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { ByteReader, fromSocket } from "../../../lib/base/byte_reader.ts";
import { ByteWriter } from "../../../lib/base/byte_writer.ts";
import { FormatError, TruncatedError } from "../../../lib/base/errors.ts";
import { type Frame, FRAME_HEADROOM, FRAME_TAILROOM } from "../../../lib/media/frame.ts";
import type { ObservedMessage } from "../../../lib/net/observer.ts";
import { Connection, type Message } from "../../../lib/protocol/native/connection.ts";
import { encodeFrame, encodeMessage, HEADER_LENGTH } from "../../../lib/protocol/native/framing.ts";
import { concat, sample, socketOf, STEPS } from "../../support/media/bytes.ts";
import { pureTest } from "../../support/pure_test.ts";

/** Writes to nowhere, at most `step` bytes a turn, and keeps what was written. */
function recorder(step: number = Infinity): { writer: ByteWriter; written: number[] } {
  const written: number[] = [];
  const write = async (bytes: Uint8Array) => {
    await Promise.resolve();
    const part = bytes.subarray(0, step);
    written.push(...part);
    return part.length;
  };
  return { writer: new ByteWriter({ write }, { stallTimeout: 10_000, onStall() {} }), written };
}

/** The receiving end of a connection whose peer sent some bytes and ended. */
function receiver(bytes: Uint8Array, step?: number): Connection {
  return new Connection(new ByteReader(fromSocket(socketOf(bytes, step))), recorder().writer);
}

/** The sending end of a connection whose peer says nothing. */
function sender(writer: ByteWriter): Connection {
  return new Connection(new ByteReader(fromSocket(socketOf(sample(0)))), writer);
}

function frameOf(size: number, fields: Partial<Frame> = {}): Frame {
  const data = new Uint8Array(FRAME_HEADROOM + size + FRAME_TAILROOM)
    .subarray(FRAME_HEADROOM, FRAME_HEADROOM + size);
  data.set(sample(size));
  return { streamId: 1, timestamp: -3, keyframe: true, data, ...fields };
}

async function receiveAll(connection: Connection): Promise<Message[]> {
  const messages: Message[] = [];
  while (true) {
    const message = await connection.receive();
    if (message === undefined) return messages;
    messages.push(message);
  }
}

for (const step of [...STEPS, 17]) {
  pureTest(`receive() gives messages one after another, by ${step}`, async () => {
    const bytes = concat(
      encodeMessage("ping", new Uint8Array(0), { timestamp: 1_767_225_600_000_000 }),
      encodeFrame(frameOf(100), { dropped: true }),
      encodeMessage("error", sample(300)),
      encodeFrame(frameOf(50, { captured: 2 ** 50, discontinuity: true })),
      encodeMessage("notice", sample(2)),
      encodeFrame(frameOf(0, { captured: 0 })),
      encodeFrame(frameOf(0, { streamId: 0, timestamp: 2 ** 40, keyframe: false })),
    );
    assertEquals<unknown>(await receiveAll(receiver(bytes, step)), [
      { kind: "ping", payload: new Uint8Array(0), timestamp: 1_767_225_600_000_000 },
      {
        ...{ kind: "frame", streamId: 1, timestamp: -3, keyframe: true, dropped: true },
        ...{ discontinuity: false, data: sample(100) },
      },
      { kind: "error", payload: sample(300), timestamp: 0 },
      {
        ...{ kind: "frame", streamId: 1, timestamp: -3, keyframe: true, dropped: false },
        ...{ discontinuity: true, captured: 2 ** 50, data: sample(50) },
      },
      { kind: "notice", payload: sample(2), timestamp: 0 },
      {
        ...{ kind: "frame", streamId: 1, timestamp: -3, keyframe: true, dropped: false },
        ...{ discontinuity: false, captured: 0, data: new Uint8Array(0) },
      },
      {
        ...{ kind: "frame", streamId: 0, timestamp: 2 ** 40, keyframe: false, dropped: false },
        ...{ discontinuity: false, data: new Uint8Array(0) },
      },
    ]);
  });

  pureTest(`receive() tells a cut connection from an ended one, by ${step}`, async () => {
    const whole = encodeMessage("error", sample(30));
    for (let length = 1; length < whole.length; length++) {
      const connection = receiver(whole.subarray(0, length), step);
      await assertRejects(() => connection.receive(), TruncatedError);
    }
    assertStrictEquals(await receiver(new Uint8Array(0), step).receive(), undefined);
  });
}

pureTest("receive() leaves room around a frame's data", async () => {
  for (const [captured, extra] of [[undefined, 0], [1, 8]] as const) {
    const message = await receiver(encodeFrame(frameOf(100, { captured }))).receive();
    const data = message?.kind === "frame" ? message.data : new Uint8Array(0);
    assertStrictEquals(data.byteOffset, FRAME_HEADROOM + extra);
    assertStrictEquals(data.buffer.byteLength, FRAME_HEADROOM + extra + 100 + FRAME_TAILROOM);
  }
});

pureTest("recycle() lets the next frame use the memory", async () => {
  const size = 70_000;
  const captures = [5, 6, undefined];
  const sent = concat(...captures.map((captured) => encodeFrame(frameOf(size, { captured }))));
  const connection = receiver(sent);
  const frames: ArrayBuffer[] = [];
  for (const [at, recycled] of [true, false, false].entries()) {
    const message = await connection.receive();
    if (message?.kind !== "frame") throw new Error("Cannot go on: no frame came");
    assertStrictEquals(message.data.byteLength, size);
    assertStrictEquals(message.captured, captures[at]);
    frames.push(message.data.buffer);
    if (recycled) connection.recycle(message);
  }
  assertStrictEquals(frames[1], frames[0]);
  assertNotStrictEquals(frames[2], frames[1]);
});

pureTest("receive() refuses kinds that are not taken before it reads their payload", async () => {
  let wanted = 0;
  const header = encodeFrame(frameOf(50_000)).subarray(0, HEADER_LENGTH);
  const socket = fromSocket(socketOf(header));
  const reader = new ByteReader({
    read(target, min) {
      wanted += min;
      return socket.read(target, min);
    },
    cancel: () => Promise.resolve(),
  });
  const connection = new Connection(reader, recorder().writer);
  const error = await assertRejects(
    () => connection.receive({ accept: ["request", "ping"] }),
    FormatError,
  );
  assertStrictEquals(error.message, "Cannot take a message of kind frame: expected request, ping");
  assertStrictEquals(wanted, HEADER_LENGTH);
});

pureTest("receive() refuses bytes that are no message", async () => {
  const connection = receiver(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
  await assertRejects(() => connection.receive(), FormatError, "kind 47, expected 1 to 11");
});

pureTest("receive() refuses live frames without a valid capture time", async () => {
  const message = encodeFrame(frameOf(0, { captured: 0 }));
  for (let length = 12; length < 20; length++) {
    const short = message.slice();
    short[0] = length;
    await assertRejects(() => receiver(short).receive(), FormatError, `length ${length}`);
  }
  // 2^53 microseconds and more.
  for (const high of [0x20, 0x7f, 0x80]) {
    const far = message.slice();
    far[HEADER_LENGTH + (high === 0x20 ? 6 : 7)] = high;
    await assertRejects(() => receiver(far).receive(), FormatError, "time of capture");
  }
});

pureTest(
  "receive() distinguishes a truncated live frame from the end of the connection",
  async () => {
    const whole = encodeFrame(frameOf(3, { captured: 9 }));
    for (let length = 1; length < whole.length; length++) {
      await assertRejects(() => receiver(whole.subarray(0, length)).receive(), TruncatedError);
    }
  },
);

pureTest("send() and sendFrame() never mix, however they overlap", async () => {
  const { writer, written } = recorder();
  const connection = sender(writer);
  await Promise.all([
    connection.sendFrame(frameOf(500)),
    connection.send("ping", new Uint8Array(0), { timestamp: 12 }),
    connection.sendFrame(frameOf(3), { dropped: true }),
    connection.send("end", sample(9)),
  ]);
  const messages = await receiveAll(receiver(Uint8Array.from(written)));
  assertEquals(messages.map(({ kind }) => kind), ["frame", "ping", "frame", "end"]);
  assertEquals(messages.map(({ timestamp }) => timestamp), [-3, 12, -3, 0]);
});

pureTest("sendFrame() sends small frames together, in order with what is sent later", async () => {
  const { writer, written } = recorder();
  const connection = sender(writer);
  const frames = [frameOf(10, { timestamp: 1 }), frameOf(20, { timestamp: 2 })];
  for (const frame of frames) {
    assertEquals(connection.sendFrame(frame), undefined);
    // The memory is the caller's again.
    frame.data.fill(0);
  }
  assertEquals(written, []);
  await connection.send("ping", sample(8));
  const messages = await receiveAll(receiver(Uint8Array.from(written)));
  assertEquals(messages.map(({ kind, timestamp }) => [kind, timestamp]), [
    ["frame", 1],
    ["frame", 2],
    ["ping", 0],
  ]);
  assertEquals(messages[1].kind === "frame" && messages[1].data, sample(20));
});

for (const step of [Infinity, 19, 1]) {
  pureTest(`sendShared() mixes with no other writer, by ${step}`, async () => {
    const { writer, written } = recorder(step);
    const connection = sender(writer);
    const live = encodeFrame(frameOf(300, { captured: 5, keyframe: false }));
    const stored = encodeFrame(frameOf(40, { streamId: 2 }));
    await Promise.all([
      connection.sendShared(live, { dropped: true }),
      connection.send("ping", sample(8)),
      connection.sendShared(live),
      connection.sendShared(stored, { dropped: true }),
      connection.send("notice", sample(20)),
      connection.sendFrame(frameOf(7)),
      connection.sendShared(stored, { dropped: false }),
    ]);
    const messages = await receiveAll(receiver(Uint8Array.from(written)));
    const seen = messages.map((message) =>
      message.kind === "frame"
        ? [message.streamId, message.dropped, message.captured, message.data]
        : [message.kind, message.payload]
    );
    assertEquals<unknown>(seen, [
      [1, true, 5, sample(300)],
      ["ping", sample(8)],
      [1, false, 5, sample(300)],
      [2, true, undefined, sample(40)],
      ["notice", sample(20)],
      [1, false, undefined, sample(7)],
      [2, false, undefined, sample(40)],
    ]);
  });
}

pureTest(
  "sendShared() leaves the message as it is, for the connections that share it",
  async () => {
    const shared = encodeFrame(frameOf(60_000, { captured: 5 }));
    const before = shared.slice();
    const viewers = [true, false, true, false].map((dropped) => ({ dropped, ...recorder(1000) }));
    await Promise.all(
      viewers.map(({ dropped, writer }) => sender(writer).sendShared(shared, { dropped })),
    );
    assertEquals(shared, before);
    for (const { dropped, written } of viewers) {
      const [message] = await receiveAll(receiver(Uint8Array.from(written)));
      assertStrictEquals(message.kind === "frame" && message.dropped, dropped);
      assertEquals(written.slice(HEADER_LENGTH), [...before.subarray(HEADER_LENGTH)]);
    }
  },
);

pureTest("send() refuses a payload over the limit and sends nothing of it", async () => {
  const { writer, written } = recorder();
  await assertRejects(() => sender(writer).send("request", new Uint8Array(65_537)), FormatError);
  assertEquals(written, []);
});

pureTest(
  "Connection shows an observer each message with its header, in both directions",
  async () => {
    const seen: [direction: string, bytes: number[]][] = [];
    const show = (direction: string) => (message: ObservedMessage) => {
      if ("words" in message) throw new Error("Cannot take words: expected a message");
      seen.push([direction, [...message.header, ...message.payload]]);
    };
    const observer = { sent: show("->"), received: show("<-"), event() {} };
    const frame = () => frameOf(30, { captured: 5 });
    const marked = encodeFrame({ ...frame(), discontinuity: true }, { dropped: true });
    const ping = encodeMessage("ping", sample(8), { timestamp: 7 });
    const received = concat(ping, marked);
    const { writer, written } = recorder();
    const reader = new ByteReader(fromSocket(socketOf(received)));
    const connection = new Connection(reader, writer, observer);
    await receiveAll(connection);
    await connection.send("ping", sample(8), { timestamp: 7 });
    await connection.sendFrame(frame());
    await connection.sendShared(encodeFrame(frame()));
    await connection.sendShared(encodeFrame(frame()), { dropped: true, discontinuity: true });
    const plain = [...encodeFrame(frame())];
    assertEquals(seen, [
      ["<-", [...ping]],
      ["<-", [...marked]],
      ["->", [...ping]],
      ["->", plain],
      ["->", plain],
      ["->", [...marked]],
    ]);
    assertEquals(written, seen.slice(2).flatMap(([, bytes]) => bytes));
  },
);

/** Counts the calls of a method of some bytes. */
function spyOn(bytes: Uint8Array, method: "slice" | "subarray", onCall: () => void): void {
  const original = bytes[method];
  Object.defineProperty(bytes, method, {
    value(...range: [number, number]) {
      onCall();
      return original.apply(bytes, range);
    },
  });
}

pureTest("Connection computes nothing for an observer that is absent", async () => {
  for (const isSeen of [false, true]) {
    let calls = 0;
    class SpiedReader extends ByteReader {
      override async peek(count: number): Promise<Uint8Array | undefined> {
        const bytes = await super.peek(count);
        if (bytes !== undefined) spyOn(bytes, "slice", () => calls++);
        return bytes;
      }
    }
    const message = encodeFrame(frameOf(30));
    const reader = new SpiedReader(fromSocket(socketOf(message.slice())));
    const write = (bytes: Uint8Array) => Promise.resolve(bytes.byteLength);
    const writer = new ByteWriter({ write }, { stallTimeout: 10_000, onStall() {} });
    const observer = { sent() {}, received() {}, event() {} };
    const connection = new Connection(reader, writer, isSeen ? observer : undefined);
    await connection.receive();
    spyOn(message, "subarray", () => calls++);
    await connection.sendShared(message);
    // The header of what is received; header and payload of what is sent.
    assertEquals(calls, isSeen ? 3 : 0);
  }
});

for (const size of [0, 3, 100_000]) {
  pureTest(
    `sendFrame() does not touch the memory of a borrowed frame of ${size} bytes`,
    async () => {
      const own = frameOf(size, { captured: 1_767_225_600_000_000 });
      // Without room around it.
      const data = sample(size);
      const { writer, written } = recorder();
      const connection = sender(writer);
      await connection.sendFrame({ ...own, data, borrowed: true }, { dropped: true });
      assertEquals(data, sample(size));
      connection.flush();
      await writer.write();
      assertEquals(new Uint8Array(written), encodeFrame(own, { dropped: true }));
    },
  );
}
