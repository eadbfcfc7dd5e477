/** One script that connects, for several viewers: those of the page, and a recording. */
import { messageOf } from "../../base/errors.ts";
import { type Clock, MONOTONIC_CLOCK } from "../../base/clock.ts";
import { allStreams, copyFrame, type Description, type Frame } from "../../media/frame.ts";
import {
  FrameCounter,
  type OpenResponse,
  type ResponsePart,
} from "../../protocol/media_response.ts";
import type { MediaRequest } from "../../protocol/native/request.ts";
import { SharedFrame } from "../../sources/live/shared_frame.ts";
import { streamsOf } from "../../sources/live/source_streams.ts";
import { LiveQueue, QUEUE_LIMITS } from "../../sources/live/subscriber_queue.ts";

/** Types of the streams of scripts. */
const TYPES = ["video", "data"] as const;

/** Options of {@linkcode SharedScript}. */
export interface SharedScriptOptions {
  /** Waits for a script, and receives its video. */
  open: (signal: AbortSignal) => Promise<OpenResponse>;
  /** Shows a line to the user. */
  notify: (line: string) => void;
  /** @default MONOTONIC_CLOCK */
  clock?: Clock;
}

/** Receives one script after the other. Each viewer has a queue of its own, and ends with a script. */
export class SharedScript implements AsyncDisposable {
  #options: SharedScriptOptions;
  #queues = new Set<LiveQueue>();
  /** Of the script that sends. */
  #description: Description | undefined;
  #stop = new AbortController();
  #running: Promise<void>;

  constructor(options: SharedScriptOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  /** The image or the video, from the newest frame on; waits for a script if there is none. */
  watch({ command }: Pick<MediaRequest, "command">, signal: AbortSignal): OpenResponse {
    const queue = new LiveQueue({ limits: QUEUE_LIMITS.wait, types: TYPES });
    const left = new AbortController();
    const leave = () => {
      left.abort();
      queue.close();
      this.#queues.delete(queue);
    };
    this.#queues.add(queue);
    if (this.#description !== undefined) queue.describe(streamsOfAll(this.#description));
    const ended = AbortSignal.any([signal, left.signal]);
    const isStill = command === "get_image";
    return {
      [Symbol.asyncIterator]: () => parts(queue, { isStill, signal: ended }),
      abandon: leave,
      [Symbol.dispose]: leave,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { open, notify } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      let last: (queue: LiveQueue) => void = (queue) => queue.end();
      try {
        using response = await open(signal);
        for await (const part of response) this.#take(part);
      } catch (error) {
        if (!signal.aborted) notify(messageOf(error));
        last = (queue) => queue.fail(error instanceof Error ? error : new Error(messageOf(error)));
      }
      // Viewers that wait for the next script go on waiting.
      const isWatched = this.#description !== undefined;
      this.#description = undefined;
      if (!isWatched && !signal.aborted) continue;
      for (const queue of this.#queues) last(queue);
      this.#queues.clear();
    }
  }

  #take(part: ResponsePart): void {
    if (part.kind === "describe") {
      this.#description = part.description;
      for (const queue of this.#queues) queue.describe(streamsOfAll(part.description));
    } else if (part.kind === "frame") {
      this.#share(part.frame);
    }
  }

  #share(frame: Frame): void {
    if (this.#queues.size === 0 || this.#description === undefined) return;
    const stream = allStreams(this.#description).find(({ id }) => id === frame.streamId);
    const shared = new SharedFrame(copyFrame(frame), {
      type: stream?.type ?? "data",
      time: (this.#options.clock ?? MONOTONIC_CLOCK).now(),
      prepare: ({ data }) => data,
      recycle: () => {},
    });
    for (const queue of this.#queues) queue.offer(shared);
    shared.release();
  }
}

function streamsOfAll({ streams, data = [] }: Description) {
  return streamsOf({ streams, data }, TYPES);
}

/** The response of one viewer. */
async function* parts(
  queue: LiveQueue,
  { isStill, signal }: { isStill: boolean; signal: AbortSignal },
): AsyncGenerator<ResponsePart> {
  const counter = new FrameCounter();
  const name = isStill ? "image" : "video";
  while (true) {
    const item = await queue.take(signal);
    if (item.kind === "end") break;
    if (item.kind === "describe") {
      const data = item.data.length === 0 || isStill ? undefined : [...item.data];
      const description = { name, live: !isStill, streams: [...item.streams], data };
      counter.describe(allStreams(description));
      yield { kind: "describe", description };
    } else if (item.kind === "frame") {
      const { frame, type } = item.frame;
      if (isStill && type === "data") continue;
      counter.count(frame);
      yield { kind: "frame", frame, dropped: item.dropped };
      item.frame.release();
      if (isStill) break;
    }
  }
  yield { kind: "end", end: { ...counter.totals, dropped: queue.dropped, reason: "end" } };
}
