import { assertEquals, assertNotStrictEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../../lib/base/errors.ts";
import { type Frame, FRAME_HEADROOM } from "../../../lib/media/frame.ts";
import {
  CAPTURE_LENGTH,
  encodeFrame,
  encodeMessage,
  HEADER_LENGTH,
  type Kind,
  KINDS,
  MAX_LENGTH,
  MAX_REQUEST_LENGTH,
  parseCapture,
  parseHeader,
  remarkFrame,
} from "../../../lib/protocol/native/framing.ts";
import { pureTest } from "../../support/pure_test.ts";

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

pureTest("encodeMessage() writes the bytes of the protocol", () => {
  assertEquals(
    encodeMessage("control", Uint8Array.of(0xaa, 0xbb)),
    Uint8Array.of(14, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xaa, 0xbb),
  );
});

pureTest("encodeFrame() writes the bytes of the protocol", () => {
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

pureTest("encodeFrame() writes the capture time after the header of a live frame", () => {
  const message = encodeFrame(
    frame({ streamId: 1, timestamp: 5, captured: 0x0006_0504_0302_0100, discontinuity: true }),
  );
  assertEquals(
    message,
    Uint8Array.of(
      ...[25, 0, 0, 0, 3, 12, 1, 0],
      ...[5, 0, 0, 0, 0, 0, 0, 0],
      ...[0, 1, 2, 3, 4, 5, 6, 0],
      ...[0xee, 0xee, 0xee, 0xee, 0xee],
    ),
  );
});

pureTest("encodeFrame() writes in front of the data, in the same memory, and nowhere else", () => {
  for (const [captured, room] of [[undefined, 16], [0, 24]] as const) {
    const sent = frame({ captured });
    const before = new Uint8Array(sent.data.buffer, 0, FRAME_HEADROOM).fill(0xaa);
    const message = encodeFrame(sent);
    assertStrictEquals(message.buffer, sent.data.buffer);
    assertStrictEquals(message.byteOffset, sent.data.byteOffset - room);
    assertEquals(before.subarray(0, -room), new Uint8Array(FRAME_HEADROOM - room).fill(0xaa));
    assertEquals(sent.data, new Uint8Array(5).fill(0xee));
  }
});

for (const kind of Object.keys(KINDS).filter((name) => name !== "frame") as Kind[]) {
  pureTest(`parseHeader() reads what encodeMessage() wrote: ${kind}`, () => {
    const message = encodeMessage(kind as Exclude<Kind, "frame">, new Uint8Array(300));
    assertEquals(parseHeader(message), {
      kind,
      payloadLength: 300,
      keyframe: false,
      dropped: false,
      discontinuity: false,
      captured: false,
      streamId: 0,
      timestamp: 0,
    });
  });
}

pureTest("parseHeader() reads what encodeFrame() wrote, at the edges of each field", () => {
  const edge = Number.MAX_SAFE_INTEGER;
  for (const timestamp of [0, 1, -1, 2 ** 32 - 1, 2 ** 32, -(2 ** 32), -(2 ** 31), edge, -edge]) {
    for (const [streamId, keyframe, dropped] of [[0, true, false], [65535, false, true]] as const) {
      const message = encodeFrame(frame({ streamId, keyframe, timestamp }), { dropped });
      assertEquals(parseHeader(message), {
        ...{ kind: "frame", payloadLength: 5, streamId, keyframe, dropped, timestamp },
        ...{ discontinuity: false, captured: false },
      });
    }
  }
});

pureTest("parseHeader() tells every set of flags from every other", () => {
  for (let flags = 0; flags < 16; flags++) {
    const [keyframe, dropped, discontinuity, live] = [1, 2, 4, 8].map((bit) => (flags & bit) > 0);
    const sent = frame({ keyframe, discontinuity, captured: live ? 0 : undefined });
    const message = encodeFrame(sent, { dropped });
    assertStrictEquals(message[5], flags);
    assertEquals(parseHeader(message), {
      ...{ kind: "frame", payloadLength: live ? 13 : 5, streamId: 0, timestamp: 0 },
      ...{ keyframe, dropped, discontinuity, captured: live },
    });
  }
});

pureTest("parseHeader() refuses live frames that are too short for their capture time", () => {
  for (let length = 12; length < 20; length++) {
    for (const flags of [8, 0xff]) {
      assertThrows(
        () => parseHeader(header({ length, flags })),
        FormatError,
        `Cannot read a live frame: length ${length}, expected 20 at least`,
      );
    }
    assertStrictEquals(parseHeader(header({ length, flags: 7 })).payloadLength, length - 12);
  }
  assertStrictEquals(parseHeader(header({ length: 20, flags: 8 })).payloadLength, CAPTURE_LENGTH);
  assertThrows(() => parseHeader(header({ length: 11, flags: 8 })), FormatError, "12 to 268435456");
});

pureTest("parseHeader() finds a capture time in frames only", () => {
  for (const [kind, number] of Object.entries(KINDS).filter(([name]) => name !== "frame")) {
    const read = parseHeader(header({ length: 12, kind: number, flags: 0xff }));
    assertEquals([read.kind, read.captured, read.payloadLength], [kind as Kind, false, 0]);
  }
});

pureTest("parseHeader() reads the clock of a ping and a pong", () => {
  const edge = Number.MAX_SAFE_INTEGER;
  for (const kind of ["ping", "pong"] as const) {
    for (const timestamp of [0, 1, 2 ** 32, 1_767_225_600_000_000, edge, -edge]) {
      const message = encodeMessage(kind, new Uint8Array(0), { timestamp });
      assertStrictEquals(parseHeader(message).timestamp, timestamp);
    }
    assertThrows(() => parseHeader(header({ kind: KINDS[kind], time: 2n ** 53n })), FormatError);
  }
});

pureTest("parseCapture() reads what encodeFrame() wrote", () => {
  const edge = Number.MAX_SAFE_INTEGER;
  for (const captured of [0, 1, -1, 2 ** 32 - 1, 2 ** 32, 1_767_225_600_000_000, edge, -edge]) {
    const payload = encodeFrame(frame({ captured })).subarray(HEADER_LENGTH);
    assertStrictEquals(parseCapture(payload), captured);
  }
  const message = encodeFrame(frame({ captured: 1_767_225_600_000_000.75 }));
  assertStrictEquals(parseCapture(message.subarray(HEADER_LENGTH)), 1_767_225_600_000_000);
});

pureTest("parseCapture() refuses times beyond 2^53", () => {
  for (const time of [2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)]) {
    const payload = header({ time }).subarray(8);
    assertThrows(() => parseCapture(payload), FormatError, "time of capture");
  }
});

pureTest("remarkFrame() adds flags and keeps the others", () => {
  const message = encodeFrame(frame({ keyframe: true, discontinuity: true, timestamp: 7 }));
  const said = parseHeader(remarkFrame(message, { dropped: true }));
  assertEquals([said.keyframe, said.discontinuity, said.dropped], [true, true, true]);
  const plain = encodeFrame(frame({ timestamp: 7 }));
  const after = parseHeader(remarkFrame(plain, { discontinuity: true }));
  assertEquals([after.discontinuity, after.dropped, after.timestamp], [true, false, 7]);
  assertEquals(remarkFrame(plain, {}), plain.slice(0, HEADER_LENGTH));
});

pureTest("remarkFrame() gives a header of its own, and leaves the message to the others", () => {
  for (const captured of [undefined, 77]) {
    const shared = encodeFrame(frame({ streamId: 258, timestamp: -2, keyframe: true, captured }));
    const before = shared.slice();
    const marked = remarkFrame(shared, { dropped: true });
    assertEquals(shared, before);
    assertNotStrictEquals(marked.buffer, shared.buffer);
    assertStrictEquals(marked.byteLength, HEADER_LENGTH);
    assertEquals(parseHeader(marked), { ...parseHeader(shared), dropped: true });
    assertEquals(remarkFrame(marked, { dropped: true }), marked);
  }
});

pureTest("parseHeader() reads from within a larger buffer, and ignores what follows", () => {
  const bytes = new Uint8Array(40).fill(0xff);
  bytes.set(header({ length: 99, kind: 3, id: 7 }), 9);
  assertEquals(parseHeader(bytes.subarray(9)).payloadLength, 87);
});

pureTest("parseHeader() ignores flags of later versions", () => {
  assertEquals(parseHeader(header({ flags: 0xf0 })), parseHeader(header({ flags: 0 })));
});

pureTest("parseHeader() refuses lengths out of bounds", () => {
  assertStrictEquals(parseHeader(header({ length: MAX_LENGTH })).payloadLength, MAX_LENGTH - 12);
  for (const length of [0, 11, MAX_LENGTH + 1, 2 ** 31, 2 ** 32 - 1]) {
    assertThrows(
      () => parseHeader(header({ length })),
      FormatError,
      `kind frame: length ${length}, expected 12 to 268435456`,
    );
  }
});

pureTest("parseHeader() holds each kind to its own limit", () => {
  const small = ["request", "end", "error", "control", "ping", "pong", "notice"] as const;
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

pureTest("parseHeader() refuses unknown kinds", () => {
  for (const kind of [0, 12, 47, 255]) {
    const expected = `kind ${kind}, expected 1 to 11`;
    assertThrows(() => parseHeader(header({ kind })), FormatError, expected);
  }
});

pureTest("parseHeader() refuses timestamps that a number cannot hold", () => {
  for (const time of [2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)]) {
    assertThrows(() => parseHeader(header({ time })), FormatError, "expected below 2^53");
  }
});

pureTest("parseHeader() refuses a request of the script protocol", () => {
  for (const text of ["get_image", "get_video"]) {
    const bytes = new TextEncoder().encode(text.padEnd(HEADER_LENGTH));
    assertThrows(() => parseHeader(bytes), FormatError);
  }
});

pureTest("encodeMessage() refuses payloads over the kind's limit", () => {
  const payload = new Uint8Array(MAX_REQUEST_LENGTH + 1);
  assertThrows(
    () => encodeMessage("request", payload),
    FormatError,
    "Cannot send a message of kind request: 65537 bytes, expected at most 65536",
  );
  assertStrictEquals(encodeMessage("list", payload).byteLength, HEADER_LENGTH + 65537);
});

pureTest("encodeFrame() refuses data that does not fit into a message", () => {
  for (const [captured, room] of [[undefined, 16], [0, 24]] as const) {
    assertThrows(() => encodeFrame(frame({ captured }, room - 1)), RangeError, "no room");
    assertStrictEquals(encodeFrame(frame({ captured }, room)).byteOffset, 0);
  }
  for (const streamId of [-1, 65536]) {
    assertThrows(() => encodeFrame(frame({ streamId })), RangeError, `stream id ${streamId}`);
  }
  const memory = new Uint8Array(MAX_LENGTH + 24).subarray(24);
  for (const [captured, most] of [[undefined, 268_435_444], [0, 268_435_436]] as const) {
    const largest = frame({ captured, data: memory.subarray(0, most) });
    assertStrictEquals(parseHeader(encodeFrame(largest)).payloadLength, MAX_LENGTH - 12);
    const larger = frame({ captured, data: memory.subarray(0, most + 1) });
    assertThrows(() => encodeFrame(larger), FormatError, `expected at most ${most}`);
  }
});
