/** Waits for a free decoder, and notifies the client of its position in the queue. */
import { onAbort } from "../../base/async.ts";
import { RequestError } from "../../base/errors.ts";
import type { DecoderSemaphore, SlotOptions } from "../../sources/limits.ts";
import type { Controls } from "./controls.ts";
import type { ResponseWriter } from "./sender.ts";

/** Options of {@linkcode waitForDecoder}. */
export interface DecoderQueueOptions {
  slots: Pick<DecoderSemaphore, "total">;
  controls: Pick<Controls, "stopped">;
  response: Pick<ResponseWriter, "notify">;
  /** Ends the session. */
  signal: AbortSignal;
}

/**
 * Takes something that needs a decoder, and notifies the viewer of its position in the queue.
 *
 * @param take waits for a decoder until the signal aborts
 * @throws {RequestError} `busy` if the viewer stops the request while it waits
 */
export async function waitForDecoder<T>(
  { slots, controls, response, signal }: DecoderQueueOptions,
  take: (options: SlotOptions) => Promise<T>,
): Promise<T> {
  let latest: number | undefined;
  let isSending = false;
  const notify = async () => {
    isSending = true;
    while (latest !== undefined) {
      const position = latest;
      latest = undefined;
      const message =
        `Waiting for a decoder: position ${position} in the queue; ${slots.total} may run at once`;
      await response.notify?.({ code: "waiting", message, position });
    }
    isSending = false;
  };
  let isWaiting = false;
  const waiting = new AbortController();
  const stop = () => {
    if (isWaiting) waiting.abort();
  };
  using _listener = onAbort(controls.stopped, stop);
  try {
    return await take({
      signal: AbortSignal.any([signal, waiting.signal]),
      onWait: (position) => {
        isWaiting = true;
        if (controls.stopped.aborted) stop();
        latest = position;
        // The session notices by itself that the peer is gone.
        if (!isSending) notify().catch(() => {});
      },
    });
  } catch (error) {
    if (!isWaiting || signal.aborted || !waiting.signal.aborted) throw error;
    throw new RequestError("busy", "Cannot begin: it was stopped while it waited in the queue");
  }
}
