/** Entry point of `stream-client`: reads the environment, runs, sets the exit status. */
import { outlivesTerminal, readEnvironment } from "./lib/client/terminal/environment.ts";
import { runClient, statusOf } from "./lib/client/run.ts";
import { printable, tryPrint } from "./lib/base/log.ts";
import { messageOf, OutputClosedError } from "./lib/base/errors.ts";
import { type Interrupt, untilInterrupted } from "./lib/cli/signals.ts";

async function main({ signal, forced, status, hangUp }: Interrupt): Promise<number> {
  try {
    const environment = readEnvironment(hangUp);
    const done = await runClient(Deno.args, { environment, signal, forced });
    return done ? 0 : await status;
  } catch (error) {
    if (error instanceof OutputClosedError) return 0;
    const code = statusOf(error);
    const hint = code === 2 ? "; see stream-client --help" : "";
    if (error !== signal.reason) {
      tryPrint(Deno.stderr, `${printable(messageOf(error))}${hint}\n`);
    }
    return signal.aborted ? await status : code;
  }
}

Deno.exitCode = 1;
const interrupt = untilInterrupted({ outlivesTerminal: outlivesTerminal() });
// Not awaited: Deno keeps compiled code once the modules are evaluated. So 1, if this never settles.
Promise.race([main(interrupt), interrupt.overdue]).then(Deno.exit);
