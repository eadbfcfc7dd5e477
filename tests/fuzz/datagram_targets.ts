/** JPEGs in datagrams. */
import { DatagramAssembler } from "../../lib/protocol/script/datagrams/assembler.ts";
import { bytesPickle } from "../../lib/protocol/script/pickle/unpickler.ts";
import { concat, latin1 } from "../support/media/bytes.ts";
import { cut, numberedPieces, pack, smallJpeg } from "../support/media/jpeg_pieces.ts";
import { mutateBytes, type Mutator } from "./mutate_bytes.ts";
import { checkAtMost, checkRefusal, checkSame, digest } from "./properties.ts";
import type { Random } from "./random.ts";
import type { Target } from "./target.ts";

const JPEGS = [1, 2, 3].map((seed) => smallJpeg({ seed, length: 60 }));

/** Datagrams in one input, each behind its length in 16 bits. */
function joined(datagrams: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return concat(...datagrams.flatMap((bytes) => [pack("!H", bytes.byteLength), bytes]));
}

function separated(input: Uint8Array): Uint8Array[] {
  const datagrams: Uint8Array[] = [];
  for (let at = 0; at + 2 <= input.byteLength;) {
    const end = at + 2 + (input[at] << 8 | input[at + 1]);
    datagrams.push(input.subarray(at + 2, end));
    at = end;
  }
  return datagrams;
}

const numbered = (
  format: string,
  numbers: (frame: number, at: number, count: number) => number[],
) =>
  JPEGS.flatMap((jpeg, frame) =>
    numberedPieces(format, cut(jpeg, 4), (at, count) => numbers(frame, at, count))
  );

const STREAMS: readonly (readonly Uint8Array[])[] = [
  JPEGS,
  JPEGS.map((jpeg) => latin1(jpeg.toBase64())),
  JPEGS.map(bytesPickle),
  JPEGS.flatMap((jpeg) => cut(jpeg, 4)),
  numbered("!B", (_, at, count) => [count - at]),
  numbered("!B", (_, at, count) => [count - at - 1]),
  numbered("!BB", (_, at, count) => [at, count]),
  numbered("<HH", (_, at, count) => [at + 1, count]),
  numbered("!IHH", (frame, at, count) => [frame, at, count]),
  numbered("<QII", (frame, at, count) => [frame, count, at]),
];

/** Loses, doubles and moves datagrams, and changes a few. */
const mutateDatagrams: Mutator = (input, others, random) => {
  const datagrams = separated(input);
  for (let more = random.below(6); more > 0 && datagrams.length > 0; more--) {
    const at = random.below(datagrams.length);
    const [taken] = datagrams.splice(at, 1);
    const place = () => random.below(datagrams.length + 1);
    const kept = random.pick([[], [taken], [taken, taken], [changed(taken, datagrams, random)]]);
    for (const datagram of kept) datagrams.splice(place(), 0, datagram);
  }
  const bytes = joined(datagrams);
  return random.once(4) ? mutateBytes(bytes, others, random) : bytes;
};

function changed(datagram: Uint8Array, others: readonly Uint8Array[], random: Random): Uint8Array {
  return mutateBytes(datagram, [datagram, ...others], random);
}

/** What comes of datagrams, in lines. */
function assembled(datagrams: readonly Uint8Array[]): string[] {
  const assembler = new DatagramAssembler();
  const [sent, lines] = [{ bytes: 0, count: 0 }, [] as string[]];
  for (const datagram of datagrams) {
    sent.bytes += datagram.byteLength;
    sent.count++;
    try {
      const jpeg = assembler.push(datagram);
      if (jpeg === undefined) continue;
      checkAtMost("bytes of a frame", jpeg.byteLength, sent.bytes);
      checkSame("beginning", jpeg.subarray(0, 3).toHex(), "ffd8ff");
      lines.push(digest(jpeg));
    } catch (error) {
      checkRefusal(error);
      lines.push(String(error));
    }
  }
  checkAtMost("frames", lines.length + assembler.dropped, 2 * sent.count);
  return lines;
}

const assemblerTarget: Target = {
  name: "DatagramAssembler",
  corpus: STREAMS.map(joined),
  mutate: mutateDatagrams,
  check(input) {
    const datagrams = separated(input);
    const lines = assembled(datagrams);
    const copies = datagrams.map((bytes) => bytes.slice());
    checkSame("what comes again", assembled(copies).join("\n"), lines.join("\n"));
    return lines.some((line) => /^\d/.test(line)) ? "taken" : "refused";
  },
};

/** Targets of JPEGs in datagrams. */
export const DATAGRAM_TARGETS: readonly Target[] = [assemblerTarget];
