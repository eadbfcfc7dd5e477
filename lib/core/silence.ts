import type { ByteSource } from "./byte_reader.ts";
import { deadline } from "./deadline.ts";

/**
 * Gives a source up when a read of it takes too long.
 *
 * @param milliseconds that a read may take
 * @param giveUp has to end the source, as killing the process that writes it does
 */
export function limitSilence(
  source: ByteSource,
  milliseconds: number,
  giveUp: () => void,
): ByteSource {
  return {
    read: async (target, min) => {
      using _limit = deadline(milliseconds, giveUp);
      return await source.read(target, min);
    },
    cancel: () => source.cancel(),
  };
}
