/** However the client ends, the terminal is as it was before. */
import { assertEquals, assertMatch } from "@std/assert";
import {
  describe,
  frame,
  say,
  ScriptedServer,
  untilGone,
} from "../../support/peers/scripted_server.ts";
import { at } from "../../support/programs/run_inside.ts";
import { Terminal } from "../../support/screens/tmux.ts";
import { testWith } from "../../support/test_if.ts";

const test = testWith("tmux");

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
    await untilGone(peer);
  });
}

for (const [signal, status] of [["SIGTERM", 143], ["SIGHUP", 129], ["SIGINT", 130]] as const) {
  test(`TerminalSink gives the terminal back at ${signal}`, async () => {
    await using server = picture();
    await using terminal = await showing(server);
    await terminal.signal(signal);
    await terminal.over();
    assertMatch(await terminal.text(), new RegExp(`^before\n[^]*\nstatus ${status}$`));
    assertEquals(await terminal.state(), RESTORED);
    assertEquals(await terminal.settings(), USUAL);
  });
}

test("TerminalSink has the terminal given back when the client is killed", async () => {
  await using server = picture();
  await using terminal = await showing(server);
  await terminal.signal("SIGKILL");
  await terminal.over();
  await terminal.untilState(RESTORED);
  await terminal.untilSettings(USUAL);
  await terminal.until(/^before/);
});

test("TerminalSink gives the terminal back at the second Ctrl-C, too", async () => {
  await using server = picture();
  await using terminal = await showing(server);
  await terminal.press("C-c");
  await terminal.press("C-c");
  await terminal.over();
  await terminal.until(/^before\n[^]*status 130$/);
  await terminal.untilState(RESTORED);
  await terminal.untilSettings(USUAL);
});

test("TerminalSink gives the terminal back while it is stopped, and draws again", async () => {
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
});

test("Keyboard has the keys again after a stop, whatever a shell did meanwhile", async () => {
  await using server = picture();
  await using terminal = await showing(server);
  // The one that nobody hears of.
  await terminal.signal("SIGSTOP");
  await terminal.set("sane");
  await terminal.untilSettings(USUAL);
  await terminal.signal("SIGCONT");
  await terminal.untilSettings({ echo: false, lines: false });
  await terminal.press("C-c");
  await terminal.over();
  assertEquals(await terminal.settings(), USUAL);
});
