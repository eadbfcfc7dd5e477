/** Waits for a free decoder, and notifies the client of its position in the queue. */
import { onAbort } from "../../base/async.ts";
import { RequestError } from "../../base/errors.ts";
import { networkOf } from "../../net/address.ts";
import type { DecoderSemaphore, Slot, SlotHolder, SlotOptions } from "../../sources/limits.ts";
import type { Controls } from "./controls.ts";
import type { ResponseWriter } from "./sender.ts";

/**
 * Keeps the slot of a decoder that a seek ends, so that nobody else gets it meanwhile, unless it is to
 * be freed for somebody else.
 */
export class SeekingSlot implements Disposable {
  #controls: Pick<Controls, "isSeeking">;
  #take: (options: Partial<SlotOptions>) => Promise<Slot>;
  #kept: Slot | undefined;
  #isWaiting = false;
  #isDisposed = false;

  /** @param take waits for a slot */
  constructor(
    controls: Pick<Controls, "isSeeking">,
    take: (options: Partial<SlotOptions>) => Promise<Slot>,
  ) {
    this.#controls = controls;
    this.#take = take;
  }

  /** Takes the slot that is kept, or waits for one. */
  async take(options: Partial<SlotOptions>): Promise<Slot> {
    const kept = this.#kept;
    this.#kept = undefined;
    this.#isWaiting = kept === undefined;
    // Then it gets no slot that could be kept.
    let isNeedless = false;
    const wanted = { ...options, isNeedless: () => isNeedless = options.isNeedless?.() ?? false };
    try {
      const slot = kept ?? await this.#take(wanted);
      if (isNeedless) return slot;
      let isHeld = true;
      return {
        set holder(holder: SlotHolder | undefined) {
          if (isHeld) slot.holder = holder;
        },
        [Symbol.dispose]: () => {
          if (isHeld) this.#free(slot);
          isHeld = false;
        },
      };
    } finally {
      this.#isWaiting = false;
    }
  }

  /** Frees the slot that is kept. */
  release(): void {
    this.#kept?.[Symbol.dispose]();
    this.#kept = undefined;
  }

  /** Frees the slot that is kept, and keeps none from now on. */
  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.release();
  }

  #free(slot: Slot): void {
    slot.holder = undefined;
    const isWanted = !this.#isDisposed && !this.#isWaiting && this.#kept === undefined;
    if (isWanted && !slot.isLeaving && this.#controls.isSeeking) this.#kept = slot;
    else slot[Symbol.dispose]();
  }
}

/** Options of {@linkcode waitForDecoder}. */
export interface DecoderQueueOptions {
  slots: Pick<DecoderSemaphore, "total">;
  /** IP address of the viewer; absent for the server itself. */
  address?: string;
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
  { slots, controls, response, signal, address }: DecoderQueueOptions,
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
      network: address && networkOf(address),
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
