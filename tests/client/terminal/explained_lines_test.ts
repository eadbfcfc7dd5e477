/** Lines of `--explain` on the client's terminal, beside the progress line and the views. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Messages } from "../../../lib/client/terminal/status.ts";
import type { Sink } from "../../../lib/sinks/sink.ts";
import { describe, end, frame, say, ScriptedServer } from "../../support/peers/scripted_server.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";
import { pureTest } from "../../support/pure_test.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

const CLEAR = "\r\x1b[K";

/** Runs the client on a terminal; gives each text that it printed. */
async function printedBy(args: readonly string[]): Promise<string[]> {
  const texts: string[] = [];
  const environment = {
    stderrIsTerminal: true,
    printError: (text: string) => void texts.push(text),
    clock: new HandClock({ skips: true }),
  };
  await runInside(args, { environment });
  return texts;
}

Deno.test("--explain and the progress line do not stand in one line", async () => {
  await using server = new ScriptedServer((peer) =>
    say(peer, describe(), frame(0), frame(1), frame(2), end())
  );
  const texts = await printedBy(["--video", "--view", "none", "--explain", ...at(server)]);
  let isDrawn = false;
  let covered = 0;
  for (const text of texts) {
    if (text.startsWith("\r")) {
      if (text === CLEAR && isDrawn) covered++;
      isDrawn = text !== CLEAR;
    } else {
      assertMatch(text, /^[^\r\n]+\n$/);
      assert(!isDrawn, text);
    }
  }
  assert(covered > 0, texts.join(""));
  assertEquals(texts.filter((text) => / {2}<- {2}frame /.test(text)).length, 3);
});

Deno.test("--explain shows a cut and the retry after it, with a clock for each connection", async () => {
  await using server = new ScriptedServer((peer, { index }) =>
    index === 0 ? say(peer, describe().subarray(0, 20)) : say(peer, describe(), frame(0), end())
  );
  const args = ["--video", "--view", "none", "--retries", "1", "--explain", ...at(server)];
  const lines = (await printedBy(args)).filter((text) => / {2}(--|->|<-) {2}/.test(text));
  const shapes = lines.map((line) => {
    const [, sign, kind] = line.match(/^ *\d+\.\d{3} s {2}(\S+) {2}(\w+( out)?) /) ?? [];
    return `${sign} ${kind} ${line.trim().split(" ").at(-1)}`;
  });
  assertEquals(shapes, [
    ...["-- connect waiting", "-- connected waiting", "-> request waiting", "-- closed ended"],
    ...["-- retry ended", "-- connect waiting", "-- connected waiting", "-> request waiting"],
    ...["<- describe describing", "<- frame streaming", "<- end ended", "-- closed ended"],
  ]);
  assertMatch(lines[3], / by the server /);
  assertMatch(lines[4], / in \d+\.\d s \(1 of 1\) /);
});

pureTest("Messages keeps the newest explained lines while a view covers the terminal", () => {
  for (const [stderrIsTerminal, early, all] of [[true, 0, 1001], [false, 1500, 1501]] as const) {
    const printed: string[] = [];
    const messages = new Messages({
      stderrIsTerminal,
      printError: (text) => void printed.push(text),
      terminalSize: () => ({ columns: 80, rows: 24 }),
    });
    const sink: Partial<Sink> = { showStatus() {}, notify() {} };
    messages.attach([sink as Sink]);
    for (let index = 0; index < 1500; index++) messages.explain(`line\n${index}`);
    assertEquals(printed.length, early);
    messages.notify("a notice");
    messages.flush();
    messages.flush();
    assertEquals(printed.length, all);
    assertEquals(printed.slice(-2), ["line?1499\n", "a notice\n"]);
  }
});
