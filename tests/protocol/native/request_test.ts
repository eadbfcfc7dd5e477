import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { FormatError, RequestError } from "../../../lib/base/errors.ts";
import { ENCODINGS } from "../../../lib/media/frame.ts";
import { encodeJson } from "../../../lib/protocol/native/json.ts";
import {
  encodeControl,
  encodeRequest,
  type MediaRequest,
  parseControl,
  parseRequest,
} from "../../../lib/protocol/native/request.ts";
import { pureTest } from "../../support/pure_test.ts";

/** A request with every field. */
const FULL: MediaRequest = {
  command: "get_video",
  name: "clips/Größe 😀.mkv",
  encoding: "raw",
  pixelFormat: "bgr24",
  width: 1,
  height: 16384,
  fps: 29.97,
  bitrate: 2_000_000,
  quality: 80,
  audio: false,
  audioTrack: "deu",
  subtitles: true,
  start: 0,
  duration: 0.5,
  every: 0.04,
  speed: 0,
  loop: true,
  late: "drop",
  resume: [
    { id: 0, after: -512, next: undefined, breaks: 3 },
    { id: 65535, after: undefined, next: Number.MAX_SAFE_INTEGER, breaks: undefined },
  ],
  token: "secret",
  data: "only",
  credit: true,
  redescribe: true,
  metadata: true,
  toneMap: false,
  deinterlace: true,
  via: ["aZ09_-", "b"],
  defaults: true,
  replace: true,
  onDemand: false,
  more: true,
  follow: true,
};

/** The fields of a control that has none. */
const ABSENT = { to: undefined, id: undefined, frames: undefined, roundTrip: undefined };

/** The payload of a request with these fields. */
function withFields(fields: Record<string, unknown>): Uint8Array<ArrayBuffer> {
  return encodeJson({ version: 1, command: "get_video", ...fields });
}

/** The refusal of a request with these fields. */
function refusal(fields: Record<string, unknown>): RequestError {
  return assertThrows(() => parseRequest(withFields(fields)), RequestError);
}

/** Fields that are there. */
function present(request: MediaRequest): Partial<MediaRequest> {
  return JSON.parse(JSON.stringify(request));
}

pureTest("parseRequest() reads what encodeRequest() wrote", () => {
  assertEquals(parseRequest(encodeRequest(FULL)), FULL);
  for (const command of ["get_image", "get_video", "list_media", "publish"] as const) {
    assertEquals(present(parseRequest(encodeRequest({ command }))), { command });
  }
});

pureTest("parseRequest() takes every encoding and every policy", () => {
  assertEquals([...ENCODINGS], ["raw", "copy", "h264", "mjpeg"]);
  for (const encoding of ENCODINGS) {
    assertStrictEquals(parseRequest(withFields({ encoding })).encoding, encoding);
  }
  for (const late of ["wait", "drop"] as const) {
    assertStrictEquals(parseRequest(withFields({ late })).late, late);
  }
});

pureTest("parseRequest() ignores unknown fields and takes null for absent", () => {
  const payload = encodeJson({
    ...{ version: 1, command: "get_image", colour: "blue", ["__proto__"]: 1, constructor: [] },
    ...{ name: null, width: null, audio: null, late: null },
  });
  assertEquals(present(parseRequest(payload)), { command: "get_image" });
});

pureTest("parseRequest() refuses wrong values of every field", () => {
  const wrong: Record<keyof MediaRequest, readonly unknown[]> = {
    audioTrack: [0, 1001, 1.5, "", "d", "deutsch", "de;u", {}, [], true],
    subtitles: [0, 1001, 1.5, "", "d", "deutsch", "de;u", {}, []],
    command: ["", "GET_VIDEO", "get_", 1, [], {}, true],
    name: ["", "a\0b", "x".repeat(1025), 1, ["video.mp4"], {}, false],
    encoding: ["", "RAW", "vp9", 0, [], {}],
    pixelFormat: ["", "BGR24", "a b", "yuv420p\n", "-vf", "x".repeat(33), 24, []],
    width: [0, "320", "NaN", true, [], {}],
    height: [0, "240", "NaN", true, [], {}],
    toneMap: [0, 1, "true", []],
    deinterlace: [0, 1, "true", []],
    audio: [0, 1, "false", [], {}],
    start: [-1, "0", "Infinity", true, []],
    duration: [0, "1", [], {}],
    fps: [0, "25", "30000/1001", [30, 1]],
    bitrate: [0, "2M", [], {}],
    quality: [0, "high", true, []],
    every: [0, "1", [], {}],
    speed: [-1, "1", "max", [], {}],
    loop: [0, 1, "true", []],
    late: ["", "DROP", 1, true],
    resume: ["", "x", 1, {}, true, { id: 0, after: 1 }],
    token: ["x".repeat(4097), 1, [], {}],
    data: [1, "true", "all", "", [], {}],
    metadata: [0, 1, "true", []],
    redescribe: [0, 1, "true", []],
    credit: [0, 1, "true", []],
    via: ["", "a", {}, ["a b"], [""], [1], ["x".repeat(65)], Array(17).fill("a")],
    defaults: [0, 1, "true", []],
    more: [0, 1, "true", []],
    follow: [0, 1, "true", []],
    replace: [0, 1, "true", []],
    onDemand: [0, 1, "true", []],
  };
  for (const [field, values] of Object.entries(wrong)) {
    for (const value of values) {
      const { code, message } = refusal({ [field]: value });
      assertStrictEquals(code, "bad_request");
      assertStrictEquals(message.startsWith(`Cannot use ${field} `), true, message);
      assertStrictEquals(message.length < 200, true, message);
    }
  }
});

