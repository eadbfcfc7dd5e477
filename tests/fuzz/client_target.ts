/** The whole client, with a server that sends wrong messages. */
import { deadline } from "../../lib/base/async.ts";
import { encodeMessage, HEADER_LENGTH } from "../../lib/protocol/native/framing.ts";
import { concat } from "../support/media/bytes.ts";
import {
  describe,
  end,
  frame,
  message,
  say,
  ScriptedServer,
} from "../support/peers/scripted_server.ts";
import { at, type Outcome as Ended, runInside } from "../support/programs/run_inside.ts";
import { PATIENCE } from "../support/time/patience.ts";
import { mutateBytes, type Mutator } from "./mutate_bytes.ts";
import { mutateJson } from "./mutate_json.ts";
import { checkAtMost, checkSame } from "./properties.ts";
import type { Random } from "./random.ts";
import type { Outcome, Target } from "./target.ts";

/** Characters that a client may print, and further ones for each byte from the server. */
const MAX_PRINTED = 5000;
const PRINTED_A_BYTE = 6;

const json = (value: unknown) => JSON.stringify(value);

const SOUND = {
  ...{ id: 1, type: "audio", codec: "pcm_s16le", fourcc: "PSD\u0010", timeBase: [1, 8000] },
  ...{ sampleRate: 8000, channels: 1 },
};

/** Messages of a server. */
const SAYINGS: readonly Uint8Array[] = [
  describe(),
  describe({}, SOUND),
  describe({ codec: "h264", fourcc: "H264", decodeDelay: 2, rotation: 90 }),
  frame(0),
  frame(1),
  frame(800, { streamId: 1, size: 320 }),
  message(4, json({ frames: 2, audioFrames: 0, bytes: 512, dropped: 0, reason: "end" })),
  message(4, json({ ...{ frames: 2, audioFrames: 0, bytes: 512, dropped: 0, reason: "end" } })),
  message(5, json({ code: "media_error", message: "the disk \u001b[2J is gone" })),
  message(6, json({ action: "seek", to: 2.5, id: 1 })),
  message(7, json({ version: 1, entries: [{ name: "a", kind: "video", size: 5, codec: "h264" }] })),
  message(8, "ping"),
  message(9, ""),
  message(10, json({ code: "slow_link", message: "slow", needed: 9e7, achieved: 1e6 })),
];

const [DESCRIBE, TWO_STREAMS, PACKETS] = SAYINGS;
const LIST = SAYINGS[10];

/** Whole responses. */
const RESPONSES: readonly Uint8Array[] = [
  concat(DESCRIBE, frame(0), frame(1), end()),
  concat(TWO_STREAMS, frame(0), frame(0, { streamId: 1, size: 320 }), frame(1), SAYINGS[6]),
  concat(PACKETS, frame(-1, { size: 40 }), frame(1, { size: 9 }), end()),
  concat(SAYINGS[11], LIST),
];

/** Command lines of the client that need no other program. */
const COMMANDS: readonly (readonly string[])[] = [
  ["--video", "--view", "none", "--json"],
  ["--video", "--view", "none", "--late", "drop", "--json"],
  ["--video", "--output", "-"],
  ["--image", "--view", "none", "--json"],
  ["--list"],
  ["--list", "--json"],
];

/** Splits a response into its messages. */
function split(response: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let from = 0; from + HEADER_LENGTH <= response.byteLength;) {
    const length = 4 + new DataView(response.buffer, response.byteOffset + from).getUint32(0, true);
    parts.push(response.subarray(from, from + length));
    from += length;
  }
  return parts;
}

/** Drops, inserts and changes messages. */
const mutateResponse: Mutator = (input, _others, random) => {
  const said = split(input).filter(() => !random.once(12));
  for (let more = random.below(3); more > 0; more--) {
    said.splice(random.below(said.length + 1), 0, random.pick(SAYINGS));
  }
  return concat(...said.map((part) => random.once(3) ? changed(part, random) : part));
};

function changed(part: Uint8Array, random: Random): Uint8Array {
  const [head, payload] = [part.subarray(0, HEADER_LENGTH), part.subarray(HEADER_LENGTH)];
  if (payload[0] !== 0x7b || random.once(4)) return mutateBytes(part, SAYINGS, random);
  const others = SAYINGS.map((other) => other.subarray(HEADER_LENGTH));
  const body = mutateJson(payload, others, random);
  if (body.byteLength > 60_000) return part;
  const bytes = encodeMessage("end", body);
  bytes[4] = head[4];
  return bytes;
}

async function ask(server: ScriptedServer, command: readonly string[]): Promise<Ended> {
  const stop = new AbortController();
  using _limit = deadline(PATIENCE, () => stop.abort());
  const ended = await runInside([...command, "--retries", "0", ...at(server)], {
    signal: stop.signal,
  });
  if (stop.signal.aborted) throw new Error("the client did not end");
  return ended;
}

/** Checks that there is no control character and no internal error. */
function checkPrinted(what: string, printed: string, said: number): void {
  const most = MAX_PRINTED + PRINTED_A_BYTE * said;
  checkAtMost(`characters of ${what}`, printed.length, most);
  const obeyed = printed.replaceAll("\n", "").match(/[\p{Cc}\p{Cf}\u2028\u2029]/u)?.[0] ?? "";
  checkSame(`controls in ${what}`, obeyed, "");
  const fault = printed.match(/.*\b(?:TypeError|RangeError|ReferenceError|at file:).*/)?.[0] ?? "";
  checkSame(`faults in ${what}`, fault, "");
}

/** The client with any response. */
export const clientTarget: Target = {
  name: "runClient()",
  corpus: RESPONSES,
  mutate: mutateResponse,
  async check(input, random): Promise<Outcome> {
    const command = random.pick(COMMANDS);
    const step = random.pick([Infinity, 1 + random.size(512)]);
    await using server = new ScriptedServer(async (peer) => {
      for (let from = 0; from < input.byteLength; from += step) {
        await say(peer, input.subarray(from, from + step));
      }
    });
    const { status, stdout, stderr } = await ask(server, command);
    checkPrinted("standard output", stdout, input.byteLength);
    checkPrinted("standard error", stderr, input.byteLength);
    if (status === 0) {
      if (command.includes("--json")) JSON.parse(stdout);
      return "taken";
    }
    checkSame("status", String(status), "1");
    // The reason may be the server's, with any text.
    if (!/[^\n]\n$/.test(stderr)) throw new Error(`no reason is told: ${stderr}`);
    return "refused";
  },
};
