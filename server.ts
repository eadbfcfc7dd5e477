/** The command line of `stream-server`: parses, serves until interrupted, sets the exit status. */
import { formatAddress } from "./lib/core/address.ts";
import { print, tell } from "./lib/core/console.ts";
import { messageOf, UsageError } from "./lib/core/errors.ts";
import { type Interrupt, untilInterrupted } from "./lib/core/interrupt.ts";
import { createLogger } from "./lib/core/log.ts";
import { parseServerFlags } from "./lib/server/flags.ts";
import { startServer } from "./lib/server/serve.ts";

async function main({ status }: Interrupt): Promise<number> {
  const action = parseServerFlags(Deno.args);
  if (action.kind === "print") {
    print(Deno.stdout, action.text);
    return 0;
  }
  const { flags } = action;
  const { host, port, media, image, video, "max-clients": maxClients } = flags;
  const write = (line: string) => tell(Deno.stderr, line);
  const logger = createLogger({ level: flags["log-level"], write });
  const live = { sources: flags.live, loop: flags["loop-live"], linger: flags["live-linger"] };
  const options = { host, port, media, defaults: { image, video }, live, maxClients, warm: true };
  await using server = await startServer(options, logger);
  print(Deno.stdout, `Listening on ${formatAddress(server.address)}\n`);
  server.run();
  return await status;
}

function report(error: unknown): number {
  const isUsage = error instanceof UsageError;
  const hint = isUsage ? "; see stream-server --help" : "";
  tell(Deno.stderr, `${messageOf(error)}${hint}\n`);
  return isUsage ? 2 : 1;
}

const interrupt = untilInterrupted();
Deno.exit(await Promise.race([main(interrupt).catch(report), interrupt.overdue]));
