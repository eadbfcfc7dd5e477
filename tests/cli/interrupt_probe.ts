/** Waits to be interrupted, as the two programs do, and tells of it. Run by interrupt_test.ts. */
import { print } from "../../lib/base/log.ts";
import { untilInterrupted } from "../../lib/cli/signals.ts";

let status: number;
{
  using interrupt = untilInterrupted();
  interrupt.signal.addEventListener("abort", () => print(Deno.stdout, "aborted\n"));
  print(Deno.stdout, "ready\n");
  status = await interrupt.status;
  interrupt[Symbol.dispose]();
}
print(Deno.stdout, `status ${status}\n`);
