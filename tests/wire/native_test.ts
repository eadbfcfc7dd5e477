import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../lib/core/errors.ts";
import { type Frame, FRAME_HEADROOM } from "../../lib/core/frame.ts";
import {
  encodeFrame,
  encodeMessage,
  HEADER_LENGTH,
  type Kind,
  KINDS,
  MAX_LENGTH,
  MAX_REQUEST_LENGTH,
  parseHeader,
} from "../../lib/wire/native.ts";

function test(name: string, fn: () => void): void {
  Deno.test({ name, permissions: "none", fn });
}

/** A header with any values, as a stranger may send it. */
function header(
  fields: { length?: number; kind?: number; flags?: number; id?: number; time?: bigint },
): Uint8Array {
  const { length = 12, kind = 3, flags = 0, id = 0, time = 0n } = fields;
  const view = new DataView(new ArrayBuffer(HEADER_LENGTH));
  view.setUint32(0, length, true);
  view.setUint8(4, kind);
  view.setUint8(5, flags);
  view.setUint16(6, id, true);
  view.setBigInt64(8, time, true);
  return new Uint8Array(view.buffer);
}

function frame(fields: Partial<Frame> = {}, room: number = FRAME_HEADROOM): Frame {
  const data = new Uint8Array(room + 5).fill(0xee).subarray(room);
  return { streamId: 0, timestamp: 0, keyframe: false, data, ...fields };
}

test("encodeMessage() writes the bytes of the protocol", () => {
  assertEquals(
    encodeMessage("control", Uint8Array.of(0xaa, 0xbb)),
    Uint8Array.of(14, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xaa, 0xbb),
  );
});

test("encodeFrame() writes the bytes of the protocol", () => {
  const message = encodeFrame(frame({ streamId: 0x0102, timestamp: -2, keyframe: true }), {
    dropped: true,
  });
  assertEquals(
    message,
    Uint8Array.of(
      ...[17, 0, 0, 0, 3, 3, 2, 1],
      ...[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
      ...[0xee, 0xee, 0xee, 0xee, 0xee],
    ),
  );
});

test("encodeFrame() writes in front of the data, in the same memory", () => {
  const sent = frame();
  const message = encodeFrame(sent);
  assertStrictEquals(message.buffer, sent.data.buffer);
  assertStrictEquals(message.byteOffset, sent.data.byteOffset - HEADER_LENGTH);
});

for (const kind of Object.keys(KINDS).filter((name) => name !== "frame") as Kind[]) {
  test(`parseHeader() reads what encodeMessage() wrote: ${kind}`, () => {
    const message = encodeMessage(kind as Exclude<Kind, "frame">, new Uint8Array(300));
    assertEquals(parseHeader(message), {
      kind,
      payloadLength: 300,
      keyframe: false,
      dropped: false,
      streamId: 0,
      timestamp: 0,
    });
  });
}

test("parseHeader() reads what encodeFrame() wrote, at the edges of each field", () => {
  const edge = Number.MAX_SAFE_INTEGER;
  for (const timestamp of [0, 1, -1, 2 ** 32 - 1, 2 ** 32, -(2 ** 32), -(2 ** 31), edge, -edge]) {
    for (const [streamId, keyframe, dropped] of [[0, true, false], [65535, false, true]] as const) {
      const message = encodeFrame(frame({ streamId, keyframe, timestamp }), { dropped });
      assertEquals(parseHeader(message), {
        ...{ kind: "frame", payloadLength: 5, streamId, keyframe, dropped, timestamp },
      });
    }
  }
});

test("parseHeader() reads from within a larger buffer, and ignores what follows", () => {
  const bytes = new Uint8Array(40).fill(0xff);
  bytes.set(header({ length: 99, kind: 3, id: 7 }), 9);
  assertEquals(parseHeader(bytes.subarray(9)).payloadLength, 87);
});

test("parseHeader() ignores flags of later versions", () => {
  const { keyframe, dropped } = parseHeader(header({ flags: 0xfc }));
  assertEquals([keyframe, dropped], [false, false]);
});

test("parseHeader() refuses lengths out of bounds", () => {
  assertStrictEquals(parseHeader(header({ length: MAX_LENGTH })).payloadLength, MAX_LENGTH - 12);
  for (const length of [0, 11, MAX_LENGTH + 1, 2 ** 31, 2 ** 32 - 1]) {
    assertThrows(
      () => parseHeader(header({ length })),
      FormatError,
      `kind frame: length ${length}, expected 12 to 268435456`,
    );
  }
});

test("parseHeader() holds each kind to its own limit", () => {
  const small = ["request", "end", "error", "control", "ping", "pong"] as const;
  for (const kind of small) {
    const number = KINDS[kind];
    const most = 12 + MAX_REQUEST_LENGTH;
    assertStrictEquals(parseHeader(header({ length: most, kind: number })).payloadLength, 65536);
    assertThrows(() => parseHeader(header({ length: most + 1, kind: number })), FormatError);
  }
  for (const kind of ["describe", "list"] as const) {
    const most = 12 + 2 ** 24;
    assertStrictEquals(parseHeader(header({ length: most, kind: KINDS[kind] })).kind, kind);
    assertThrows(() => parseHeader(header({ length: most + 1, kind: KINDS[kind] })), FormatError);
  }
});

test("parseHeader() refuses unknown kinds", () => {
  for (const kind of [0, 10, 47, 255]) {
    assertThrows(() => parseHeader(header({ kind })), FormatError, `kind ${kind}, expected 1 to 9`);
  }
});

test("parseHeader() refuses timestamps that a number cannot hold", () => {
  for (const time of [2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)]) {
    assertThrows(() => parseHeader(header({ time })), FormatError, "expected below 2^53");
  }
});

test("parseHeader() takes a classic request for no message", () => {
  for (const text of ["get_image", "get_video"]) {
    const bytes = new TextEncoder().encode(text.padEnd(HEADER_LENGTH));
    assertThrows(() => parseHeader(bytes), FormatError);
  }
});

test("encodeMessage() refuses payloads over the kind's limit", () => {
  const payload = new Uint8Array(MAX_REQUEST_LENGTH + 1);
  assertThrows(
    () => encodeMessage("request", payload),
    FormatError,
    "Cannot send a message of kind request: 65537 bytes, expected at most 65536",
  );
  assertStrictEquals(encodeMessage("list", payload).byteLength, HEADER_LENGTH + 65537);
});

test("encodeFrame() refuses what does not fit into a message", () => {
  assertThrows(() => encodeFrame(frame({}, HEADER_LENGTH - 1)), RangeError, "no room");
  for (const streamId of [-1, 65536]) {
    assertThrows(() => encodeFrame(frame({ streamId })), RangeError, `stream id ${streamId}`);
  }
  const data = new Uint8Array(MAX_LENGTH + 16).subarray(HEADER_LENGTH);
  assertThrows(() => encodeFrame(frame({ data })), FormatError, "expected at most 268435444");
});