pureTest("parseRequest() refuses wrong entries of resume", () => {
  const entries: unknown[] = [
    ...[null, 1, "0", [], {}, { id: 0 }, { after: 1 }, { id: null, after: 1 }],
    ...[{ id: -1, after: 1 }, { id: 65_536, after: 1 }, { id: 0.5, after: 1 }],
    ...[{ id: 0, after: 0.5 }, { id: 0, after: 2 ** 53 }, { id: 0, after: -(2 ** 53) }],
    ...[{ id: 0, next: "1" }, { id: 0, next: 1e300 }, { id: 0, after: null, next: null }],
    ...[{ id: 0, after: 1, breaks: -1 }, { id: 0, after: 1, breaks: 1.5 }],
  ];
  for (const entry of entries) {
    const { code, message } = refusal({ resume: [entry] });
    assertStrictEquals(code, "bad_request");
    assertStrictEquals(message.startsWith("Cannot "), true, message);
  }
  const many = Array.from({ length: 65 }, (_, id) => ({ id, after: 1 }));
  assertEquals(
    [refusal({ resume: many }).message, parseRequest(withFields({ resume: [] })).resume],
    ["Cannot use resume: 65 streams, expected at most 64", []],
  );
  assertStrictEquals(parseRequest(withFields({ resume: many.slice(1) })).resume?.length, 64);
  const twice = [{ id: 3, after: 1 }, { id: 3, next: 2 }];
  assertStrictEquals(
    refusal({ resume: twice }).message,
    "Cannot use resume: a stream stands there twice, expected each once",
  );
});

pureTest("parseRequest() refuses a request without a command", () => {
  const { code, message } = refusal({ command: undefined });
  assertStrictEquals(code, "bad_request");
  assertStrictEquals(
    message,
    "Cannot read the request: no command, expected get_image, get_video, list_media, publish",
  );
});

pureTest("parseRequest() refuses other versions with a short message", () => {
  const versions = [0, 2, "1", null, undefined, [1], 1.5, {}, "x".repeat(60_000)];
  for (const version of versions) {
    const { code, message } = refusal({ version });
    assertStrictEquals(code, "version");
    assertStrictEquals(message.endsWith(", expected 1"), true, message);
    assertStrictEquals(message.length < 200, true, message);
  }
});

pureTest("parseRequest() refuses what is no object", () => {
  for (const text of ["", "[]", "get_image", "null", "{"]) {
    const payload = new TextEncoder().encode(text);
    const { code } = assertThrows(() => parseRequest(payload), RequestError);
    assertStrictEquals(code, "bad_request");
  }
});

pureTest("parseRequest() counts a name's characters, not its bytes", () => {
  const name = "😀".repeat(1024);
  assertStrictEquals(parseRequest(encodeRequest({ command: "get_video", name })).name, name);
});

pureTest("parseControl() reads what encodeControl() wrote", () => {
  assertEquals(parseControl(encodeControl({ action: "stop" })), {
    ...{ action: "stop", ...ABSENT },
  });
  const seek = { action: "seek", to: 12.34, id: 7 };
  assertEquals(parseControl(encodeControl(seek)), { ...ABSENT, ...seek });
  const taken = { action: "taken", frames: 12, roundTrip: 31.5 };
  assertEquals(parseControl(encodeControl(taken)), { ...ABSENT, ...taken });
});

pureTest("parseControl() passes any action on as it is, to be ignored", () => {
  for (const action of ["rewind", "STEP", "frame-step", "", 5, null, true, ["stop"], {}]) {
    const read = parseControl(encodeJson({ action, colour: "blue" }));
    assertEquals(read, { action, ...ABSENT });
  }
  const nothing = { action: undefined, ...ABSENT };
  assertEquals(parseControl(encodeJson({})), nothing);
  const inherited = '{"__proto__":{"action":"stop","to":1,"id":2}}';
  assertEquals(parseControl(new TextEncoder().encode(inherited)), nothing);
});

pureTest("parseControl() passes any place and any id on as they are, to be checked", () => {
  const values = [0, -1, 0.5, 1e300, "", "12", "x".repeat(60_000), null, true, [], [[1]], { a: 1 }];
  for (const value of values) {
    assertEquals(parseControl(encodeJson({ action: "seek", to: value, id: 1 })).to, value);
    assertEquals(parseControl(encodeJson({ action: "seek", to: 1, id: value })).id, value);
  }
  const beyond = new TextEncoder().encode('{"action":"seek","to":1e400,"id":-1e400}');
  assertEquals(parseControl(beyond), {
    ...ABSENT,
    ...{ action: "seek", to: Infinity, id: -Infinity },
  });
});

pureTest("parseControl() refuses what is no object", () => {
  for (const text of ["", "stop", '"stop"', "[]", "5", "null", "{"]) {
    assertThrows(() => parseControl(new TextEncoder().encode(text)), FormatError);
  }
});

pureTest("parseRequest() takes tracks by number and by language", () => {
  for (const track of [1, 1000, "en", "deu", "pt-BR"]) {
    const wishes = { audioTrack: track, subtitles: track };
    const { audioTrack, subtitles } = parseRequest(withFields(wishes));
    assertEquals([audioTrack, subtitles], [track, track]);
  }
  assertEquals(parseRequest(withFields({ subtitles: false })).subtitles, undefined);
});
