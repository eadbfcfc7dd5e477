import { FieldReader } from "./nut_fields.ts";

/**
 * Leaves out the side data and meta data that NUT version 4 puts in front of a frame's own bytes
 * (specification, section "side_data / meta_data"; frame flag SM_DATA).
 *
 * @param payload all bytes of a frame whose element said `sideData`
 * @returns the frame's own bytes, within the same memory
 * @throws {FormatError} where the side data does not end within the payload
 */
export function stripSideData(payload: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const fields = new FieldReader(payload);
  skipEntries(fields); // side data
  skipEntries(fields); // meta data
  return payload.subarray(fields.at);
}

/** Skips a counted list of names with typed values. */
function skipEntries(fields: FieldReader): void {
  const count = fields.loose();
  for (let entry = 0; entry < count && !fields.short; entry++) {
    fields.take(fields.loose()); // name
    skipValue(fields);
  }
  fields.refuseShort("side data");
}

/** Skips a value. Negative numbers in its first field tell its type, all others are the value. */
function skipValue(fields: FieldReader): void {
  const code = fields.loose();
  // Stored even numbers stand for zero and below: 2 for -1, 4 for -2 and so on.
  if (code === 0 || code % 2 === 1) return;
  if (code === 2) { // text
    fields.take(fields.loose());
  } else if (code === 4) { // a named type, then bytes
    fields.take(fields.loose());
    fields.take(fields.loose());
  } else { // a signed number, a time, a fraction: one more number each
    fields.loose();
  }
}
