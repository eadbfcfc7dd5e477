/** The command line of `stream-server`: parses, serves until interrupted, sets the exit status. */
import { formatAddress } from "./lib/core/address.ts";
import { print } from "./lib/core/console.ts";
import { messageOf, UsageError } from "./lib/core/errors.ts";
import { parseFlags } from "./lib/core/flags.ts";
import { untilInterrupted } from "./lib/core/interrupt.ts";
import { createLogger } from "./lib/core/log.ts";
import { SERVER_FLAGS, serverUsage } from "./lib/server/flags.ts";
import { startServer } from "./lib/server/serve.ts";

async function main(): Promise<number> {
  const flags = parseFlags(SERVER_FLAGS, Deno.args);
  if (flags.help) {
    print(Deno.stdout, serverUsage());
    return 0;
  }
  const { host, port, media, image, video, "max-clients": maxClients } = flags;
  const logger = createLogger({
    level: flags["log-level"],
    write: (line) => print(Deno.stderr, line),
  });
  using interrupt = untilInterrupted();
  const options = { host, port, media, defaults: { image, video }, maxClients, warm: true };
  await using server = await startServer(options, logger);
  print(Deno.stdout, `Listening on ${formatAddress(server.address)}\n`);
  server.run();
  return await interrupt.status;
}

let status: number;
try {
  status = await main();
} catch (error) {
  status = error instanceof UsageError ? 2 : 1;
  print(Deno.stderr, `${messageOf(error)}${status === 2 ? "; see stream-server --help" : ""}\n`);
}
Deno.exit(status);
