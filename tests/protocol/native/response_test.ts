import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { ERROR_CODES, FormatError, RequestError } from "../../../lib/base/errors.ts";
import type {
  AudioStream,
  Description,
  StreamDescription,
  VideoStream,
} from "../../../lib/media/frame.ts";
import { encodeJson, parseJsonObject } from "../../../lib/protocol/native/json.ts";
import {
  encodeAcceptance,
  encodeDescription,
  encodeEnd,
  encodeError,
  encodeNotice,
  type EndReport,
  type Notice,
  NOTICE_CODES,
  parseAcceptance,
  parseDescription,
  parseEnd,
  parseError,
  parseNotice,
} from "../../../lib/protocol/native/response.ts";
import { pureTest } from "../../support/pure_test.ts";

const VIDEO: VideoStream = {
  id: 0,
  type: "video",
  codec: "rawvideo",
  fourcc: "\0\x0bY3",
  timeBase: [1, 12_800],
  extradata: Uint8Array.of(0, 255, 1),
  width: 321,
  height: 241,
  pixelFormat: "yuv420p",
  frameRate: [30_000, 1001],
  sampleAspectRatio: [4, 3],
  colorRange: "tv",
  colorSpace: "bt709",
  colorPrimaries: "bt2020",
  colorTransfer: "smpte2084",
  fieldOrder: "tb",
  alphaDropped: true,
  rotation: 270,
  decodeDelay: 2,
};

const AUDIO: AudioStream = {
  id: 65535,
  type: "audio",
  codec: "pcm_s16le",
  fourcc: "PSD\x10",
  timeBase: [1, 44_100],
  extradata: new Uint8Array(0),
  sampleRate: 44_100,
  channels: 6,
};

const DESCRIPTION: Description = {
  name: "a/b ü.mkv",
  live: true,
  duration: 1.5,
  streams: [VIDEO, AUDIO],
  data: [
    { id: 2, type: "data", codec: "json", timeBase: [1, 1000] },
    { id: 3, type: "data", codec: "bytes", timeBase: [1, 90_000] },
  ],
  notes: ["Sound is aac: alac cannot be carried", "ü 😀"],
  etag: "aZ09_-",
};

/** A stream that has to be one of pictures. */
function asVideo(stream: StreamDescription): VideoStream {
  if (stream.type === "video") return stream;
  throw new Error("Cannot go on: a stream of sound");
}

/** What a field of the first stream was changed to, as JSON. */
function described(change: Record<string, unknown>): Uint8Array<ArrayBuffer> {
  const object = parseJsonObject(encodeDescription(DESCRIPTION), "description");
  const [first, ...others] = object.streams as Record<string, unknown>[];
  return encodeJson({ ...object, streams: [{ ...first, ...change }, ...others] });
}

pureTest("parseDescription() parses the result of encodeDescription()", () => {
  assertEquals(parseDescription(encodeDescription(DESCRIPTION)), DESCRIPTION);
});

pureTest("parseDescription() reads the least there may be", () => {
  const stream = { id: 1, type: "video", codec: "h264", fourcc: "H264", timeBase: [1, 25] };
  const payload = encodeJson({ name: "", streams: [{ ...stream, width: 2, height: 1 }] });
  const { name, live, duration, notes, streams: [video] } = parseDescription(payload);
  assertEquals([name, live, duration, notes], ["", false, undefined, []]);
  assertEquals(video.extradata, new Uint8Array(0));
  const { pixelFormat, rotation, decodeDelay } = asVideo(video);
  assertEquals([pixelFormat, rotation, decodeDelay], [undefined, undefined, undefined]);
});

pureTest("parseDescription() takes quarters of a turn, and whatever else for none", () => {
  for (const rotation of [90, 180, 270]) {
    const [video] = parseDescription(described({ rotation })).streams;
    assertStrictEquals<number | undefined>(asVideo(video).rotation, rotation);
  }
  for (const rotation of [0, 45, 89.5, -90, 360, 450, 1e300, "90", "", null, true, [90], {}]) {
    const [video] = parseDescription(described({ rotation })).streams;
    assertStrictEquals(asVideo(video).rotation, undefined);
  }
});

pureTest("parseDescription() takes delays that a decoder may have", () => {
  for (const decodeDelay of [0, 1, 16, 64]) {
    const [video] = parseDescription(described({ decodeDelay })).streams;
    assertStrictEquals(asVideo(video).decodeDelay, decodeDelay);
  }
});

pureTest("parseDescription() ignores video fields of audio streams", () => {
  const picture = { rotation: 90, decodeDelay: "x", width: -1 };
  const [audio] = parseDescription(described({ ...AUDIO, extradata: "", ...picture })).streams;
  assertEquals<StreamDescription>(audio, AUDIO);
});

