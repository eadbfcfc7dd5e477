/** Hangs when it is interrupted, until somebody insists on its end. Run by interrupt_test.ts. */
import { tell } from "../../lib/core/console.ts";
import { untilInterrupted } from "../../lib/core/interrupt.ts";

const interrupt = untilInterrupted();
interrupt.signal.addEventListener("abort", () => tell(Deno.stdout, "aborted\n"));
tell(Deno.stdout, "ready\n");
Deno.exit(await interrupt.overdue);
