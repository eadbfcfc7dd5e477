/** Requests to scripts, which connect or are connected to. */
import { settlesWithin } from "../../base/async.ts";
import type { Clock } from "../../base/clock.ts";
import { DeadlineError } from "../../base/errors.ts";
import { connect, type Target } from "../../net/connection.ts";
import type { Observation } from "../../net/observer.ts";
import type { MediaResponse, OpenResponse, ResponsePart } from "../../protocol/media_response.ts";
import type { MediaRequest } from "../../protocol/native/request.ts";
import { receiveScript, type ScriptConnection } from "../../protocol/script/receiver.ts";
import { BufferedResponse } from "./flow_control.ts";
import type { ScriptSettings } from "../script/plan.ts";
import type { SharedScript } from "../script/shared_script.ts";

/** A server, or a script. */
export interface MediaTarget extends Target {
  /** How to talk with a script. */
  script?: ScriptSettings;
  /** Waits for a script that connects. @default the target is connected to */
  accept?: (signal: AbortSignal, observe?: Observation) => Promise<ScriptConnection>;
  /** Receives the script for all requests together. @default each is a connection of its own */
  shared?: SharedScript;
}

/** Milliseconds for one frame of a script to arrive, whatever it sends meanwhile. */
const FRAME_TIMEOUT = 60_000;

/** Options of {@linkcode openScript}. */
export interface OpenScriptOptions {
  /** Closes the connection. */
  signal: AbortSignal;
  clock?: Clock;
  /** Called with a line for the user. */
  notify?: (line: string) => void;
  /** Milliseconds for one frame to arrive, whatever is sent meanwhile. @default 60_000 */
  frameTimeout?: number;
}

/**
 * Connects to a script, or waits for it, and receives its image or video. If it sends nothing at
 * first, it is asked as our own scripts are; one that connects is not, since it may not read.
 */
export async function openScript(
  { command }: Pick<MediaRequest, "command">,
  target: MediaTarget,
  { signal, clock, notify, frameTimeout = FRAME_TIMEOUT }: OpenScriptOptions,
): Promise<OpenResponse> {
  const { accept, script, observe } = target;
  const connection = accept === undefined
    ? await connect(target, signal)
    : await accept(signal, observe);
  const received = receiveScript(connection, {
    name: command === "get_image" ? "image" : "video",
    still: command === "get_image",
    fallbackRequest: accept === undefined ? command : undefined,
    keepsFrames: true,
    ...{ ...script, clock, notify },
  });
  // Frames get the moment at which they are read: a sink that is slow now and then must not shift it.
  const response = new BufferedResponse({
    ...received,
    [Symbol.asyncIterator]: () => inTime(received, frameTimeout),
  }, { keepsFrames: true });
  return {
    [Symbol.asyncIterator]: () => response[Symbol.asyncIterator](),
    abandon: () => response.abandon(),
    [Symbol.dispose]: () => connection[Symbol.dispose](),
  };
}

/** The parts of a response. Fails if one takes too long, so that a slow drip is no sign of life. */
async function* inTime(
  response: MediaResponse,
  milliseconds: number,
): AsyncGenerator<ResponsePart> {
  const parts = response[Symbol.asyncIterator]();
  try {
    while (true) {
      const next = parts.next();
      if (!await settlesWithin(next, milliseconds)) {
        next.catch(() => {});
        throw new DeadlineError(`no whole frame came for ${milliseconds / 1000} s`);
      }
      const { done, value } = await next;
      if (done) return;
      yield value;
    }
  } finally {
    response.abandon?.();
    await parts.return?.();
  }
}
