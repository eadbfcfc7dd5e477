/** Reads again at SIGHUP, as the server does, until it is interrupted. Run by interrupt_test.ts. */
import { tryPrint } from "../../lib/base/log.ts";
import { untilInterrupted } from "../../lib/cli/signals.ts";

const interrupt = untilInterrupted();
interrupt.onHangup = () => tryPrint(Deno.stdout, "again\n");
tryPrint(Deno.stdout, "ready\n");
Deno.exit(await interrupt.status);
