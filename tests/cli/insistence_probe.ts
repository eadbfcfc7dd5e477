/** Hangs when it is interrupted, until somebody insists on its end. Run by interrupt_test.ts. */
import { tryPrint } from "../../lib/base/log.ts";
import { untilInterrupted } from "../../lib/cli/signals.ts";

const interrupt = untilInterrupted();
interrupt.signal.addEventListener("abort", () => tryPrint(Deno.stdout, "aborted\n"));
tryPrint(Deno.stdout, "ready\n");
Deno.exit(await interrupt.overdue);
