/** The script protocol: pickles, and a client's stream of them. */
import { FRAME_HEADROOM, FRAME_TAILROOM } from "../../lib/media/frame.ts";
import { CutError } from "../../lib/net/errors.ts";
import { requestScript } from "../../lib/client/request/script.ts";
import { ServerConnection } from "../../lib/net/connection.ts";
import {
  parseScriptMessage,
  SCRIPT_END,
  ScriptFrameWriter,
} from "../../lib/protocol/script/framing.ts";
import { bytesPickle, readPickle } from "../../lib/protocol/script/unpickler.ts";
import { concat } from "../support/media/bytes.ts";
import { numpyPickle } from "../support/media/pickles.ts";
import { mutateBytes, type Mutator } from "./mutate_bytes.ts";
import { checkAtMost, checkRefusal, checkSame, digest, readOrRefuse } from "./properties.ts";
import type { Target } from "./target.ts";
import { type Split, splitsOf, watchedSocket, WatchedSource } from "./watched_source.ts";

/** Grey pixels become three bytes each. */
const MAX_GROWTH = 3;

const text = (value: string) => new TextEncoder().encode(value);

const PICKLES = [
  ...[2, 3, 4, 5].flatMap((protocol) => [
    numpyPickle({ protocol }),
    numpyPickle({ protocol, core: "numpy._core", fortran: true }),
    numpyPickle({ protocol, shape: [2, 3] }),
    numpyPickle({ protocol, shape: [1, 1, 4], data: Uint8Array.of(1, 2, 3, 255) }),
    numpyPickle({ protocol, dtype: "f4", byteOrder: ">", shape: [1], data: new Uint8Array(4) }),
  ]),
  bytesPickle(text("end")),
];

/** Opcodes and parts of pickles. */
const WORDS = [
  ...["(", ".", "0", "1", "2", "N", "R", "b", "t", ")", "\x85", "\x86", "\x87", "\x88", "\x89"],
  ...["\x93", "\x94", "\x81", "\x92", "cos\nsystem\n", "cnumpy\nndarray\n", "cnumpy\ndtype\n"],
  ...["h\x00", "h\x03", "q\x01", "r\xff\xff\xff\x7f", "j\x00\x00\x00\x00", "K\x03", "M\xff\xff"],
  ...["J\xff\xff\xff\xff", "J\x00\x00\x00\x7f", "\x8a\x01\x01", "C\x03abc", "\x8c\x02u1"],
  ...["B\xff\xff\xff\xff", "X\x06\x00\x00\x00latin1", "c_codecs\nencode\n", "cbuiltins\nbytes\n"],
  ...[
    "\x8e\xff\xff\xff\xff\xff\xff\xff\xff",
    "\x95\x00\x00\x00\x00\x00\x00\x00\x00",
    "}",
    "]",
    "u",
  ],
].map((word) => Uint8Array.from(word, (character) => character.charCodeAt(0)));

const mutatePickle: Mutator = (input, others, random) => {
  if (random.once(2)) return mutateBytes(input, others, random);
  const at = random.below(input.byteLength + 1);
  const gone = random.pick([0, 0, 1, 2, 5]);
  const words = Array.from({ length: 1 + random.size(8) }, () => random.pick(WORDS));
  const bytes = concat(input.subarray(0, at), ...words, input.subarray(at + gone));
  return random.once(3) ? mutateBytes(bytes, others, random) : bytes;
};

const pickleTarget: Target = {
  name: "readPickle()",
  corpus: PICKLES,
  mutate: mutatePickle,
  check(input) {
    const value = readOrRefuse(() => readPickle(input));
    const message = readOrRefuse(() => parseScriptMessage(input));
    if (message !== undefined && value === undefined) throw new Error("a message of no pickle");
    if (value === undefined) return "refused";
    const data = value.kind === "array" ? value.array.data : value.bytes;
    checkAtMost("bytes out of a pickle", data.byteLength, input.byteLength);
    if (message?.kind !== "frame") return "taken";
    const { width, height } = message;
    checkAtMost("bytes of a picture", message.data.byteLength, MAX_GROWTH * input.byteLength);
    checkSame("sizes", String(message.data.byteLength), String(width * height * 3));
    const again = parseScriptMessage(wrapped(message.data, { width, height }).subarray(4));
    const found = again.kind === "frame" ? digest(again.data) : again.kind;
    checkSame("pixels sent again", found, digest(message.data));
    return "taken";
  },
};

/** A picture as a server sends it. */
function wrapped(
  pixels: Uint8Array,
  size: { width: number; height: number },
): Uint8Array<ArrayBuffer> {
  const memory = new Uint8Array(FRAME_HEADROOM + pixels.byteLength + FRAME_TAILROOM);
  memory.set(pixels, FRAME_HEADROOM);
  const data = memory.subarray(FRAME_HEADROOM, FRAME_HEADROOM + pixels.byteLength);
  return new ScriptFrameWriter(size).wrap(data).slice();
}

/** A pickle with its length in front. */
function framed(pickle: Uint8Array): Uint8Array {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setInt32(0, pickle.byteLength, true);
  return concat(length, pickle);
}

const RESPONSES = [
  concat(wrapped(new Uint8Array(6), { width: 2, height: 1 }), SCRIPT_END),
  concat(
    wrapped(new Uint8Array(600), { width: 20, height: 10 }),
    wrapped(new Uint8Array(600).fill(7), { width: 20, height: 10 }),
    SCRIPT_END,
  ),
  concat(...PICKLES.slice(0, 4).map(framed), SCRIPT_END),
  concat(framed(numpyPickle({ protocol: 5 })), framed(numpyPickle({ protocol: 2 })), SCRIPT_END),
];

/** Never fires. */
const NEVER = new AbortController().signal;

/** Reads a response: one line for each part, and one for the error. */
async function responseOf(bytes: Uint8Array, split: Split): Promise<string[]> {
  using link = new ServerConnection(watchedSocket(new WatchedSource(bytes, split)), NEVER, {
    timeouts: { connect: 10_000, idle: 10_000 },
  });
  const lines: string[] = [];
  try {
    for await (const part of requestScript(link, "get_video", { now: () => 0 })) {
      lines.push(part.kind === "frame" ? `frame ${digest(part.frame.data)}` : part.kind);
      checkAtMost("parts", lines.length, 2 + bytes.byteLength);
    }
  } catch (error) {
    if (!(error instanceof CutError)) checkRefusal(error);
    lines.push(String(error));
  }
  return lines;
}

const scriptTarget: Target = {
  name: "requestScript()",
  corpus: RESPONSES,
  mutate: mutateBytes,
  async check(input, random) {
    const [whole, ...others] = await Promise.all(
      splitsOf(random).map((split) => responseOf(input, split)),
    );
    for (const other of others) {
      checkSame("responses by how they are split", other.join("\n"), whole.join("\n"));
    }
    return whole.at(-1) === "end" ? "taken" : "refused";
  },
};

/** Targets of the script protocol. */
export const PICKLE_TARGETS: readonly Target[] = [pickleTarget, scriptTarget];
