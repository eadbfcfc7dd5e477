import { FieldReader } from "./nut_fields.ts";
import { CHECKSUM_SIZE, FLAGS } from "./nut_format.ts";
import { type FrameCode, MAX_RESERVED_FIELDS } from "./nut_headers.ts";
import { refuseOver } from "./nut_packet.ts";

/** A frame header as it is stored. */
export interface FrameFields {
  flags: number;
  streamId: number;
  /** As stored; -1 where none is. */
  codedPts: number;
  /** Bytes of the frame, elided ones included. */
  size: number;
  /** Which elision header was left out; 0 is none. */
  headerIndex: number;
  /** Bytes of the frame header, its checksum included. */
  length: number;
}

/**
 * Reads a frame header (specification, section "frame_header"). Only the number of its fields is
 * checked here.
 *
 * @param bytes begin with the frame code
 * @param code what the frame code stands for
 * @returns `undefined` where the header is not whole in `bytes`
 * @throws {FormatError} where a number is too long, or where there are too many
 */
export function readFrameFields(bytes: Uint8Array, code: FrameCode): FrameFields | undefined {
  const fields = new FieldReader(bytes, 1);
  const flags = code.flags & FLAGS.coded ? code.flags ^ fields.loose() : code.flags;
  const streamId = flags & FLAGS.streamId ? fields.loose() : code.streamId;
  const codedPts = flags & FLAGS.codedPts ? fields.exact("timestamp") : -1;
  const sizeMsb = flags & FLAGS.sizeMsb ? fields.exact("frame size") : 0;
  if (flags & FLAGS.matchTime) fields.loose();
  const headerIndex = flags & FLAGS.headerIndex ? fields.loose() : code.headerIndex;
  const reserved = flags & FLAGS.reserved ? fields.loose() : code.reservedCount;
  refuseOver("reserved field count", reserved, MAX_RESERVED_FIELDS);
  for (let field = 0; field < reserved; field++) fields.loose();
  if (flags & FLAGS.checksum) fields.take(CHECKSUM_SIZE);
  if (fields.short) return undefined;
  const size = code.sizeLsb + code.sizeMul * sizeMsb;
  return { flags, streamId, codedPts, size, headerIndex, length: fields.at };
}
