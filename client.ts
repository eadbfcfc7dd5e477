/** The command line of `stream-client`: gathers the surroundings, runs, sets the exit status. */
import { surroundingsOf } from "./lib/client/surroundings.ts";
import { runClient, statusOf } from "./lib/client/run.ts";
import { print } from "./lib/core/console.ts";
import { messageOf } from "./lib/core/errors.ts";
import { untilInterrupted } from "./lib/core/interrupt.ts";

async function main(): Promise<number> {
  using interrupt = untilInterrupted();
  const { signal } = interrupt;
  try {
    const done = await runClient(Deno.args, { surroundings: surroundingsOf(), signal });
    return done ? 0 : await interrupt.status;
  } catch (error) {
    if (signal.aborted) return await interrupt.status;
    const status = statusOf(error);
    print(Deno.stderr, `${messageOf(error)}${status === 2 ? "; see stream-client --help" : ""}\n`);
    return status;
  }
}

Deno.exit(await main());
