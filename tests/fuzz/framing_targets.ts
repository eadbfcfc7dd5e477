/** Framing of the native protocol, and detection of the protocol. */
import { ByteReader } from "../../lib/base/byte_reader.ts";
import { ByteWriter } from "../../lib/base/byte_writer.ts";
import { FRAME_HEADROOM } from "../../lib/media/frame.ts";
import { isTls } from "../../lib/server/session/session.ts";
import { parseScriptRequest, SCRIPT_MAGIC } from "../../lib/protocol/script/request.ts";
import { Connection, type Message } from "../../lib/protocol/native/connection.ts";
import {
  encodeFrame,
  encodeMessage,
  HEADER_LENGTH,
  type Kind,
  KINDS,
  parseHeader,
} from "../../lib/protocol/native/framing.ts";
import { concat } from "../support/media/bytes.ts";
import { mutateBytes, type Mutator } from "./mutate_bytes.ts";
import { MESSAGE_TARGETS } from "./message_targets.ts";
import { checkAtMost, checkRefusal, checkSame, digest, readOrRefuse } from "./properties.ts";
import type { Random } from "./random.ts";
import type { Target } from "./target.ts";
import { type Split, splitsOf, WatchedSource } from "./watched_source.ts";

const text = (value: string) => new TextEncoder().encode(value);

/** The message of a frame. */
function frameMessage(
  size: number,
  { captured, timestamp = 512 }: { captured?: number; timestamp?: number } = {},
): Uint8Array<ArrayBuffer> {
  const memory = new Uint8Array(FRAME_HEADROOM + size).map((_, at) => at * 7);
  const frame = { streamId: 1, timestamp, keyframe: true, discontinuity: size % 2 === 1, captured };
  return encodeFrame({ ...frame, data: memory.subarray(FRAME_HEADROOM) }).slice();
}

/** The first input of a JSON target. */
function payloadOf(target: string): Uint8Array {
  return MESSAGE_TARGETS.find(({ name }) => name === target)?.corpus[0] ?? new Uint8Array(0);
}

const MESSAGES = {
  request: encodeMessage("request", payloadOf("parseRequest()")),
  describe: encodeMessage("describe", payloadOf("parseDescription()")),
  end: encodeMessage("end", payloadOf("parseEnd()")),
  error: encodeMessage("error", payloadOf("parseError()")),
  control: encodeMessage("control", payloadOf("parseControl()")),
  list: encodeMessage("list", payloadOf("parseList()")),
  ping: encodeMessage("ping", text("?"), { timestamp: 1_700_000_000_000_000 }),
  pong: encodeMessage("pong", new Uint8Array(0), { timestamp: -1 }),
  notice: encodeMessage("notice", payloadOf("parseNotice()")),
  accept: encodeMessage("accept", payloadOf("parseAcceptance()")),
} satisfies Record<Exclude<Kind, "frame">, Uint8Array>;

/** Conversations of either side. */
const CONVERSATIONS = [
  concat(MESSAGES.request, MESSAGES.control, MESSAGES.ping, MESSAGES.pong),
  concat(MESSAGES.describe, frameMessage(300), frameMessage(5), MESSAGES.notice, MESSAGES.end),
  concat(MESSAGES.describe, frameMessage(9, { captured: 1.7e15 }), frameMessage(0), MESSAGES.error),
  concat(MESSAGES.list, MESSAGES.ping, frameMessage(70_000, { timestamp: -40 })),
  frameMessage(0, { captured: 0 }),
];

/** Kinds of messages that are accepted: all, those of a client, those of a server. */
const ACCEPTED: readonly (readonly Kind[] | undefined)[] = [
  undefined,
  ["request", "control", "ping", "pong"],
  ["describe", "frame", "end", "error", "list", "ping", "pong", "notice", "control"],
];

/** Mutates headers more often than payloads. */
const mutateMessages: Mutator = (input, others, random) => {
  if (random.once(2)) return mutateBytes(input, others, random);
  const bytes = new Uint8Array(input);
  const startCache: number[] = [];
  for (let at = 0; at + HEADER_LENGTH <= bytes.byteLength;) {
    startCache.push(at);
    at += 4 + new DataView(bytes.buffer, at).getUint32(0, true);
  }
  const head = startCache.length === 0 ? 0 : random.pick(startCache);
  const part = mutateBytes(bytes.subarray(head, head + HEADER_LENGTH), others, random);
  return concat(bytes.subarray(0, head), part, bytes.subarray(head + HEADER_LENGTH));
};

