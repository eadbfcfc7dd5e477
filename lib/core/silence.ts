import type { ByteSource } from "./byte_reader.ts";
import { deadline } from "./deadline.ts";

/**
 * Gives a source up when a read of it takes too long.
 *
 * @param milliseconds that a read may take
 * @param giveUp ends what writes to the source; what has not come by then is not waited for, as
 * something else may hold the other end of the pipe
 */
export function limitSilence(
  source: ByteSource,
  milliseconds: number,
  giveUp: () => void,
): ByteSource {
  return {
    read: async (target, min) => {
      using _limit = deadline(milliseconds, () => {
        giveUp();
        // Where it fails, the read does, too.
        source.cancel().catch(() => {});
      });
      return await source.read(target, min);
    },
    cancel: () => source.cancel(),
  };
}
