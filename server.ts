/** Entry point of `stream-server`: parses flags, serves until interrupted, sets the exit status. */
import { versionText } from "./lib/ffmpeg/version.ts";
import { formatAddress } from "./lib/net/address.ts";
import { createLogger, print, printable, tryPrint } from "./lib/base/log.ts";
import { messageOf, UsageError } from "./lib/base/errors.ts";
import { type Interrupt, TERMINATED, untilInterrupted } from "./lib/cli/signals.ts";
import { takeToken } from "./lib/net/token.ts";
import { parseServerFlags, toServerOptions } from "./lib/server/flags.ts";
import { startServer } from "./lib/server/server.ts";

async function main(interrupt: Interrupt): Promise<number> {
  const action = parseServerFlags(Deno.args);
  if (action.kind !== "serve") {
    print(Deno.stdout, action.kind === "print" ? action.text : await versionText(action.program));
    return 0;
  }
  const { flags } = action;
  const write = (line: string) => tryPrint(Deno.stderr, line);
  const logger = createLogger({ level: flags["log-level"], format: flags["log-format"], write });
  const output = { write, isTerminal: Deno.stderr.isTerminal() };
  const options = toServerOptions(flags, takeToken(flags["token-file"]), output);
  await using server = await startServer(options, logger);
  interrupt.onHangup = () => void server.reload();
  print(Deno.stdout, `Listening on ${formatAddress(server.address)}\n`);
  const status = await Promise.race([interrupt.status, server.run().then(() => interrupt.status)]);
  const grace = flags.grace * 1000;
  if (status === TERMINATED) await server.drain({ grace, signal: interrupt.forced });
  return status;
}

function report(error: unknown): number {
  const hint = error instanceof UsageError ? "; see stream-server --help" : "";
  tryPrint(Deno.stderr, `${printable(messageOf(error))}${hint}\n`);
  return hint === "" ? 1 : 2;
}

Deno.exitCode = 1;
const interrupt = untilInterrupted();
// Not awaited: Deno keeps compiled code once the modules are evaluated. So 1, if this never settles.
Promise.race([main(interrupt).catch(report), interrupt.overdue]).then(Deno.exit);