pureTest("parseDescription() takes the notes that are texts, and no more than a few", () => {
  const notesOf = (notes: unknown) => {
    const object = parseJsonObject(encodeDescription(DESCRIPTION), "description");
    return parseDescription(encodeJson({ ...object, notes })).notes;
  };
  assertEquals(notesOf(["a", 1, null, "", ["b"], { c: "d" }, true, "e"]), ["a", "", "e"]);
  const many = Array.from({ length: 1000 }, (_, at) => `note ${at}`);
  assertEquals(notesOf(many), many.slice(0, 16));
  for (const none of [undefined, null, []]) assertEquals(notesOf(none), []);
  for (const wrong of ["a note", 1, true, {}, { length: 3 }]) {
    assertThrows(() => notesOf(wrong), FormatError, "Cannot use notes ");
  }
});

pureTest("parseDescription() refuses wrong values of every field of a stream", () => {
  const wrong: Partial<Record<keyof VideoStream, readonly unknown[]>> = {
    id: [undefined, -1, 65536, 0.5, "0"],
    type: [undefined, "subtitle", 1],
    codec: [undefined, "", "raw video", "x".repeat(65), 1],
    fourcc: ["abc", "abcde", "abc\u0100", 1],
    timeBase: [undefined, [0, 1], [1, 0], [1], "1/25", [1, 1e12]],
    extradata: ["%%%", "A", 1, "A=B="],
    width: [undefined, 0, -1, 65536, "321"],
    height: [undefined, 0, 1e9, null],
    pixelFormat: ["", "a b", 1],
    frameRate: [[0, 0], 25, "25"],
    sampleAspectRatio: [[1, -1]],
    colorRange: ["\n"],
    colorSpace: [[]],
    decodeDelay: [-1, 65, 1.5, 1e300, "2", true, [], {}],
  };
  for (const [field, values] of Object.entries(wrong)) {
    for (const value of values) {
      const payload = described({ [field]: value });
      assertThrows(() => parseDescription(payload), FormatError, undefined, `${field}: ${value}`);
    }
  }
});

pureTest("parseDescription() refuses audio without sample rate and channels", () => {
  for (
    const change of [{ sampleRate: 0 }, { sampleRate: null }, { channels: 0 }, { channels: 1025 }]
  ) {
    const payload = described({ ...AUDIO, extradata: "", ...change });
    assertThrows(() => parseDescription(payload), FormatError);
  }
});

pureTest("parseDescription() refuses descriptions without streams, or a name", () => {
  for (const streams of [[], undefined, {}, "x", [1], [null], [[]]]) {
    assertThrows(() => parseDescription(encodeJson({ name: "x", streams })), FormatError);
  }
  const { streams } = parseJsonObject(encodeDescription(DESCRIPTION), "description");
  assertThrows(() => parseDescription(encodeJson({ streams })), FormatError, "name");
});

pureTest("parseDescription() looks at no more streams than there may be", () => {
  const [stream] = parseJsonObject(encodeDescription(DESCRIPTION), "x").streams as object[];
  const streams = Array.from({ length: 1000 }, (_, id) => ({ ...stream, id }));
  assertStrictEquals(parseDescription(encodeJson({ name: "x", streams })).streams.length, 64);
});

pureTest("parseEnd() reads what encodeEnd() wrote", () => {
  const end: EndReport = {
    ...{ frames: 1, audioFrames: 2, bytes: 2 ** 40, dropped: 3, reason: "stopped" },
    streams: [{ id: 0, frames: 1, bytes: 2 ** 40 }, { id: 65535, frames: 2, bytes: 0 }],
    warning: "a part is damaged",
  };
  assertEquals(parseEnd(encodeEnd(end)), end);
});

pureTest("parseEnd() takes absent fields for none, and refuses wrong ones", () => {
  assertEquals(parseEnd(encodeJson({})), {
    ...{ frames: 0, audioFrames: 0, bytes: 0, dropped: 0, reason: "end", warning: undefined },
    streams: undefined,
  });
  for (
    const end of [{ frames: -1 }, { bytes: 0.5 }, { dropped: "1" }, { reason: 1 }, { bytes: 1e20 }]
  ) {
    assertThrows(() => parseEnd(encodeJson(end)), FormatError);
  }
});

pureTest("parseEnd() takes null for absent totals, and refuses wrong ones", () => {
  assertStrictEquals(parseEnd(encodeJson({ streams: null })).streams, undefined);
  assertEquals(parseEnd(encodeJson({ streams: [] })).streams, []);
  const receipt = { id: 0, frames: 1, bytes: 1 };
  const wrong = [{ id: -1 }, { id: 65536 }, { frames: 0.5 }, { frames: null }, { bytes: "1" }];
  for (const change of wrong) {
    const payload = encodeJson({ streams: [{ ...receipt, ...change }] });
    assertThrows(() => parseEnd(payload), FormatError);
  }
  for (const streams of [{}, "x", 1, [1], [null], [[]]]) {
    assertThrows(() => parseEnd(encodeJson({ streams })), FormatError);
  }
  const many = Array.from({ length: 1000 }, (_, id) => ({ ...receipt, id }));
  assertStrictEquals(parseEnd(encodeJson({ streams: many })).streams?.length, 64);
});

pureTest("parseDescription() refuses an invalid etag", () => {
  const object = parseJsonObject(encodeDescription(DESCRIPTION), "description");
  for (const etag of ["", "two words", "x".repeat(65), "a\n", "ü", 1, [], {}, true]) {
    const payload = encodeJson({ ...object, etag });
    assertThrows(() => parseDescription(payload), FormatError, "Cannot use etag ");
  }
  assertStrictEquals(parseDescription(encodeJson({ ...object, etag: null })).etag, undefined);
});

