import { assertEquals, assertFalse, assertMatch } from "@std/assert";
import { DeadlineError, RequestError } from "../../lib/base/errors.ts";
import type { Description } from "../../lib/media/frame.ts";
import { endingOf } from "../../lib/net/observer.ts";
import { ConversationState, Explainer, Explanation } from "../../lib/protocol/explainer.ts";
import { MessageWords } from "../../lib/protocol/message_words.ts";
import {
  encodeFrame,
  encodeMessage,
  HEADER_LENGTH,
  type Kind,
  parseHeader,
} from "../../lib/protocol/native/framing.ts";
import { encodeJson } from "../../lib/protocol/native/json.ts";
import { encodeList, type ListPiece } from "../../lib/protocol/native/list.ts";
import { encodeControl, encodeRequest } from "../../lib/protocol/native/request.ts";
import {
  encodeAcceptance,
  encodeDescription,
  encodeEnd,
  encodeError,
  encodeNotice,
} from "../../lib/protocol/native/response.ts";
import { pureTest } from "../support/pure_test.ts";

/** 11:48:26.123 on some day, in microseconds since 1970. */
const NOON = (20_000 * 86_400 + 11 * 3600 + 48 * 60 + 26) * 1e6 + 123_456;

const DESCRIPTION: Description = {
  name: "clip.mp4",
  live: false,
  duration: 12.5,
  streams: [
    {
      ...{ id: 0, type: "video", codec: "h264", fourcc: "H264", timeBase: [1, 1000] },
      ...{ extradata: new Uint8Array(0), width: 64, height: 48, pixelFormat: "yuv420p" },
      frameRate: [30_000, 1001],
    },
    {
      ...{ id: 1, type: "audio", codec: "pcm_s16le", fourcc: "PSD\x10", timeBase: [1, 48_000] },
      ...{ extradata: new Uint8Array(0), sampleRate: 48_000, channels: 1 },
    },
  ],
  data: [{ id: 2, type: "data", codec: "json", timeBase: [1, 1000] }],
  etag: "abc",
  notes: ["the audio is encoded"],
};

const END = { frames: 3, audioFrames: 4, bytes: 500, dropped: 1, reason: "end" };

/** Header and payload of a message. */
function parted(message: Uint8Array) {
  return { header: message.subarray(0, HEADER_LENGTH), payload: message.subarray(HEADER_LENGTH) };
}

function wordsOf(message: Uint8Array, words = new MessageWords()): string {
  const { header, payload } = parted(message);
  return words.of(parseHeader(header), payload);
}

function wordsOfKind(kind: Exclude<Kind, "frame">, payload: Uint8Array): string {
  return wordsOf(encodeMessage(kind, payload));
}

function frame(fields: Partial<Parameters<typeof encodeFrame>[0]> = {}): Uint8Array {
  const data = new Uint8Array(64 + 100).subarray(64);
  return encodeFrame({ streamId: 0, timestamp: 1234, keyframe: false, data, ...fields });
}

pureTest("MessageWords gives the fields of a request, and no token", () => {
  assertEquals(
    wordsOfKind("request", encodeRequest({ command: "get_video", name: "clip.mp4", late: "drop" })),
    'get_video "clip.mp4", encoding raw, late drop',
  );
  assertEquals(
    wordsOfKind("request", encodeRequest({ command: "get_image", width: 640, token: "sesame" })),
    "get_image of the default, encoding raw, width 640, with a token",
  );
  const full = encodeRequest({
    ...{ command: "get_video", name: "a", encoding: "h264", width: 64, height: 48, fps: 25 },
    ...{ bitrate: 80_000, audio: false, start: 1.5, duration: 2, speed: 0, loop: true },
    ...{ resume: [{ id: 0, after: 7 }, { id: 1, next: 9 }], data: "only", redescribe: true },
    via: ["x"],
  });
  assertEquals(
    wordsOfKind("request", full),
    'get_video "a", encoding h264, 64x48, 25 fps, 80000 bits/s, no audio, data only, ' +
      "from 1.5 s, for 2 s, as fast as possible, loop, resume stream 0 after tick 7, " +
      "resume stream 1 after tick 9, redescribe, via 1 relay",
  );
  assertEquals(
    wordsOfKind("request", encodeRequest({ command: "publish", name: "cam", onDemand: true })),
    'publish "cam", on demand',
  );
  assertEquals(
    wordsOfKind("request", encodeRequest({ command: "list_media", data: true })),
    "list_media, with data",
  );
  for (const token of [["sesame"], "sesame".repeat(1000)]) {
    const wrong = wordsOfKind("request", encodeJson({ version: 1, command: "get_image", token }));
    assertMatch(wrong, /^Cannot use token \(not shown\)/);
    assertFalse(wrong.includes("sesame"));
  }
});

