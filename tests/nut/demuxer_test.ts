import { assertEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../lib/base/errors.ts";
import { NutDemuxer, stripSideData } from "../../lib/nut/demuxer.ts";
import { FieldWriter } from "../../lib/nut/fields.ts";
import { FILE_ID, FLAGS, START_CODES, type StartCode } from "../../lib/nut/format.ts";
import { concat, seeded } from "../support/media/bytes.ts";
import { demuxAll, demuxAnything } from "../support/media/nut_files.ts";
import { pureTest } from "../support/pure_test.ts";

/** Fields of a packet's body: numbers, bytes with their number in front, or bytes as they are. */
type Field = number | string | Uint8Array;

function body(fields: readonly Field[]): Uint8Array<ArrayBuffer> {
  const out = new FieldWriter();
  for (const field of fields) {
    if (typeof field === "number") out.varint(field);
    else if (typeof field === "string") out.string(new TextEncoder().encode(field));
    else out.raw(field);
  }
  return out.finish();
}

function packet(code: StartCode, ...fields: Field[]): Uint8Array<ArrayBuffer> {
  const out = new FieldWriter();
  out.packet(code, body(fields));
  return out.finish();
}

/** Seven fields of a frame code, as many rows as `count`. */
function row(flags: number, count: number, { delta = 0, mul = 1, size = 0, header = 0 } = {}) {
  const signed = delta > 0 ? delta * 2 - 1 : -delta * 2;
  return [flags, 8, signed, mul, 0, size, 0, count, 0, header];
}

const RAW_CODE = FLAGS.codedPts | FLAGS.sizeMsb | FLAGS.streamId;

/** Frame codes: 1 has all fields, 2 names its flags, 3 steps 5 ticks, 4 elides, 5 … 8 are sizes. */
const CODES = [
  ...row(FLAGS.invalid, 1),
  ...row(RAW_CODE | FLAGS.key, 1),
  ...row(FLAGS.coded, 1),
  ...row(FLAGS.sizeMsb, 1, { delta: 5 }),
  ...row(FLAGS.sizeMsb, 1, { delta: -2, header: 1 }),
  ...row(FLAGS.sizeMsb, 4, { delta: 1, mul: 4 }),
  ...row(FLAGS.invalid, 246),
];

const TIME_BASES = [2, 1, 25, 1, 1000];
const ELISION = [1, "\x01\x02\x03"];

function mainHeader({ version = [3], streams = 2, after = ELISION as Field[] } = {}) {
  return packet(START_CODES.main, ...version, streams, 32768, ...TIME_BASES, ...CODES, ...after);
}

const VIDEO = [0, 0, "I420", 0, 7, 25, 2, 0, "extra", 64, 48, 4, 3, 0];
const AUDIO = [1, 1, "\x01\x00", 1, 4, 60000, 0, 0, "", 44100, 1, 2];
const START = [FILE_ID, mainHeader(), packet(START_CODES.stream, ...VIDEO)];
const HEADERS = [...START, packet(START_CODES.stream, ...AUDIO)];

/** 100 ticks of 1/25 s. */
const SYNCPOINT = packet(START_CODES.syncpoint, 100 * 2 + 0, 0);

function frames(...parts: readonly Uint8Array[]) {
  return demuxAll(concat(...HEADERS, SYNCPOINT, ...parts)).frames;
}

function assertRefused(text: string, ...parts: readonly Uint8Array[]): void {
  assertThrows(() => demuxAll(concat(...parts)), FormatError, text);
}

pureTest("NutDemuxer.parse() reads the stream headers", () => {
  const { demuxer, rest } = demuxAll(concat(...HEADERS));
  assertEquals(rest, 0);
  assertEquals([...demuxer.streams.values()], [
    {
      id: 0,
      type: "video",
      fourcc: "I420",
      timeBase: [1, 25],
      decodeDelay: 2,
      extradata: new TextEncoder().encode("extra"),
      width: 64,
      height: 48,
      sampleAspectRatio: [4, 3],
    },
    {
      id: 1,
      type: "audio",
      fourcc: "\x01\x00",
      timeBase: [1, 1000],
      decodeDelay: 0,
      extradata: new Uint8Array(),
      sampleRate: 44100,
      channels: 2,
    },
  ]);
});

pureTest("NutDemuxer.headersComplete tells when the last stream is described", () => {
  assertEquals(new NutDemuxer().headersComplete, false);
  assertEquals(demuxAll(concat(...START)).demuxer.headersComplete, false);
  assertEquals(demuxAll(concat(...HEADERS)).demuxer.headersComplete, true);
});

pureTest("NutDemuxer.parse() takes timestamps from syncpoints, deltas and coded fields", () => {
  const read = frames(
    body([3, 0]), // 5 ticks after the syncpoint
    body([1, 1, 3, 0]), // short: of the numbers that end in these bits, the one nearest to 4000
    body([1, 0, 128 + 90, 0]), // whole
    body([4, 3]), // 2 ticks back
  );
  assertEquals(read.map(({ streamId, timestamp }) => [streamId, timestamp]), [
    [0, 105],
    [1, 4003],
    [0, 90],
    [0, 88],
  ]);
});

pureTest("NutDemuxer.parse() rounds a syncpoint's time down, exactly", () => {
  const late = 2 ** 40 + 7;
  const [frame] = demuxAll(concat(
    ...HEADERS,
    packet(START_CODES.syncpoint, late * 2 + 1, 0),
    body([3, 0]),
  )).frames;
  assertEquals(frame.timestamp, Math.floor(late / 40) + 5);
});

pureTest("NutDemuxer.parse() rounds where products are beyond 2^53", () => {
  const bases = [2, 99991, 99989 * 1000, 1, 999983];
  const main = packet(START_CODES.main, 3, 1, 100, ...bases, ...CODES, 0);
  const ticks = 2 ** 45 + 1;
  const bytes = concat(
    FILE_ID,
    main,
    packet(START_CODES.stream, 0, 0, "I420", 0, 7, 25, 2, 0, "", 64, 48, 0, 0, 0),
    packet(START_CODES.syncpoint, ticks * 2 + 1, 0),
    body([3, 0]),
  );
  const expected = BigInt(ticks) * 99989000n / (999983n * 99991n);
  assertEquals(demuxAll(bytes).frames[0].timestamp, Number(expected) + 5);
});

pureTest("NutDemuxer.parse() reads sizes from the table and the header", () => {
  const read = frames(
    body([6, 0]),
    new Uint8Array(1),
    body([8, 2]),
    new Uint8Array(11),
    body([1, 0, 128 + 100, 3]),
    new Uint8Array(3),
  );
  assertEquals(read.map(({ data }) => data.length), [1, 11, 3]);
});

pureTest("NutDemuxer.parse() puts elided bytes in front, but not of long frames", () => {
  const long = new Uint8Array(4097).fill(9);
  const short = frames(body([4, 5]), new Uint8Array([8, 9]), body([4, 3]));
  assertEquals(short.map(({ data }) => [...data]), [[1, 2, 3, 8, 9], [1, 2, 3]]);
  assertEquals(frames(body([4, long.length]), long)[0].data, long);
});

pureTest("NutDemuxer.parse() reads every flag of a frame", () => {
  const all = FLAGS.key | FLAGS.endOfRelevance | FLAGS.codedPts | FLAGS.streamId | FLAGS.sizeMsb |
    FLAGS.reserved | FLAGS.matchTime | FLAGS.headerIndex | FLAGS.checksum;
  const header = new FieldWriter();
  header.raw(body([2, all, 1, 5000, 4, 77, 1, 2, 2 ** 53 - 1, 5]));
  header.checksum(0);
  const [frame] = frames(header.finish(), new Uint8Array([6]));
  assertEquals(frame, {
    streamId: 1,
    timestamp: 5000 - 16,
    keyframe: true,
    endOfRelevance: true,
    data: new Uint8Array([1, 2, 3, 6]),
  });
  const wrong = header.finish().slice();
  wrong[wrong.length - 1] ^= 1;
  assertRefused("checksum", ...HEADERS, SYNCPOINT, wrong);
});

pureTest("stripSideData() leaves the frame's own bytes", () => {
  const side = body([3, "SkipStart", 5, "Palette", 4, "bin", "1234", "title", 2, "text"]);
  const meta = body([3, "a", 6, 1, "b", 8, 1, "c", 10, 1]);
  const own = new Uint8Array([1, 2, 3]);
  const payload = concat(side, meta, own);
  assertEquals(stripSideData(payload), own);
  assertEquals(stripSideData(payload).buffer, payload.buffer);
  for (let size = 0; size < payload.length - own.length; size++) {
    assertThrows(() => stripSideData(payload.slice(0, size)), FormatError);
  }
  assertThrows(() => stripSideData(body([2 ** 50, 0, 0])), FormatError);
});

pureTest("NutDemuxer.parse() hands over side data where the frame says so", () => {
  const header = body([2, FLAGS.sizeMsb | FLAGS.sideData, 4]);
  const [frame] = frames(header, new Uint8Array([0, 0, 7, 8]));
  assertEquals(frame.data, new Uint8Array([7, 8]));
});

pureTest("NutDemuxer.parse() reads version 4 with wall clocks in its syncpoints", () => {
  const { frames } = demuxAll(concat(
    FILE_ID,
    mainHeader({ version: [4, 1], streams: 1, after: [0, 1] }),
    packet(START_CODES.stream, ...VIDEO),
    packet(START_CODES.syncpoint, 200, 0, 2 ** 52),
    body([3, 0]),
  ));
  assertEquals(frames[0].timestamp, 105);
});

pureTest("NutDemuxer.parse() skips what is not media, however long", () => {
  const unknown = { high: 0x4e515151, low: 1 };
  const filler = new Uint8Array(5000);
  const long = packet(unknown, filler);
  const demuxer = new NutDemuxer({ maxHeaderSize: 2000 });
  const index = packet(START_CODES.index, filler);
  const bytes = concat(
    ...HEADERS,
    packet(START_CODES.info, "anything"),
    long,
    index,
    SYNCPOINT,
    long,
    body([3, 0]),
  );
  assertEquals(demuxAll(bytes, undefined, demuxer).frames.length, 1);
  assertEquals(demuxAll(bytes).frames.length, 1);
  const header = demuxAll(concat(...HEADERS)).demuxer;
  const start = packet(START_CODES.info, filler).subarray(0, 14);
  assertEquals(header.parse(start), { kind: "more", needed: 5018 });
  assertEquals(header.parse(long.subarray(0, 14)), { kind: "skip", length: long.length });
});

pureTest("NutDemuxer.parse() accepts repeated headers that agree", () => {
  const again = [
    // libavformat's repetitions have one elision header more, of no bytes.
    mainHeader({ after: [2, "\x01\x02\x03", ""] }),
    ...HEADERS.slice(1),
  ];
  const bytes = concat(...HEADERS, SYNCPOINT, body([3, 0]), ...again, SYNCPOINT, body([4, 3]));
  assertEquals(demuxAll(bytes).frames.map(({ timestamp }) => timestamp), [105, 98]);
  assertRefused("expected a repetition", ...HEADERS, mainHeader({ streams: 3 }));
  const other = packet(START_CODES.stream, 0, 0, "I420", 0, 7, 25, 2, 0, "extra", 64, 50, 4, 3, 0);
  assertRefused("expected a repetition", ...HEADERS, other);
});

pureTest("NutDemuxer.parse() reads split and byte by byte what it reads whole", () => {
  const bytes = concat(
    ...HEADERS,
    packet(START_CODES.info, new Uint8Array(5000)),
    SYNCPOINT,
    body([4, 5]),
    new Uint8Array(2),
    packet(START_CODES.syncpoint, 600, 1),
    body([1, 1, 12345, 300]),
    new Uint8Array(300),
  );
  const whole = demuxAll(bytes);
  assertEquals(whole.frames.length, 2);
  const random = seeded(1);
  for (const step of [() => 1, () => 1 + Math.floor(random() * 40)]) {
    const split = demuxAll(bytes, step);
    assertEquals(split.frames, whole.frames);
    assertEquals(split.rest, 0);
  }
});

pureTest("NutDemuxer.parse() asks for more at every place where input may end", () => {
  const header = body([2, RAW_CODE | FLAGS.checksum, 1, 300, 5, 0, 0, 0, 0]);
  const bytes = concat(...HEADERS, SYNCPOINT, header.subarray(0, header.length - 1));
  for (let size = 0; size <= bytes.length; size++) {
    assertEquals(demuxAll(bytes.slice(0, size)).frames.length, 0);
  }
});

pureTest("NutDemuxer.parse() refuses what is not NUT at its first wrong byte", () => {
  assertThrows(() => new NutDemuxer().parse(new Uint8Array([0x52])), FormatError, "byte 0 is 82");
});

pureTest("NutDemuxer.parse() refuses frames and syncpoints before their time", () => {
  assertRefused("no main header", FILE_ID, body([1]));
  assertRefused("no main header", FILE_ID, packet(START_CODES.stream, ...VIDEO));
  assertRefused("no main header", FILE_ID, SYNCPOINT);
  assertRefused("expected 2", ...START, SYNCPOINT);
  assertRefused("expected 2", ...START, body([3, 0]));
  assertRefused("no syncpoint", ...HEADERS, body([3, 0]));
});

pureTest("NutDemuxer.parse() refuses values over their limits", () => {
  const synced = [...HEADERS, SYNCPOINT];
  assertRefused('"version": 2', FILE_ID, mainHeader({ version: [2] }));
  assertRefused('"stream count": 65', FILE_ID, mainHeader({ streams: 65 }));
  assertRefused('"stream count": 0', FILE_ID, mainHeader({ streams: 0 }));
  assertRefused('"frame code": 0', ...synced, body([0]));
  assertRefused('"stream id": 2, expected at most 1', ...synced, body([1, 2, 200, 0]));
  assertRefused('"frame size": 268435457', ...synced, body([1, 0, 200, 2 ** 28 + 1]));
  assertRefused("without a checksum", ...synced, body([1, 0, 228, 2 ** 17]));
  assertRefused("without a checksum", ...synced, body([1, 0, 2 ** 40, 3]));
  assertRefused("expected at least 3", ...synced, body([4, 2]));
  assertRefused(
    "expected less than 2^53",
    ...synced,
    body([1, 0]),
    new Uint8Array(9).fill(255, 0, 8),
  );
  assertRefused("goes on after 10 bytes", ...synced, body([1]), new Uint8Array(10).fill(255));
  const reserved = body([2, FLAGS.reserved, 256]);
  assertRefused('"reserved field count": 256', ...synced, reserved);
});

pureTest("NutDemuxer.parse() refuses counts that the bytes do not pay for", () => {
  const many = packet(START_CODES.main, 3, 1, 100, 2 ** 30, 1, 25);
  assertRefused('"time base count"', FILE_ID, many);
  const extradata = packet(START_CODES.stream, 0, 0, "I420", 0, 7, 25, 2, 0, 2 ** 40);
  assertRefused('"extradata"', FILE_ID, mainHeader(), extradata);
  const fields = packet(START_CODES.main, 3, 1, 100, 1, 1, 25, 0, 2 ** 50);
  assertRefused('"frame code fields"', FILE_ID, fields);
  const huge = new FieldWriter();
  huge.raw(START.at(1)!.subarray(0, 8));
  huge.varint(2 ** 40);
  huge.checksum(0);
  assertRefused("expected at most 1048576", FILE_ID, huge.finish());
});

pureTest("NutDemuxer.parse() refuses wrong checksums", () => {
  for (const part of [...HEADERS.slice(1), SYNCPOINT, packet(START_CODES.index, 1)]) {
    const before = HEADERS.includes(part) ? HEADERS.slice(0, HEADERS.indexOf(part)) : HEADERS;
    const wrong = part.slice();
    wrong[wrong.length - 1] ^= 1;
    assertRefused("checksum", ...before, wrong);
  }
  const long = packet(START_CODES.info, new Uint8Array(5000)).slice();
  long[11] ^= 1;
  assertRefused("packet header", ...HEADERS, long);
});

pureTest("NutDemuxer.parse() answers to any bytes with a value or a FormatError", () => {
  const random = seeded(2);
  const start = concat(...HEADERS, SYNCPOINT);
  const outcomes = new Set<string>();
  for (let round = 0; round < 20000; round++) {
    const tail = Uint8Array.from({ length: 1 + random() * 200 }, () => random() * 256);
    outcomes.add(demuxAnything(round % 4 === 0 ? tail : concat(start, tail)));
  }
  assertEquals(outcomes.size > 20, true);
});

pureTest("NutDemuxer.parse() answers to altered headers with a value or a FormatError", () => {
  const random = seeded(3);
  const bodies: [StartCode, Field[]][] = [
    [START_CODES.main, [3, 2, 32768, ...TIME_BASES, ...CODES, ...ELISION]],
    [START_CODES.stream, VIDEO],
    [START_CODES.stream, AUDIO],
    [START_CODES.syncpoint, [200, 0]],
  ];
  const outcomes = new Set<string>();
  for (let round = 0; round < 4000; round++) {
    const chosen = Math.floor(random() * bodies.length);
    const parts = bodies.map(([code, fields], at) => {
      const bytes = body(fields);
      if (at === chosen) {
        for (let change = 0; change < 3; change++) {
          bytes[Math.floor(random() * bytes.length)] = random() * 256;
        }
      }
      // The checksum is made afterwards: what is altered gets past it.
      return packet(code, random() < 0.1 ? bytes.slice(0, random() * bytes.length) : bytes);
    });
    outcomes.add(demuxAnything(concat(FILE_ID, ...parts, body([3, 0]), body([4, 3]))));
  }
  assertEquals(outcomes.size > 20, true);
});
