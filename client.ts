/** The command line of `stream-client`: gathers the surroundings, runs, sets the exit status. */
import { outlivesTerminal, surroundingsOf } from "./lib/client/surroundings.ts";
import { runClient, statusOf } from "./lib/client/run.ts";
import { tell } from "./lib/core/console.ts";
import { messageOf, OutputClosedError } from "./lib/core/errors.ts";
import { type Interrupt, untilInterrupted } from "./lib/core/interrupt.ts";
import { printable } from "./lib/core/log.ts";

async function main({ signal, forced, status, hangUp }: Interrupt): Promise<number> {
  try {
    const surroundings = surroundingsOf(hangUp);
    const done = await runClient(Deno.args, { surroundings, signal, forced });
    return done ? 0 : await status;
  } catch (error) {
    if (error instanceof OutputClosedError) return 0;
    const code = statusOf(error);
    const hint = code === 2 ? "; see stream-client --help" : "";
    if (error !== signal.reason) {
      tell(Deno.stderr, `${printable(messageOf(error))}${hint}\n`);
    }
    return signal.aborted ? await status : code;
  }
}

const interrupt = untilInterrupted({ outlivesTerminal: outlivesTerminal() });
Deno.exit(await Promise.race([main(interrupt), interrupt.overdue]));
