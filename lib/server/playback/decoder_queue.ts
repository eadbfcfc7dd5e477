import { RequestError } from "../../base/errors.ts";
import { encodeNotice } from "../../protocol/native/response.ts";
import type { PlayContext } from "./play_file.ts";

type QueueContext = Pick<PlayContext, "slots" | "connection" | "controls" | "signal">;

/**
 * Does what needs a decoder, which may have to be waited for: the viewer is told its place in line.
 *
 * @param take waits, until the signal fires
 * @throws {RequestError} `busy` where the viewer wants no more before its turn comes
 */
export async function inLine<T>(
  { slots, connection, controls, signal }: QueueContext,
  take: (options: { signal: AbortSignal; onWait: (position: number) => void }) => Promise<T>,
): Promise<T> {
  let latest: number | undefined;
  let sending = false;
  const tell = async () => {
    sending = true;
    while (latest !== undefined) {
      const position = latest;
      latest = undefined;
      const message =
        `Waiting in line for a decoder: place ${position}; ${slots.total} may run at once`;
      await connection.send("notice", encodeNotice({ code: "waiting", message, position }));
    }
    sending = false;
  };
  const onWait = (position: number) => {
    latest = position;
    // Where the peer is gone, the session learns of it by itself.
    if (!sending) tell().catch(() => {});
  };
  const waiting = new AbortController();
  const stop = () => waiting.abort();
  let isWaiting = false;
  controls.stopped.addEventListener("abort", stop);
  try {
    return await take({
      signal: AbortSignal.any([signal, waiting.signal]),
      onWait: (position) => {
        isWaiting = true;
        if (controls.stopped.aborted) stop();
        onWait(position);
      },
    });
  } catch (error) {
    if (!isWaiting || signal.aborted || !waiting.signal.aborted) throw error;
    throw new RequestError("busy", "Cannot begin: it was stopped while it waited in line");
  } finally {
    controls.stopped.removeEventListener("abort", stop);
  }
}
