/** What is started to outlive its terminal, in one that is closed. */
import { assertEquals, assertMatch } from "@std/assert";
import { mediaFolder, namesIn } from "../support/media/media_folder.ts";
import { describe, end, frame, say, ScriptedServer } from "../support/peers/scripted_server.ts";
import { at } from "../support/programs/run_inside.ts";
import { runProgram, startProgram } from "../support/programs/running_program.ts";
import { PseudoTerminal, PYTHON } from "../support/screens/pseudo_terminal.ts";
import { linuxTest, testIf, unixTest } from "../support/test_if.ts";

const media = mediaFolder();
const test = testIf(PYTHON !== undefined, "no Python with pty");

/** As a `nohup` that leaves standard input as it is: writes down what is said, and the status. */
const NOHUP = `
trap "" HUP; place=$0
"$@" >"$place/printed" 2>"$place/said"
echo $? >"$place/new"; mv "$place/new" "$place/status"
`;

test("stream-client outlives the terminal that nohup lets it read from", async () => {
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
    await using _terminal = new PseudoTerminal(args, { reply: "", wrapper });
    await asked.promise;
  }
  closed.resolve();
  while (!namesIn(place).includes("status")) await new Promise((go) => setTimeout(go, 20));
  assertMatch(await Deno.readTextFile(`${place}/said`), /^Received 2 frames in [^\n]*\n$/);
  assertEquals(await Deno.readTextFile(`${place}/status`), "0\n");
});

linuxTest("stream-client outlives its terminal where it was told to, as nohup does", async () => {
  const drawn = (pictures: number) => new RegExp(String.raw`(\[H[^]*?){${pictures}}`);
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, describe(), frame(0));
    await client.stdout.until(drawn(1));
    client.kill("SIGHUP");
    for (let index = 1; index < 5; index++) {
      await say(peer, frame(index, { value: index % 2 === 0 ? 128 : 16 }));
      await client.stdout.until(drawn(index + 1));
    }
    await say(peer, end());
  });
  const args = ["--video", "--view", "terminal", ...at(server)];
  const wrapper = ["sh", "-c", 'trap "" HUP; exec "$0" "$@"'];
  await using client = startProgram("client", args, { wrapper });
  const { code, stderr } = await client.ending();
  assertEquals(code, 0);
  assertMatch(stderr, /^Received 5 frames in [^\n]+\n$/);
});

unixTest("stream-client says what it expects where it cannot ask, as under nohup", async () => {
  const wrapper = ["sh", "-c", 'exec "$0" "$@" 0>/dev/null'];
  const ending = await runProgram("client", [], { wrapper });
  const reason =
    /^Cannot read from standard input what to do: Bad file descriptor [^\n]*, expected a terminal, or --image, --video or --list$/m;
  assertEquals(ending.code, 1);
  assertMatch(ending.stderr, reason);
});