pureTest("MessageWords gives streams, and times of frames in seconds", () => {
  const words = new MessageWords();
  assertEquals(
    wordsOf(frame(), words),
    "stream 0, tick 1234, 100 bytes",
  );
  assertEquals(
    wordsOf(encodeMessage("describe", encodeDescription(DESCRIPTION)), words),
    '"clip.mp4"; 12.5 s; stream 0 video h264, 64x48, yuv420p, 29.97 fps, ticks of 1/1000 s; ' +
      "stream 1 audio pcm_s16le, 48000 Hz, 1 channel, ticks of 1/48000 s; " +
      'stream 2 data json, ticks of 1/1000 s; etag abc; note "the audio is encoded"',
  );
  assertEquals(
    wordsOf(frame({ keyframe: true }), words),
    "stream 0, video at 1.234 s, keyframe, 100 bytes",
  );
  assertEquals(
    wordsOf(
      frame({ streamId: 1, timestamp: -24_000, dropped: true, discontinuity: true }),
      words,
    ),
    "stream 1, audio at -0.500 s, frames dropped before it, discontinuity, 100 bytes",
  );
  assertEquals(
    wordsOf(frame({ streamId: 2, captured: NOON }), words),
    "stream 2, data at 1.234 s, captured 11:48:26.123 UTC, 100 bytes",
  );
});

pureTest("MessageWords gives the fields of all other messages", () => {
  const streams = [{ id: 0, frames: 3, bytes: 400 }];
  const entry = { name: "a.png", kind: "image", live: false, size: 1, codec: "png" } as const;
  const named = (name: string) => ({ ...entry, name });
  const cam = { ...entry, name: "cam", kind: "video", live: true } as const;
  const refusal = new RequestError("not_found", "Cannot find it");
  for (
    const [kind, payload, expected] of [
      [
        "end",
        encodeEnd({ ...END, streams, warning: "damaged" }),
        "reason end, 3 frames of video, 4 of audio, 500 bytes of data, 1 dropped; " +
        'stream 0: 3 frames, 400 bytes; warning "damaged"',
      ],
      ["error", encodeError(refusal), "not_found: Cannot find it"],
      ["control", encodeControl({ action: "pause" }), "pause"],
      ["control", encodeControl({ action: "seek", to: 2.5, id: 7 }), "seek, to 2.5 s, id 7"],
      ["control", encodeControl({ action: 5, to: "x" }), 'action 5, to "x" s'],
      ["control", encodeControl({ action: "taken", frames: 3 }), "taken, 3 frames"],
      ["list", encodeList({ entries: [] }), "0 entries"],
      ["list", encodeList({ entries: [cam] }), '1 entry, live video "cam"'],
      [
        "list",
        encodeList({ entries: ["a", "b", "c", "d", "e"].map(named) }),
        '5 entries, image "a", image "b", image "c", 2 more',
      ],
      ["notice", encodeNotice({ code: "dropped", message: "Some" }), "dropped: Some"],
      ["notice", encodeNotice({ code: "dropped", message: "" }), "dropped"],
      ["accept", encodeAcceptance({ name: "cam", watched: true }), '"cam", watched already'],
      ["accept", encodeAcceptance({ name: "a", watched: false }), '"a", nobody watches yet'],
      ["pong", new Uint8Array(0), "no clock"],
      ["end", new Uint8Array([123]), "Cannot read the end: no JSON in UTF-8"],
    ] as const
  ) assertEquals(wordsOfKind(kind, payload), expected);
  assertEquals(
    wordsOf(encodeMessage("ping", new Uint8Array(8), { timestamp: NOON })),
    "clock 11:48:26.123 UTC, 8 bytes of payload",
  );
  const long = encodeError(new RequestError("internal", "x".repeat(10_000)));
  assertEquals(wordsOfKind("error", long).length, 601);
});

pureTest("ConversationState goes from waiting to ended, and back with each request", () => {
  for (
    const [conversation, kinds, expected] of [
      [
        "a client asks twice",
        ["ping", "request", "notice", "describe", "frame", "control", "end", "request", "error"],
        ["waiting", "waiting", "waiting", "describing", "streaming", "streaming", "ended"]
          .concat("waiting", "ended"),
      ],
      ["a list", ["request", "list"], ["waiting", "ended"]],
      [
        "a request that is queued",
        ["request", "describe", "request", "frame", "end", "describe", "frame", "error"],
        ["waiting", "describing", "describing", "streaming", "waiting", "describing"]
          .concat("streaming", "ended"),
      ],
      [
        "another description",
        ["request", "describe", "frame", "describe", "frame"],
        ["waiting", "describing", "streaming", "describing", "streaming"],
      ],
      [
        "a publisher",
        ["request", "accept", "describe", "frame", "pong", "end", "end"],
        ["waiting", "waiting", "describing", "streaming", "streaming", "ended", "ended"],
      ],
      [
        "a publisher that is refused while frames are under way",
        ["request", "accept", "describe", "frame", "error", "frame", "describe"],
        ["waiting", "waiting", "describing", "streaming", "ended", "ended", "ended"],
      ],
      [
        "a script, with a reply to each frame",
        ["request", "frame", "reply", "frame", "end"],
        ["waiting", "streaming", "streaming", "streaming", "ended"],
      ],
      ["a script that is not asked", ["frame", "frame"], ["streaming", "streaming"]],
    ] as const
  ) {
    const state = new ConversationState();
    const names = kinds.map((kind) => {
      state.take(kind);
      return state.name;
    });
    assertEquals<readonly string[]>(names, expected, conversation);
  }
  const state = new ConversationState();
  assertEquals(state.name, "waiting");
  state.end();
  state.take("request");
  assertEquals(state.name, "ended");
});

