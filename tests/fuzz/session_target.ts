/** Whole sessions of a server, over sockets. */
import { deadline } from "../../lib/base/async.ts";
import {
  FormatError,
  isConnectionClosed,
  isConnectionLost,
  TruncatedError,
} from "../../lib/base/errors.ts";
import type { ServerOptions } from "../../lib/server/options.ts";
import { encodeMessage } from "../../lib/protocol/native/framing.ts";
import {
  encodeControl,
  encodeRequest,
  type MediaRequest,
} from "../../lib/protocol/native/request.ts";
import { concat } from "../support/media/bytes.ts";
import { type MediaFolder, pictures, tone } from "../support/media/media_folder.ts";
import type { NativeClient } from "../support/peers/native_client.ts";
import { type TestServer, testServer } from "../support/peers/test_server.ts";
import { mutateBytes, type Mutator } from "./mutate_bytes.ts";
import { mutateJson } from "./mutate_json.ts";
import { checkSame } from "./properties.ts";
import type { Random } from "./random.ts";
import type { Outcome, Target } from "./target.ts";

/** Bytes and milliseconds after which a peer stops reading. */
const MOST_READ = 1 << 20;
const MOST_TIME = 500;

/** Messages of a client, from which conversations are made. */
const MESSAGES: readonly Uint8Array[] = [
  request({ command: "get_image", name: "image.png" }),
  request({ command: "get_video", name: "short.mkv" }),
  request({ command: "get_video", name: "short.mkv", encoding: "copy", start: 0.2 }),
  request({ command: "get_video", name: "short.mkv", speed: 4, duration: 0.3, late: "drop" }),
  request({ command: "get_image", name: "short.mkv", every: 0.1, width: 32 }),
  request({ command: "list_media" }),
  control({ action: "pause" }),
  control({ action: "resume" }),
  control({ action: "seek", to: 0.2, id: 1 }),
  control({ action: "stop" }),
  encodeMessage("ping", new Uint8Array(3), { timestamp: 5 }),
  new TextEncoder().encode("get_image"),
  new TextEncoder().encode("get_video"),
];

function request(fields: MediaRequest): Uint8Array {
  return encodeMessage("request", encodeRequest({ speed: 0, ...fields }));
}

function control(fields: { action: string; to?: number; id?: number }): Uint8Array {
  return encodeMessage("control", encodeControl(fields));
}

/** Lines of the log that are searched for internal errors. */
const RECENT = 50;

/** Bytes of a message before its payload. */
const HEADER = 16;

/** Puts messages together, some of them mutated. */
const mutateConversation: Mutator = (input, _others, random) => {
  const said = [input, ...Array.from({ length: random.below(4) }, () => random.pick(MESSAGES))];
  return concat(...said.map((message) => random.once(3) ? message : changed(message, random)));
};

function changed(message: Uint8Array, random: Random): Uint8Array {
  if (random.once(3)) return mutateBytes(message, MESSAGES, random);
  const payload = message.subarray(HEADER);
  const others = MESSAGES.slice(0, 6).map((other) => other.subarray(HEADER));
  const json = mutateJson(payload, others, random);
  const kind = message[4] === 6 ? "control" : "request";
  return json.byteLength > 60_000 ? message : encodeMessage(kind, json);
}

/** Makes the files that the requests name. */
export async function sessionMedia(folder: MediaFolder): Promise<string> {
  await Promise.all([
    folder.make("session/image.png", [...pictures({ size: "16x12" }), "-frames:v", "1"]),
    folder.make("session/short.mkv", [
      ...pictures({ size: "16x12", rate: "10", seconds: 0.5 }),
      ...tone({ seconds: 0.5, rate: 8000 }),
      ...["-c:v", "ffv1", "-c:a", "pcm_s16le"],
    ]),
  ]);
  return folder.pathOf("session");
}

/** A server that runs until it is disposed. */
export class SessionTarget implements Target, AsyncDisposable {
  readonly name = "runSession()";
  readonly corpus = MESSAGES;
  readonly mutate = mutateConversation;
  #server: TestServer;

  private constructor(server: TestServer) {
    this.#server = server;
  }

  /** Starts the server. */
  static async open(
    media: string,
    options: Partial<ServerOptions> = {},
  ): Promise<SessionTarget> {
    const timeouts = { request: 20_000, stall: 20_000, ping: 200 };
    return new SessionTarget(await testServer({ media, timeouts, ...options }));
  }

  /** Sends the input, whole or in pieces, and leaves in one of several ways. */
  async check(input: Uint8Array, random: Random): Promise<Outcome> {
    using peer = await this.#server.connect();
    await say(peer, input, random);
    if (random.once(4)) return "refused"; // Unread bytes make this a reset.
    await unlessGone(() => peer.socket.closeWrite());
    const outcome = await hear(peer);
    const recent = this.#server.lines.slice(-RECENT);
    if (recent.some((line) => /\b(TypeError|RangeError|at file:)/.test(line))) {
      throw new Error(`The server failed:\n${recent.join("")}`);
    }
    return outcome;
  }

  /** Checks that the server works and that the log has no failure. */
  async assertWell(): Promise<void> {
    await this.#server.assertWell();
    for (const line of this.#server.lines) {
      checkSame("failures in the log", /^\S+ error |the server failed/.test(line) ? line : "", "");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}

/** Writes to a server that may hang up meanwhile. */
export async function say(peer: NativeClient, input: Uint8Array, random: Random): Promise<void> {
  const step = random.pick([Infinity, 1 + random.size(64)]);
  await unlessGone(async () => {
    for (let at = 0; at < input.byteLength; at += step) {
      await peer.write(input.subarray(at, at + step));
    }
  });
}

/** Does what fails if the server has hung up, which is no failure. */
export async function unlessGone(action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

/** Reads up to a limit; the outcome is "taken" if a request was served. */
export async function hear(peer: NativeClient): Promise<Outcome> {
  let outcome: Outcome = "refused";
  // A request may ask for a very slow speed.
  using _limit = deadline(MOST_TIME, () => peer.close());
  try {
    for (let heard = 0; heard < MOST_READ;) {
      const message = await peer.connection.receive();
      if (message === undefined) break;
      if (message.kind === "describe" || message.kind === "list") outcome = "taken";
      heard += message.kind === "frame" ? message.data.byteLength : message.payload.byteLength;
    }
  } catch (error) {
    // The response to a script is no native message.
    if (!(error instanceof FormatError || error instanceof TruncatedError || isGone(error))) {
      throw error;
    }
  }
  return outcome;
}

export function isGone(error: unknown): boolean {
  return isConnectionLost(error) || isConnectionClosed(error);
}
