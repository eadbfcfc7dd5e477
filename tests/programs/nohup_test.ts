/** What is started to outlive its terminal, in one that is closed. */
import { assertEquals, assertMatch } from "@std/assert";
import { at } from "../support/inside.ts";
import { mediaFolder, namesIn } from "../support/media.ts";
import { PseudoTerminal, PYTHON } from "../support/pseudo_terminal.ts";
import { describe, end, frame, say, ScriptedServer } from "../support/scripted_server.ts";

const media = mediaFolder();
const IGNORED = PYTHON === undefined;
const WHY = IGNORED ? " (ignored: no Python with pty)" : "";

/** As a `nohup` that leaves standard input as it is: writes down what is said, and the status. */
const NOHUP = `
trap "" HUP; place=$0
"$@" >"$place/printed" 2>"$place/said"
echo $? >"$place/new"; mv "$place/new" "$place/status"
`;

Deno.test({
  name: `stream-client outlives the terminal that nohup lets it read from${WHY}`,
  ignore: IGNORED,
  async fn() {
    const [asked, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    await using server = new ScriptedServer(async (peer) => {
      asked.resolve();
      await closed.promise;
      await say(peer, describe(), frame(0), frame(1), end());
    });
    const place = await media.folder("nohup");
    const args = ["--video", "--view", "none", ...at(server)];
    {
      // The first shell ends with the terminal, and so tells the others.
      const wrapper = ["sh", "-c", '"$0" "$@"; :', "sh", "-c", NOHUP, place];
      await using _terminal = new PseudoTerminal(args, { answer: "", wrapper });
      await asked.promise;
    }
    closed.resolve();
    while (!namesIn(place).includes("status")) await new Promise((go) => setTimeout(go, 20));
    assertMatch(await Deno.readTextFile(`${place}/said`), /^Received 2 frames in [^\n]*\n$/);
    assertEquals(await Deno.readTextFile(`${place}/status`), "0\n");
  },
});
