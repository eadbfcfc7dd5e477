/** Mutates NUT behind its checksums. */
import { NutDemuxer } from "../../lib/nut/demuxer.ts";
import { FieldWriter } from "../../lib/nut/fields.ts";
import { checksum, CHECKSUM_SIZE, readUint32 } from "../../lib/nut/format.ts";
import { readPacketHeader } from "../../lib/nut/packets.ts";
import { concat } from "../support/media/bytes.ts";
import { mutateBytes, type Mutator } from "./mutate_bytes.ts";
import type { Random } from "./random.ts";

/** A piece of NUT. */
type Piece =
  | { kind: "packet"; high: number; low: number; body: Uint8Array }
  /** A frame header without its checksum. */
  | { kind: "frame"; head: Uint8Array; isChecked: boolean }
  /** The file id, or a frame's payload. */
  | { kind: "bytes"; bytes: Uint8Array };

/** Takes NUT apart, as far as it is whole. */
function takeApart(bytes: Uint8Array): Piece[] {
  const demuxer = new NutDemuxer();
  const pieces: Piece[] = [];
  for (let at = 0; at < bytes.byteLength;) {
    const rest = bytes.subarray(at);
    const element = demuxer.parse(rest);
    if (element.kind === "more") break;
    if (element.kind === "frame") {
      const end = element.length - CHECKSUM_SIZE;
      const isChecked = end > 0 && checksum(rest, 0, end) === readUint32(rest, end);
      pieces.push({
        kind: "frame",
        head: rest.slice(0, isChecked ? end : element.length),
        isChecked,
      });
      pieces.push({
        kind: "bytes",
        bytes: rest.slice(element.length, element.length + element.size),
      });
      at += element.length + element.size;
      continue;
    }
    const packet = at === 0 ? undefined : readPacketHeader(rest);
    if (packet === undefined) {
      pieces.push({ kind: "bytes", bytes: rest.slice(0, element.length) });
    } else {
      const body = rest.slice(packet.bodyStart, packet.bodyEnd);
      pieces.push({ kind: "packet", high: readUint32(rest, 0), low: readUint32(rest, 4), body });
    }
    at += element.length;
  }
  return pieces;
}

/** Puts NUT together with correct checksums. */
function putTogether(pieces: readonly Piece[]): Uint8Array<ArrayBuffer> {
  const out = new FieldWriter();
  for (const piece of pieces) {
    if (piece.kind === "bytes") out.raw(piece.bytes);
    else if (piece.kind === "packet") out.packet(piece, piece.body);
    else {
      const start = out.length;
      out.raw(piece.head);
      if (piece.isChecked) out.checksum(start);
    }
  }
  return out.finish().slice();
}

const known = new WeakMap<Uint8Array, Piece[]>();

function piecesOf(input: Uint8Array): Piece[] {
  const found = known.get(input) ?? takeApart(input);
  known.set(input, found);
  return found;
}

/** Changes pieces of NUT and mostly corrects their checksums, to reach the code behind those. */
export const mutateNut: Mutator = (input, others, random) => {
  if (random.once(4)) return mutateBytes(input, others, random);
  const pieces = [...piecesOf(input)];
  for (let count = 1 + random.size(5); count > 0 && pieces.length > 0; count--) {
    changeOnce(pieces, others, random);
  }
  const bytes = putTogether(pieces);
  return random.once(8) ? mutateBytes(bytes, others, random) : bytes;
};

function changeOnce(pieces: Piece[], others: readonly Uint8Array[], random: Random): void {
  // Half of the changes are in the few headers.
  const at = random.below(random.once(2) ? pieces.length : Math.min(6, pieces.length));
  switch (random.below(7)) {
    case 0:
      pieces.splice(at, 1);
      break;
    case 1:
      pieces.splice(at, 0, pieces[at]);
      break;
    case 2: {
      const other = piecesOf(random.pick(others));
      if (other.length > 0) pieces.splice(at, random.below(2), random.pick(other));
      break;
    }
    case 3: {
      const to = random.below(pieces.length);
      [pieces[at], pieces[to]] = [pieces[to], pieces[at]];
      break;
    }
    default:
      pieces[at] = changed(pieces[at], random);
  }
}

function changed(piece: Piece, random: Random): Piece {
  if (piece.kind === "packet") return { ...piece, body: changedFields(piece.body, random) };
  if (piece.kind === "frame") return { ...piece, head: changedFields(piece.head, random) };
  return { ...piece, bytes: mutateBytes(piece.bytes, [piece.bytes], random) };
}

/** Limits of the fields of NUT. */
const EDGES = [
  ...[0, 1, 2, 3, 4, 5, 63, 64, 65, 127, 128, 255, 256, 257, 999, 1000, 1024, 16_383, 65_535],
  ...[65_536, 2 ** 20, 2 ** 28, 2 ** 28 + 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 52, 2 ** 53 - 1],
];

/** Changes bytes, or inserts a number of variable length. */
function changedFields(bytes: Uint8Array, random: Random): Uint8Array<ArrayBuffer> {
  if (random.once(2)) return mutateBytes(bytes, [bytes], random);
  const at = random.below(bytes.byteLength + 1);
  const number = new FieldWriter();
  number.varint(random.pick(EDGES));
  const tooLong = new Uint8Array(9 + random.below(3)).fill(0xff);
  const field = random.once(16) ? tooLong : number.finish();
  return concat(bytes.subarray(0, at), field, bytes.subarray(at + random.below(3)));
}
