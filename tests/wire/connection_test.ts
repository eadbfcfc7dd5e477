import {
  assertEquals,
  assertNotStrictEquals,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { ByteReader, fromSocket } from "../../lib/core/byte_reader.ts";
import { ByteWriter } from "../../lib/core/byte_writer.ts";
import { FormatError, TruncatedError } from "../../lib/core/errors.ts";
import { type Frame, FRAME_HEADROOM, FRAME_TAILROOM } from "../../lib/core/frame.ts";
import { Connection, type Message } from "../../lib/wire/connection.ts";
import { encodeFrame, encodeMessage, HEADER_LENGTH } from "../../lib/wire/native.ts";
import { sample, socketOf, STEPS } from "../core/byte_sources.ts";

function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, permissions: "none", fn });
}

/** Writes to nowhere, and keeps what was written. */
function recorder(): { writer: ByteWriter; written: number[] } {
  const written: number[] = [];
  const write = (bytes: Uint8Array) => Promise.resolve(written.push(...bytes) && bytes.length);
  return { writer: new ByteWriter({ write }, { stallTimeout: 10_000, onStall() {} }), written };
}

/** The receiving end of a connection whose peer sent some bytes and ended. */
function receiver(bytes: Uint8Array, step?: number): Connection {
  return new Connection(new ByteReader(fromSocket(socketOf(bytes, step))), recorder().writer);
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

function concat(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

for (const step of [...STEPS, 17]) {
  test(`receive() gives messages one after another, by ${step}`, async () => {
    const bytes = concat(
      encodeMessage("ping", new Uint8Array(0)),
      encodeFrame(frameOf(100), { dropped: true }),
      encodeMessage("error", sample(300)),
      encodeFrame(frameOf(0, { streamId: 0, timestamp: 2 ** 40, keyframe: false })),
    );
    assertEquals<unknown>(await receiveAll(receiver(bytes, step)), [
      { kind: "ping", payload: new Uint8Array(0) },
      {
        ...{ kind: "frame", streamId: 1, timestamp: -3, keyframe: true, dropped: true },
        data: sample(100),
      },
      { kind: "error", payload: sample(300) },
      {
        ...{ kind: "frame", streamId: 0, timestamp: 2 ** 40, keyframe: false, dropped: false },
        data: new Uint8Array(0),
      },
    ]);
  });

  test(`receive() tells a cut connection from an ended one, by ${step}`, async () => {
    const whole = encodeMessage("error", sample(30));
    for (let length = 1; length < whole.length; length++) {
      const connection = receiver(whole.subarray(0, length), step);
      await assertRejects(() => connection.receive(), TruncatedError);
    }
    assertStrictEquals(await receiver(new Uint8Array(0), step).receive(), undefined);
  });
}

test("receive() leaves room around a frame's data", async () => {
  const message = await receiver(encodeFrame(frameOf(100))).receive();
  const data = message?.kind === "frame" ? message.data : new Uint8Array(0);
  assertStrictEquals(data.byteOffset, FRAME_HEADROOM);
  assertStrictEquals(data.buffer.byteLength, FRAME_HEADROOM + 100 + FRAME_TAILROOM);
});

test("recycle() lets the next frame use the memory", async () => {
  const size = 70_000;
  const sent = concat(...[1, 2, 3].map((id) => encodeFrame(frameOf(size, { streamId: id }))));
  const connection = receiver(sent);
  const frames: ArrayBuffer[] = [];
  for (const recycled of [true, false, false]) {
    const message = await connection.receive();
    if (message?.kind !== "frame") throw new Error("Cannot go on: no frame came");
    assertStrictEquals(message.data.byteLength, size);
    frames.push(message.data.buffer);
    if (recycled) connection.recycle(message);
  }
  assertStrictEquals(frames[1], frames[0]);
  assertNotStrictEquals(frames[2], frames[1]);
});

test("receive() refuses kinds that are not taken before it reads their payload", async () => {
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

test("receive() refuses bytes that are no message", async () => {
  const connection = receiver(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
  await assertRejects(() => connection.receive(), FormatError, "kind 47, expected 1 to 9");
});

test("send() and sendFrame() never mix, however they overlap", async () => {
  const { writer, written } = recorder();
  const sender = new Connection(new ByteReader(fromSocket(socketOf(sample(0)))), writer);
  await Promise.all([
    sender.sendFrame(frameOf(500)),
    sender.send("ping", new Uint8Array(0)),
    sender.sendFrame(frameOf(3), { dropped: true }),
    sender.send("end", sample(9)),
  ]);
  const messages = await receiveAll(receiver(Uint8Array.from(written)));
  assertEquals(messages.map(({ kind }) => kind), ["frame", "ping", "frame", "end"]);
});

test("send() refuses a payload over the limit and sends nothing of it", async () => {
  const { writer, written } = recorder();
  const sender = new Connection(new ByteReader(fromSocket(socketOf(sample(0)))), writer);
  await assertRejects(() => sender.send("request", new Uint8Array(65_537)), FormatError);
  assertEquals(written, []);
});