pureTest("parseNotice() reads what encodeNotice() wrote", () => {
  assertEquals(
    [...NOTICE_CODES],
    [
      "dropped",
      "slow_link",
      "slow_source",
      "source_lost",
      "source_back",
      "waiting",
      "resuming",
      "viewers",
    ],
  );
  for (const code of NOTICE_CODES) {
    const notice: Notice = {
      ...{ code, message: "Cannot keep up ü 😀", dropped: Number.MAX_SAFE_INTEGER },
      ...{ needed: 27_648_000.5, achieved: 0, position: 3, viewers: 4 },
    };
    assertEquals(parseNotice(encodeNotice(notice)), notice);
  }
});

pureTest("parseNotice() reads the least there may be, and codes of later versions", () => {
  for (const code of ["dropped", "low_battery", "a.b-c", "x".repeat(64)]) {
    const rates = { needed: undefined, achieved: undefined };
    const numbers = { ...rates, dropped: undefined, position: undefined, viewers: undefined };
    assertEquals(parseNotice(encodeJson({ code })), { code, message: "", ...numbers });
    const absent = { message: null, dropped: null, needed: null, achieved: null, position: null };
    assertEquals(parseNotice(encodeJson({ code, ...absent, other: [] })), {
      ...{ code, message: "", ...numbers },
    });
  }
});

pureTest("parseNotice() refuses wrong values of every field", () => {
  const wrong: Record<keyof Notice, readonly unknown[]> = {
    code: [undefined, null, "", "two words", "a\n", "x".repeat(65), 1, [], {}, true],
    message: [1, [], {}, true, "x".repeat(65_537)],
    dropped: [-1, 0.5, 2 ** 53, 1e300, "1", [], true],
    position: [-1, 0.5, 2 ** 53, 1e300, "1", [], true],
    viewers: [-1, 0.5, 2 ** 53, 1e300, "1", [], true],
    needed: [-1, 1e300, "1", [], {}, true],
    achieved: [-0.5, 1e300, "1", [], {}, true],
  };
  for (const [field, values] of Object.entries(wrong)) {
    for (const value of values) {
      const payload = encodeJson({ code: "dropped", [field]: value });
      assertThrows(() => parseNotice(payload), FormatError, field);
    }
  }
  for (const text of ["", "[]", "null", '"dropped"']) {
    assertThrows(() => parseNotice(new TextEncoder().encode(text)), FormatError);
  }
});

pureTest("parseAcceptance() reads what encodeAcceptance() wrote", () => {
  const acceptance = { name: "robot/cam ü", watched: true };
  assertEquals(parseAcceptance(encodeAcceptance(acceptance)), acceptance);
  assertEquals(parseAcceptance(encodeJson({ name: "a" })), { name: "a", watched: false });
  for (const wrong of [{}, { name: 1 }, { name: "a", watched: 1 }]) {
    assertThrows(() => parseAcceptance(encodeJson(wrong)), FormatError);
  }
});

pureTest("parseDescription() reads the language and title of a stream of data", () => {
  const tags = { language: "deu", title: "Für Ältere" };
  const data = [{ id: 2, type: "data", codec: "subtitle", timeBase: [1, 1000], ...tags }] as const;
  const described = { ...DESCRIPTION, data: [...data] };
  assertEquals(parseDescription(encodeDescription(described)).data, [...data]);
});

pureTest("parseDescription() reads a stream of data without a codec's four bytes", () => {
  const object = parseJsonObject(encodeDescription(DESCRIPTION), "description");
  const [, , data] = object.streams as Record<string, unknown>[];
  assertEquals(data, { id: 2, type: "data", codec: "json", timeBase: [1, 1000], fourcc: "" });
  for (const codec of [undefined, "", "text", 1]) {
    const payload = encodeJson({ ...object, streams: [{ ...data, codec }] });
    assertThrows(() => parseDescription(payload), FormatError, "codec");
  }
  const alone = parseDescription(encodeJson({ ...object, streams: [data] }));
  assertEquals([alone.streams, alone.data?.length], [[], 1]);
});

pureTest("parseError() reads what encodeError() wrote", () => {
  for (const code of ERROR_CODES) {
    const error = parseError(encodeError(new RequestError(code, "Cannot: why")));
    assertEquals([error.code, error.message], [code, "Cannot: why"]);
  }
});

pureTest("parseError() takes codes of later versions for internal ones", () => {
  const { code, message } = parseError(encodeJson({ code: "teapot", message: "short" }));
  assertEquals([code, message], ["internal", "short"]);
  assertStrictEquals(parseError(encodeJson({ code: "busy" })).message, "busy");
  assertStrictEquals(parseError(encodeJson({ code: "busy", message: "" })).message, "busy");
  assertThrows(() => parseError(encodeJson({ code: "busy", message: 1 })), FormatError);
  assertThrows(() => parseError(new Uint8Array(0)), FormatError);
});
