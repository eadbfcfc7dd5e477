/** What scripts send: recognition of the format, payloads, and whole conversations. */
import { MONOTONIC_CLOCK } from "../../lib/base/clock.ts";
import { CutError } from "../../lib/net/errors.ts";
import { ServerConnection } from "../../lib/net/connection.ts";
import { formatName, parseScriptFormat } from "../../lib/protocol/script/format.ts";
import { JpegScanner } from "../../lib/protocol/script/jpeg.ts";
import { LENGTH_PREFIXES } from "../../lib/protocol/script/lengths.ts";
import { decodePayload } from "../../lib/protocol/script/payloads.ts";
import { receiveScript } from "../../lib/protocol/script/receiver.ts";
import { recognise } from "../../lib/protocol/script/recognise.ts";
import { concat } from "../support/media/bytes.ts";
import { numpyPickle } from "../support/media/pickles.ts";
import { mutateBytes, type Mutator } from "./mutate_bytes.ts";
import { checkAtMost, checkRefusal, checkSame, digest, readOrRefuse } from "./properties.ts";
import type { Target } from "./target.ts";
import { type Split, splitsOf, watchedSocket, WatchedSource } from "./watched_source.ts";

/** A JPEG of 40 × 30 pixels as far as it is looked at. */
const JPEG = concat(
  "\xff\xd8\xff\xe0\x00\x04ab\xff\xc0\x00\x0b\x08\x00\x1e\x00\x28\x01\x01\x11\x00",
  "\xff\xda\x00\x02\x01\x02\xff\x00\xff\xd0\x03\xff\xd9",
);

const NPY_HEADER = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, 3), }";
const NPY = concat(
  "\x93NUMPY\x01\x00\x76\x00",
  `${NPY_HEADER.padEnd(117)}\n`,
  new Uint8Array(18).fill(7),
);

const BASE64 = new TextEncoder().encode(`${JPEG.toBase64()}\n`);

const PICKLED = [2, 4, 5].map((protocol) => numpyPickle({ protocol, shape: [2, 3, 1] }));

/** Whole messages by their payload. */
const PAYLOADS: Record<string, readonly Uint8Array[]> = {
  jpeg: [JPEG],
  npy: [NPY],
  base64: [BASE64.subarray(0, -1)],
  pickle: PICKLED,
  "pickled-jpeg": [concat("\x80\x03C", Uint8Array.of(JPEG.byteLength), JPEG, ".")],
  "raw:4x2:bgr24": [new Uint8Array(24)],
};

const FORMATS = [
  ...Object.keys(LENGTH_PREFIXES).flatMap((length) =>
    Object.keys(PAYLOADS).map((payload) => `${length}+${payload}`)
  ),
  ...["line+base64", "none+jpeg", "none+npy", "none+raw:4x2:bgr24"],
];

/** What a script sends in a format: two messages. */
function streamOf(name: string): Uint8Array {
  const { length, payload } = parseScriptFormat(name);
  const [message] = PAYLOADS[name.slice(name.indexOf("+") + 1)];
  if (length === "line") return concat(BASE64, BASE64);
  if (length === "none") return concat(message, message);
  const prefix = LENGTH_PREFIXES[length].encode(message.byteLength);
  const end = LENGTH_PREFIXES[length].encode(3);
  return payload.kind === "raw"
    ? concat(prefix, message, prefix, message)
    : concat(prefix, message, prefix, message, end, "end");
}

const STREAMS = FORMATS.map(streamOf);

/** Bytes that tell formats and payloads apart. */
const WORDS = [
  ...["\xff\xd8\xff", "\xff\xd9", "\x93NUMPY", "/9j/", "\x80\x04", "\x80\x02", "cnumpy", "(dp0\n"],
  ...["16      ", "\0\0\0\0", "\xff\xff\xff\xff", "\xff\xc0\x00\x0b\x08", "\xff\xda", "\n", "end"],
].map((word) => Uint8Array.from(word, (character) => character.charCodeAt(0)));

const mutateStream: Mutator = (input, others, random) => {
  if (random.once(2)) return mutateBytes(input, others, random);
  const at = random.below(Math.min(input.byteLength, 64) + 1);
  const gone = random.pick([0, 0, 1, 4, 8]);
  return concat(input.subarray(0, at), random.pick(WORDS), input.subarray(at + gone));
};

