/** Interlaced video as progressive video of the same frame rate. */
import type { FieldOrder } from "../media/frame.ts";

/**
 * Filters that make interlaced frames progressive.
 *
 * @param fieldOrder of the stream
 * @param options whether decoded frames say whether each of them is interlaced; all are if not
 * @returns none if the stream is progressive
 */
export function deinterlaceFilters(
  fieldOrder: FieldOrder | undefined,
  { isMarked = true }: { isMarked?: boolean } = {},
): string[] {
  if (fieldOrder === undefined) return [];
  const parity = fieldOrder.startsWith("t") ? "tff" : "bff";
  const which = isMarked ? "deint=interlaced" : `parity=${parity}:deint=all`;
  return [`bwdif=mode=send_frame:${which}`];
}
