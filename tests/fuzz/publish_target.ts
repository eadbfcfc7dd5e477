/** Whatever a publisher may send, to a server whose source is watched. */
import { FormatError, RequestError, TruncatedError } from "../../lib/base/errors.ts";
import { FRAME_HEADROOM } from "../../lib/media/frame.ts";
import { encodeFrame, encodeMessage } from "../../lib/protocol/native/framing.ts";
import { encodeJson } from "../../lib/protocol/native/json.ts";
import { encodeEnd } from "../../lib/protocol/native/response.ts";
import { concat } from "../support/media/bytes.ts";
import { dataStream, rawStream, TestPublisher } from "../support/peers/test_publisher.ts";
import { type TestServer, testServer } from "../support/peers/test_server.ts";
import { mutateBytes, type Mutator } from "./mutate_bytes.ts";
import { mutateJson } from "./mutate_json.ts";
import { checkSame } from "./properties.ts";
import type { Random } from "./random.ts";
import { hear, isGone, say, unlessGone } from "./session_target.ts";
import type { Outcome, Target } from "./target.ts";

const AUDIO = {
  ...{ id: 1, type: "audio", codec: "pcm_s16le", timeBase: [1, 8000] },
  ...{ sampleRate: 8000, channels: 1 },
};
const H264 = { ...rawStream(16, 16), codec: "h264", extradata: "AWQACg==", decodeDelay: 2 };

/** Messages of a publisher, from which conversations are made. */
const MESSAGES: readonly Uint8Array[] = [
  describe(rawStream(8, 4)),
  describe(rawStream(8, 4, "grayf32le"), AUDIO, dataStream(9), dataStream(3, "bytes")),
  describe(H264, AUDIO),
  describe(dataStream(0)),
  frame(0, 32),
  frame(0, 128, 40),
  frame(1, 160, 80, 1.7e15),
  frame(9, 20, -5),
  encodeMessage("end", encodeEnd({ frames: 1, audioFrames: 0, bytes: 32, dropped: 0, reason: "" })),
  encodeMessage("ping", new Uint8Array(8), { timestamp: 5 }),
  encodeMessage("pong", new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0]), { timestamp: 9e15 }),
  encodeMessage("pong", new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0]), { timestamp: 1 }),
  encodeMessage("control", encodeJson({ action: "pause" })),
  encodeMessage("request", encodeJson({ version: 1, command: "list_media" })),
  encodeMessage("request", encodeJson({ version: 1, command: "publish", name: "cam" })),
];

/** Bytes of a message before its payload. */
const HEADER = 16;

function describe(...streams: Record<string, unknown>[]): Uint8Array {
  return encodeMessage("describe", encodeJson({ version: 1, streams }));
}

function frame(streamId: number, size: number, timestamp = 0, captured?: number): Uint8Array {
  const memory = new Uint8Array(FRAME_HEADROOM + size).fill(0x31);
  const data = memory.subarray(FRAME_HEADROOM);
  return encodeFrame({ streamId, timestamp, keyframe: true, captured, data }).slice();
}

/** Puts a description and other messages together, some of them mutated. */
const mutateConversation: Mutator = (input, _others, random) => {
  const first = random.once(4) ? input : MESSAGES[random.below(4)];
  const rest = Array.from({ length: 1 + random.below(6) }, () => random.pick(MESSAGES));
  return concat(...[first, ...rest].map((said) => random.once(2) ? said : changed(said, random)));
};

function changed(message: Uint8Array, random: Random): Uint8Array {
  if (message[4] !== 2 || random.once(3)) return mutateBytes(message, MESSAGES, random);
  const others = MESSAGES.slice(0, 4).map((other) => other.subarray(HEADER));
  const json = mutateJson(message.subarray(HEADER), others, random);
  return json.byteLength > 60_000 ? message : encodeMessage("describe", json);
}

/** A server with a viewer of whatever is published. */
export class PublishTarget implements Target, AsyncDisposable {
  readonly name = "PublishSession";
  readonly corpus = MESSAGES;
  readonly mutate = mutateConversation;
  #server: TestServer;

  private constructor(server: TestServer) {
    this.#server = server;
  }

  /** Starts the server. */
  static async open(media: string): Promise<PublishTarget> {
    const timeouts = { request: 20_000, stall: 20_000, ping: 200 };
    const live = { sources: [], linger: 0 };
    const metrics = { hostname: "127.0.0.1", port: 0 };
    return new PublishTarget(await testServer({ media, timeouts, live, metrics }));
  }

  /** Publishes the input while somebody watches, and leaves in one of several ways. */
  async check(input: Uint8Array, random: Random): Promise<Outcome> {
    using viewer = await this.#server.connect();
    using peer = await TestPublisher.begin(this.#server.address.port, {
      ...{ name: "cam", replace: true, onDemand: random.once(2) },
    });
    const encoding = random.once(8) ? "mjpeg" : "raw";
    await unlessGone(() =>
      viewer.ask({ command: "get_video", name: "cam", data: true, redescribe: true, encoding })
    );
    await say(peer, input, random);
    if (random.once(4)) return "refused"; // Unread bytes make this a reset.
    await unlessGone(() => peer.socket.closeWrite());
    const [outcome] = await Promise.all([hear(viewer), leave(peer)]);
    const recent = this.#server.lines.slice(-50);
    if (recent.some((line) => /\b(TypeError|RangeError|at file:)/.test(line))) {
      throw new Error(`The server failed:\n${recent.join("")}`);
    }
    return outcome;
  }

  /** Checks that the server works, its metrics too, and that the log has no failure. */
  async assertWell(): Promise<void> {
    await this.#server.assertWell();
    const [url] = this.#server.lines.join("").match(/http:\S+\/metrics/) ?? [];
    const response = await fetch(url ?? "");
    await response.body?.cancel();
    checkSame("status of the metrics", `${response.status}`, "200");
    for (const line of this.#server.lines) {
      checkSame("failures in the log", /^\S+ error |the server failed/.test(line) ? line : "", "");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}

/** Reads until the server hangs up. */
async function leave(peer: TestPublisher): Promise<void> {
  try {
    await peer.farewell();
  } catch (error) {
    const isKnown = error instanceof FormatError || error instanceof TruncatedError ||
      error instanceof RequestError;
    if (!isKnown && !isGone(error)) throw error;
  }
}