/** The result of receiving up to the end. */
interface Received {
  /** One line for each message, and one for an error. */
  lines: string[];
  /** The same messages, encoded again. */
  sent: Uint8Array[];
  ended: "cleanly" | "refused";
}

async function receiveAll(
  bytes: Uint8Array,
  accept: readonly Kind[] | undefined,
  split: Split,
): Promise<Received> {
  const writer = new ByteWriter({ write: ({ byteLength }) => Promise.resolve(byteLength) }, {
    stallTimeout: 1000,
    onStall: () => {},
  });
  const connection = new Connection(new ByteReader(new WatchedSource(bytes, split)), writer);
  const received: Received = { lines: [], sent: [], ended: "cleanly" };
  try {
    while (true) {
      const message = await connection.receive({ accept });
      if (message === undefined) break;
      received.sent.push(sentAgain(message));
      received.lines.push(lineOf(message));
      checkAtMost("messages", received.lines.length, bytes.byteLength / HEADER_LENGTH);
      if (message.kind === "frame") connection.recycle(message);
    }
  } catch (error) {
    checkRefusal(error);
    received.ended = "refused";
    received.lines.push(String(error));
  }
  return received;
}

function lineOf(message: Message): string {
  const { kind, timestamp } = message;
  if (kind !== "frame") return `${kind} ${timestamp} ${digest(message.payload)}`;
  const { streamId, keyframe, dropped, discontinuity, captured, data } = message;
  return [kind, timestamp, streamId, keyframe, dropped, discontinuity, captured, digest(data)]
    .join(" ");
}

function sentAgain(message: Message): Uint8Array {
  if (message.kind === "frame") return encodeFrame(message, { dropped: message.dropped }).slice();
  return encodeMessage(message.kind, message.payload, { timestamp: message.timestamp });
}

const connectionTarget: Target = {
  name: "Connection.receive()",
  corpus: [...CONVERSATIONS, ...Object.values(MESSAGES)],
  mutate: mutateMessages,
  async check(input, random: Random) {
    const accept = random.pick(ACCEPTED);
    const [whole, ...others] = await Promise.all(
      splitsOf(random).map((split) => receiveAll(input, accept, split)),
    );
    for (const other of others) {
      checkSame("messages by how they come", other.lines.join("\n"), whole.lines.join("\n"));
    }
    const again = await receiveAll(concat(...whole.sent), accept, () => Infinity);
    const messages = whole.ended === "refused" ? whole.lines.slice(0, -1) : whole.lines;
    checkSame("messages sent again", again.lines.join("\n"), messages.join("\n"));
    return whole.lines.length > 0 && whole.ended === "cleanly" ? "taken" : "refused";
  },
};

/** The first bytes of a peer fit at most one protocol. */
const greetingTarget: Target = {
  name: "isTls()",
  corpus: [
    ...Object.values(MESSAGES),
    text("get_image"),
    text("get_video"),
    Uint8Array.of(22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3),
    text("GET / HTTP/1.1\r\n"),
  ],
  mutate: (input, others, random) => mutateBytes(input.subarray(0, 24), others, random),
  check(input) {
    const isScript = new TextDecoder().decode(input.subarray(0, 4)) === SCRIPT_MAGIC;
    const header = input.byteLength < HEADER_LENGTH
      ? undefined
      : readOrRefuse(() => parseHeader(input));
    const isRequest = header !== undefined && Object.keys(KINDS).includes(header.kind) &&
      ACCEPTED[1]?.includes(header.kind);
    const kinds = [isTls(input), isScript, isRequest].filter((is) => is === true);
    checkAtMost("kinds of peer that one is", kinds.length, 1);
    const command = readOrRefuse(() => parseScriptRequest(input));
    if (command !== undefined && !isScript) throw new Error(`${command} without its beginning`);
    return kinds.length === 1 ? "taken" : "refused";
  },
};

/** Targets of the framing. */
export const FRAMING_TARGETS: readonly Target[] = [connectionTarget, greetingTarget];
