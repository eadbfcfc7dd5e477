/** Entry point of `stream-server`: parses flags, serves until interrupted, sets the exit status. */
import { formatAddress } from "./lib/net/address.ts";
import { createLogger, print, printable, tryPrint } from "./lib/base/log.ts";
import { messageOf, UsageError } from "./lib/base/errors.ts";
import { type Interrupt, TERMINATED, untilInterrupted } from "./lib/cli/signals.ts";
import { takeToken } from "./lib/net/token.ts";
import { parseServerFlags, toServerOptions } from "./lib/server/flags.ts";
import { startServer } from "./lib/server/server.ts";

async function main(interrupt: Interrupt): Promise<number> {
  const action = parseServerFlags(Deno.args);
  if (action.kind === "print") {
    print(Deno.stdout, action.text);
    return 0;
  }
  const { flags } = action;
  const write = (line: string) => tryPrint(Deno.stderr, line);
  const logger = createLogger({ level: flags["log-level"], format: flags["log-format"], write });
  const explain = flags.explain ? (line: string) => write(`${line}\n`) : undefined;
  const options = { ...toServerOptions(flags, takeToken(flags["token-file"])), explain };
  await using server = await startServer(options, logger);
  interrupt.onHangup = () => void server.reload();
  print(Deno.stdout, `Listening on ${formatAddress(server.address)}\n`);
  const stopped = server.run().then(() => interrupt.status);
  const status = await Promise.race([interrupt.status, stopped]);
  const grace = flags.grace * 1000;
  if (status === TERMINATED) await server.drain({ grace, signal: interrupt.forced });
  return status;
}

function report(error: unknown): number {
  const isUsage = error instanceof UsageError;
  const hint = isUsage ? "; see stream-server --help" : "";
  tryPrint(Deno.stderr, `${printable(messageOf(error))}${hint}\n`);
  return isUsage ? 2 : 1;
}

const interrupt = untilInterrupted();
Deno.exit(await Promise.race([main(interrupt).catch(report), interrupt.overdue]));