/** An explainer with its lines, and a clock to set in milliseconds. */
function explaining(prefix?: string) {
  const lines: string[] = [];
  const clock = { now: 5000 };
  const options = { print: (line: string) => void lines.push(line), now: () => clock.now, prefix };
  return { lines, clock, options };
}

pureTest("Explainer prints an aligned line for each message and event", () => {
  const { lines, clock, options } = explaining();
  const explainer = new Explainer(options);
  explainer.event("connected", "from 10.0.0.1:5, without TLS");
  clock.now += 13.4;
  const request = encodeRequest({ command: "get_video", name: "clip.mp4", late: "drop" });
  explainer.sent(parted(encodeMessage("request", request)));
  explainer.received(parted(encodeMessage("describe", encodeDescription(DESCRIPTION))));
  explainer.received(parted(frame({ keyframe: true })));
  clock.now += 61_000;
  explainer.received(parted(encodeMessage("end", encodeEnd(END))));
  explainer.event("closed", "by the server");
  explainer.event("closed", "by this client");
  assertEquals(lines.map((line) => line.replace(/"clip.mp4"; .*" {2}/, '"clip.mp4"…  ')), [
    "   0.000 s  --  connected                   " +
    "from 10.0.0.1:5, without TLS                                  waiting",
    "   0.013 s  ->  request           83 bytes  " +
    'get_video "clip.mp4", encoding raw, late drop                 waiting',
    '   0.013 s  <-  describe         499 bytes  "clip.mp4"…  describing',
    "   0.013 s  <-  frame            116 bytes  " +
    "stream 0, video at 1.234 s, keyframe, 100 bytes               streaming",
    "  61.013 s  <-  end               83 bytes  " +
    "reason end, 3 frames of video, 4 of audio, 500 bytes of data, 1 dropped  ended",
    "  61.013 s  --  closed                      " +
    "by the server                                                 ended",
  ]);
});

pureTest("Explainer takes messages of any framing in words, behind the peer's address", () => {
  const { lines, options } = explaining("10.0.0.1:5  ");
  const explainer = new Explainer(options);
  explainer.received({ kind: "request", bytes: 1, words: "a word" });
  explainer.sent({ kind: "frame", bytes: 5000, words: "array 640x480, as pickle" });
  explainer.event(...endingOf(new DeadlineError("it took too long")));
  assertEquals(lines.map((line) => line.replaceAll(/ {2,}/g, "  ")), [
    "10.0.0.1:5  0.000 s  <-  request  1 byte  a word  waiting",
    "10.0.0.1:5  0.000 s  ->  frame  5000 bytes  array 640x480, as pickle  streaming",
    "10.0.0.1:5  0.000 s  --  timed out  it took too long  ended",
  ]);
});

pureTest("Explanation puts a retry into the conversation that failed, and begins a new one", () => {
  const { lines, clock, options } = explaining();
  const explanation = new Explanation(options);
  explanation.retry("before any");
  explanation.begin().event(...endingOf(new Deno.errors.ConnectionReset("reset")));
  clock.now += 500;
  explanation.retry("in 1.0 s");
  clock.now += 1000;
  explanation.begin().event("connect", "to it");
  assertEquals(lines.map((line) => line.replaceAll(/ {2,}/g, "  ")), [
    "  0.000 s  --  cut  reset  ended",
    "  0.500 s  --  retry  in 1.0 s  ended",
    "  0.000 s  --  connect  to it  waiting",
  ]);
});

pureTest("Explainer keeps the state until the last part of a list", () => {
  const { lines, options } = explaining();
  const explainer = new Explainer(options);
  const receive = (piece: ListPiece) => {
    const message = encodeMessage("list", encodeList(piece));
    const [header, payload] = [message.subarray(0, HEADER_LENGTH), message.subarray(HEADER_LENGTH)];
    explainer.received({ header, payload });
  };
  const pieces = [
    { entries: [], removed: ["a"], more: true },
    { entries: [], follow: true },
    { entries: [] },
  ];
  pieces.forEach(receive);
  assertEquals(lines.map((line) => line.replace(/^.* bytes +/, "").replaceAll(/ {2,}/g, " ")), [
    "0 entries, 1 removed, further ones follow waiting",
    "0 entries waiting",
    "0 entries ended",
  ]);
});
