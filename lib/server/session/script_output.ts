/** Conversations with scripts that receive without asking: those that connect, and those that listen. */
import { Backoff, deadline } from "../../base/async.ts";
import { MONOTONIC_CLOCK } from "../../base/clock.ts";
import { messageOf, type RequestError } from "../../base/errors.ts";
import { type Address, formatAddress } from "../../net/address.ts";
import { describeFormat } from "../../protocol/script/format.ts";
import type { ScriptOutput } from "../script_spec.ts";
import { serveScript } from "./script.ts";
import { logRefusal, runSession, type SessionConversation, type SharedContext } from "./session.ts";

/** Milliseconds for a receiver to take a connection. */
const CONNECT_TIMEOUT = 10_000;

/** Milliseconds that a connection has to last for the next retry to be as soon as the first. */
const STEADY = 10_000;

/** Failures that the next try would have, too. */
const LASTING: readonly string[] = ["unsupported", "bad_request"];

/** How the playing of an output ended; absent if the connection was lost. */
type Outcome = "done" | RequestError;

/**
 * Sends an output to a connected script: frames in real time, the newest if the script is slow,
 * and at the end nothing.
 *
 * @param onOutcome called if the response ends before the connection
 */
export function scriptConversation(
  { name, format }: ScriptOutput,
  onOutcome?: (outcome: Outcome) => void,
): SessionConversation {
  return async (context, abort) => {
    const { refusal } = context.slot ?? {};
    if (refusal !== undefined) {
      // A script reads no reason.
      return logRefusal(refusal, context);
    }
    const request = { command: "get_video", name, format, late: "drop", redescribe: true } as const;
    const failure = await serveScript(request, context, abort);
    onOutcome?.(failure ?? "done");
  };
}

/**
 * Connects to a script that listens and sends it an output. Connects again, with backoff, as long as
 * the script cannot be reached or is lost before the end. A file is over once it was sent to its end.
 *
 * @param address of the script
 * @returns when all was sent, the media cannot be sent, or the server shuts down; never rejects
 */
export async function pushToScript(
  output: ScriptOutput,
  address: Address,
  shared: SharedContext,
): Promise<void> {
  const { logger, shutdown, clock = MONOTONIC_CLOCK } = shared;
  const signal = AbortSignal.any([shared.signal, shutdown.draining]);
  const backoff = new Backoff();
  const place = formatAddress(address);
  const failed = `Cannot push "${output.name}" to ${place}`;
  logger.log("info", `"${output.name}" is pushed to ${place} (${describeFormat(output.format)})`);
  let isOutage = false;
  while (!signal.aborted) {
    let reason = "the connection was lost";
    const begun = clock.now();
    try {
      const socket = await connectTo(address, signal);
      let outcome: Outcome | undefined;
      const converse = scriptConversation(output, (found) => outcome = found);
      await runSession(socket, shared, { converse });
      if (outcome === "done") return;
      if (outcome !== undefined) reason = outcome.message;
      if (outcome !== undefined && LASTING.includes(outcome.code)) {
        return logger.log("error", `${failed}: ${reason}`);
      }
      if (clock.now() - begun >= STEADY) {
        isOutage = false;
        backoff.reset();
      }
    } catch (error) {
      reason = messageOf(error);
    }
    if (signal.aborted) return;
    const level = isOutage ? "debug" : "warn";
    isOutage = true;
    logger.log(level, `${failed}: ${reason}; trying again every 1 s to 30 s`);
    // Ends early with the server.
    await clock.sleep(backoff.next(), signal).catch(() => {});
  }
}

async function connectTo(address: Address, signal: AbortSignal): Promise<Deno.TcpConn> {
  const late = new AbortController();
  using _limit = deadline(CONNECT_TIMEOUT, () => late.abort());
  try {
    return await Deno.connect({ ...address, signal: AbortSignal.any([signal, late.signal]) });
  } catch (cause) {
    if (late.signal.aborted) {
      throw new Error(`no answer within ${CONNECT_TIMEOUT / 1000} s`, { cause });
    }
    if (!(cause instanceof Deno.errors.ConnectionRefused)) throw cause;
    throw new Error("nothing listens there", { cause });
  }
}
