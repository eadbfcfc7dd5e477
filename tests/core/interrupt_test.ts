import { assertEquals } from "@std/assert";
import { TextLineStream } from "@std/streams/text-line-stream";

const PROBE = new URL("./interrupt_probe.ts", import.meta.url).pathname;

// In a process of its own: the test runner takes SIGINT for itself.
for (const [signal, status] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.test(`untilInterrupted() takes ${signal} for status ${status}, and lets the program end`, async () => {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-config", PROBE],
      stdin: "null",
      stdout: "piped",
    }).spawn();
    const lines: string[] = [];
    const text = child.stdout.pipeThrough(new TextDecoderStream());
    for await (const line of text.pipeThrough(new TextLineStream())) {
      lines.push(line);
      if (line === "ready") child.kill(signal);
    }
    assertEquals(lines, ["ready", "aborted", `status ${status}`]);
    assertEquals((await child.status).code, 0);
  });
}
