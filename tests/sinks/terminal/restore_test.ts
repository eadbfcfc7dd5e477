/** However the client ends, the terminal is as it was before. */
import { assertEquals, assertMatch } from "@std/assert";
import { describe, frame, say, ScriptedServer, stay } from "../../support/peers/scripted_server.ts";
import { isInstalled } from "../../support/programs/machine.ts";
import { at } from "../../support/programs/run_inside.ts";
import { Terminal } from "../../support/screens/tmux.ts";

const IGNORED = !isInstalled("tmux");
const WHY = IGNORED ? " (ignored: no tmux)" : "";

const RESTORED = { drawing: false, cursor: true };
const USUAL = { echo: true, lines: true };

/** Opens a terminal in which a picture is shown. */
async function showing(server: ScriptedServer): Promise<Terminal> {
  const terminal = await Terminal.start(["--video", "--view", "terminal", ...at(server)]);
  await terminal.until(/▀/);
  assertEquals(await terminal.state(), { drawing: true, cursor: false });
  assertEquals(await terminal.settings(), { echo: false, lines: false });
  return terminal;
}

function picture(): ScriptedServer {
  return new ScriptedServer(async (peer) => {
    await say(peer, describe(), frame(0), frame(1));
    await stay(peer);
  });
}

for (const [signal, status] of [["SIGTERM", 143], ["SIGHUP", 129], ["SIGINT", 130]] as const) {
  Deno.test({
    name: `TerminalSink restores the terminal at ${signal}${WHY}`,
    ignore: IGNORED,
    async fn() {
      await using server = picture();
      await using terminal = await showing(server);
      await terminal.signal(signal);
      await terminal.over();
      assertMatch(await terminal.text(), new RegExp(`^before\n[^]*\nstatus ${status}$`));
      assertEquals(await terminal.state(), RESTORED);
      assertEquals(await terminal.settings(), USUAL);
    },
  });
}

Deno.test({
  name: `TerminalSink has the terminal restored when the client is killed${WHY}`,
  ignore: IGNORED,
  async fn() {
    await using server = picture();
    await using terminal = await showing(server);
    await terminal.signal("SIGKILL");
    await terminal.over();
    await terminal.untilState(RESTORED);
    await terminal.untilSettings(USUAL);
    await terminal.until(/^before/);
  },
});

Deno.test({
  name: `TerminalSink restores the terminal at the second Ctrl-C${WHY}`,
  ignore: IGNORED,
  async fn() {
    await using server = picture();
    await using terminal = await showing(server);
    await terminal.press("C-c");
    await terminal.press("C-c");
    await terminal.over();
    await terminal.until(/^before\n[^]*status 130$/);
    await terminal.untilState(RESTORED);
    await terminal.untilSettings(USUAL);
  },
});

Deno.test({
  name: `TerminalSink restores the terminal while it is stopped, and draws again${WHY}`,
  ignore: IGNORED,
  async fn() {
    await using server = picture();
    await using terminal = await showing(server);
    await terminal.signal("SIGTSTP");
    await terminal.untilState(RESTORED);
    await terminal.untilSettings(USUAL);
    await terminal.until(/^before$/);
    await terminal.signal("SIGCONT");
    await terminal.until(/▀/);
    await terminal.untilState({ drawing: true, cursor: false });
    await terminal.untilSettings({ echo: false, lines: false });
    await terminal.press("C-c");
    await terminal.over();
    assertEquals(await terminal.state(), RESTORED);
  },
});

Deno.test({
  name: `Keyboard gets its settings back after a stop, whatever the shell changed${WHY}`,
  ignore: IGNORED,
  async fn() {
    await using server = picture();
    await using terminal = await showing(server);
    // The signal that cannot be handled.
    await terminal.signal("SIGSTOP");
    await terminal.set("sane");
    await terminal.untilSettings(USUAL);
    await terminal.signal("SIGCONT");
    await terminal.untilSettings({ echo: false, lines: false });
    await terminal.press("C-c");
    await terminal.over();
    assertEquals(await terminal.settings(), USUAL);
  },
});