const recogniseTarget: Target = {
  name: "recognise()",
  corpus: STREAMS,
  mutate: mutateStream,
  check(input, random) {
    const found = readOrRefuse(() => recognise(input));
    const last = readOrRefuse(() => recognise(input, { isEnd: true }));
    if (found?.kind === "more") {
      checkAtMost("bytes at hand that are asked for", input.byteLength, found.bytes - 1);
      checkAtMost("bytes asked for", found.bytes, 2 ** 24);
    }
    if (last?.kind === "more") throw new Error("it asks for more behind the end");
    // More bytes never take back what was recognised.
    const part = readOrRefuse(() =>
      recognise(input.subarray(0, random.below(input.byteLength + 1)))
    );
    if (part?.kind === "format" && found?.kind === "format") {
      checkSame("formats", formatName(found.format), formatName(part.format));
    }
    if (found?.kind === "format") parseScriptFormat(formatName(found.format));
    return found?.kind === "format" ? "taken" : "refused";
  },
};

const payloadTargets = Object.entries(PAYLOADS).map(([name, corpus]): Target => {
  const { payload } = parseScriptFormat(`i32le+${name}`);
  return {
    name: `decodePayload(${name})`,
    corpus,
    mutate: mutateStream,
    check(input) {
      const content = readOrRefuse(() => decodePayload(input, payload));
      if (content?.kind !== "image") return content === undefined ? "refused" : "taken";
      const { width, height, data } = content.image;
      checkAtMost("bytes of a picture", data.byteLength, input.byteLength);
      checkAtMost("sizes below one", Number(!(width >= 1 && height >= 1)), 0);
      return "taken";
    },
  };
});

const scannerTarget: Target = {
  name: "JpegScanner",
  corpus: [JPEG, concat(JPEG, JPEG)],
  mutate: mutateStream,
  check(input, random) {
    const whole = readOrRefuse(() => new JpegScanner().scan(input) ?? -1);
    const scanner = new JpegScanner();
    const part = readOrRefuse(() =>
      scanner.scan(input.subarray(0, random.below(input.byteLength + 1))) ??
        scanner.scan(input) ?? -1
    );
    checkSame("ends", String(part), String(whole));
    return whole === undefined || whole < 0 ? "refused" : "taken";
  },
};

/** Never fires. */
const NEVER = new AbortController().signal;

/** Reads what a script sends: one line for each part, and one for the error. */
async function partsOf(bytes: Uint8Array, split: Split, format?: string): Promise<string[]> {
  using link = new ServerConnection(watchedSocket(new WatchedSource(bytes, split)), NEVER, {
    timeouts: { connect: 10_000, idle: 10_000 },
  });
  const lines: string[] = [];
  const clock = { ...MONOTONIC_CLOCK, now: () => 0 };
  const insisted = format === undefined ? undefined : parseScriptFormat(format);
  const options = { name: "cam", ack: "none", clock, format: insisted, maxPixels: 2 ** 20 };
  try {
    for await (const part of receiveScript(link, options)) {
      lines.push(part.kind === "frame" ? `frame ${digest(part.frame.data)}` : part.kind);
      checkAtMost("parts", lines.length, 2 + 3 * bytes.byteLength);
    }
  } catch (error) {
    if (!(error instanceof CutError)) checkRefusal(error);
    // A refusal names as many bytes as had come.
    lines.push(String(error).split(": ").slice(0, 2).join(": "));
  }
  return lines;
}

const receiverTarget: Target = {
  name: "receiveScript()",
  corpus: STREAMS,
  mutate: mutateStream,
  async check(input, random) {
    const format = random.once(2) ? undefined : random.pick(FORMATS);
    const [whole, ...others] = await Promise.all(
      splitsOf(random).map((split) => partsOf(input, split, format)),
    );
    for (const other of others) {
      checkSame("parts by how they are split", other.join("\n"), whole.join("\n"));
    }
    return whole.at(-1) === "end" ? "taken" : "refused";
  },
};

/** Targets of what scripts send. */
export const SCRIPT_TARGETS: readonly Target[] = [
  recogniseTarget,
  ...payloadTargets,
  scannerTarget,
  receiverTarget,
];
