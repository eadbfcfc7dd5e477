/** Terminals that draw pixels, and those that are slow, or silent. */
import { assert, assertAlmostEquals, assertEquals, assertLess, assertMatch } from "@std/assert";
import { exists, mediaFolder } from "../../support/media/media_folder.ts";
import {
  describe,
  end,
  frame,
  say,
  ScriptedServer,
  signsOfLife,
  stay,
  untilGone,
} from "../../support/peers/scripted_server.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { at } from "../../support/programs/run_inside.ts";
import { standIn } from "../../support/programs/stand_in.ts";
import { PseudoTerminal, PYTHON } from "../../support/screens/pseudo_terminal.ts";
import {
  decodeKitty,
  decodeSixel,
  type Drawing,
  pattern,
} from "../../support/screens/terminal_images.ts";
import { testIf } from "../../support/test_if.ts";

const media = mediaFolder();
const test = testIf(PYTHON !== undefined, "no Python with pty");

const [RED, BLUE] = [[255, 0, 0], [0, 0, 255]];

/** Device attributes of a terminal with sixels, and of one without. */
const [WITH_SIXEL, WITHOUT] = ["\x1b[?62;4;6c", "\x1b[?62;6c"];

/** Cells of 10 × 20 pixels, and kitty's graphics. */
const KITTY = `\x1b[6;20;10t\x1b_Gi=31;OK\x1b\\${WITHOUT}`;

/** Waits until the client stops the response, and ends it. */
async function leaveSequence(peer: Deno.TcpConn): Promise<void> {
  using _signs = signsOfLife(peer);
  // Pings and credit come before it.
  const memory = new Uint8Array(4096);
  for (let heard = ""; !heard.includes('"stop"');) {
    const count = await peer.read(memory);
    if (count === null) return;
    heard = heard.slice(-10) + new TextDecoder().decode(memory.subarray(0, count));
  }
  await say(peer, end());
  await untilGone(peer);
}

/** A red half beside a blue one. */
async function halves(): Promise<string> {
  const colours = ["red", "blue"].flatMap((colour) => [
    ...["-f", "lavfi", "-i", `color=${colour}:size=16x16:d=1,format=gbrp`],
  ]);
  await media.make("halves.png", [...colours, "-filter_complex", "hstack", "-frames:v", "1"]);
  return "halves.png";
}

function assertHalves({ width, height, colourAt }: Drawing): void {
  for (const y of [0, height >> 1, height - 1]) {
    for (const [x, wanted] of [[0, RED], [width / 2 - 40, RED], [width / 2 + 40, BLUE]] as const) {
      const colour = colourAt(Math.floor(x), y);
      colour.forEach((value, channel) =>
        assertAlmostEquals(value, wanted[channel], 4, `${x}, ${y}: ${colour}`)
      );
    }
  }
}

test("TerminalSink draws sixels if the terminal reports them", async () => {
  await using server = await testServer({ media: media.path });
  const args = ["--image", await halves(), "--view", "terminal", ...at(server)];
  const reply = `\x1b[4;480;800t\x1b[?1;0;16S${WITH_SIXEL}`;
  await using terminal = new PseudoTerminal(args, { reply });
  assertEquals(await terminal.ended(), 0);
  const drawing = decodeSixel(terminal.drawn.text);
  // 80 × 23 cells of 10 × 20 pixels, up to the limit.
  assertEquals([drawing.width, drawing.height], [800, 400]);
  assertHalves(drawing);
  // Room is made for 20 rows, so that nothing scrolls while it is drawn.
  assert(terminal.drawn.text.includes("\n".repeat(20).replaceAll("\n", "\r\n") + "\x1b[20A"));
  assertMatch(terminal.drawn.text, pattern(String.raw`ESC\[20B\r[^ESC]*Received 1 picture `));
});

for (
  const [where, env, features, isDrawn] of [
    ["tmux in a terminal that knows them", { TMUX: "x" }, "256,RGB,sixel", true],
    ["tmux in a terminal that does not", { TMUX: "x" }, "256,RGB", false],
    ["a tmux that cannot be asked", { TERM: "tmux-256color", TMUX: "" }, "", false],
    ["a terminal that is named as one without colours", { TERM: "vt100", TMUX: "" }, "", false],
  ] as const
) {
  test(`TerminalSink draws ${isDrawn ? "sixels" : "characters"} in ${where}`, async () => {
    using _tmux = await standIn("tmux", `echo ${features}`);
    await using server = await testServer({ media: media.path });
    const args = ["--image", await halves(), "--view", "terminal", ...at(server)];
    await using terminal = new PseudoTerminal(args, { reply: WITH_SIXEL, env });
    assertEquals(await terminal.ended(), 0);
    assertEquals(terminal.drawn.text.includes("\x1bP0;1;0q"), isDrawn);
  });
}

test("TerminalSink draws by kitty's protocol if the terminal reports it", async () => {
  await using server = await testServer({ media: media.path });
  const args = ["--image", await halves(), "--view", "terminal", ...at(server)];
  await using terminal = new PseudoTerminal(args, { reply: KITTY });
  assertEquals(await terminal.ended(), 0);
  const [drawing, ...more] = await decodeKitty(terminal.drawn.text);
  assertEquals(more, []);
  assertEquals([drawing.width, drawing.height], [800, 400]);
  assertEquals([drawing.keys.get("c"), drawing.keys.get("r")], ["80", "20"]);
  assertHalves(drawing);
  assertEquals(terminal.drawn.text.includes("a=d"), false, "the image stays");
});

test("TerminalSink replaces pictures of a video, and deletes the last one", async () => {
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, describe(), frame(0, { value: 20 }));
    await say(peer, frame(1, { value: 200 }));
    await leaveSequence(peer);
  });
  const args = ["--video", "--view", "terminal", ...at(server)];
  await using terminal = new PseudoTerminal(args, { reply: KITTY });
  await terminal.drawn.until(pattern(String.raw`a=T[^]*m=0;[^]*ESC\\ESC\[`));
  await terminal.does("keys q");
  await terminal.ended();
  const drawings = await decodeKitty(terminal.drawn.text);
  const [id] = new Set(drawings.map(({ keys }) => keys.get("i")));
  assertEquals(new Set(drawings.map(({ keys }) => keys.get("i"))).size, 1);
  assertMatch(
    terminal.drawn.text,
    new RegExp(`\x1b_Ga=d,d=I,i=${id},q=2\x1b\\\\[^_]*\x1b\\[\\?1049l`),
  );
});

test("TerminalSink assumes a size if the terminal does not report its own", async () => {
  await using server = new ScriptedServer((peer) => say(peer, describe(), frame(0), end()));
  const args = ["--video", "--view", "terminal", ...at(server)];
  const nothing = { columns: 0, rows: 0 };
  await using terminal = new PseudoTerminal(args, { reply: WITHOUT, ...nothing });
  assertEquals(await terminal.ended(), 0);
  // A square, 23 rows high, as 24 rows leave.
  assertMatch(terminal.drawn.text, pattern(String.raw`ESC\[23;1H[^▀\r]+▀{46}ESC`));
});

test("TerminalSink draws text if the terminal does not reply, and keeps the keys", async () => {
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, describe(), frame(0), frame(1));
    await leaveSequence(peer);
  });
  const args = ["--video", "--view", "terminal", ...at(server)];
  await using terminal = new PseudoTerminal(args, { reply: "" });
  await terminal.drawn.until(pattern(String.raw`ESC\[c`));
  // Pressed while replies are awaited.
  await terminal.does("keys q");
  await terminal.drawn.until(/Received|Stopped/);
  await terminal.ended();
});

test("TerminalSink draws the newest picture on a slow terminal, and does not block", async () => {
  const [width, height, count] = [640, 480, 60];
  const sent = Promise.withResolvers<void>();
  const stopped = Promise.withResolvers<void>();
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, describe({ width, height }), frame(0, { size: width * height, value: 1 }));
    await stopped.promise;
    for (let index = 1; index < count; index++) {
      await say(peer, frame(index, { size: width * height, value: 2 * index }));
    }
    sent.resolve();
    await leaveSequence(peer);
  });
  const args = ["--video", "--view", "terminal", ...at(server)];
  await using terminal = new PseudoTerminal(args, { reply: KITTY, columns: 200, rows: 60 });
  await terminal.drawn.until(/a=T/);
  await terminal.does("stop");
  stopped.resolve();
  // Far more than sockets hold has been taken.
  await sent.promise;
  await terminal.does("go");
  const isNewest = async () =>
    (await decodeKitty(terminal.drawn.text)).at(-1)?.colourAt(9, 9)[0] === 2 * (count - 1);
  while (!await isNewest()) await new Promise((resolve) => setTimeout(resolve, 20));
  await terminal.does("keys q");
  await terminal.ended();
  assertLess((await decodeKitty(terminal.drawn.text)).length, count);
});

/** Starts a client and writes down how it ended, since the terminal may not take it. */
const WATCHED = 'trap : INT; stty noflsh; f="$0"; "$@"; echo $? > "$f.new"; mv "$f.new" "$f"';

test("TerminalSink does not wait for a blocked terminal", async () => {
  const [width, height] = [640, 480];
  const [sent, stopped] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, describe({ width, height }));
    for (let index = 0; index < 100; index++) {
      await say(peer, frame(index, { size: width * height, value: index % 256 }));
      if (index === 0) await stopped.promise;
    }
    sent.resolve();
    await stay(peer);
  });
  const args = ["--video", "--view", "terminal", ...at(server)];
  const place = await media.folder("stuck");
  const wrapper = ["sh", "-c", WATCHED, `${place}/status`];
  const how = { reply: KITTY, columns: 200, rows: 60, wrapper };
  await using terminal = new PseudoTerminal(args, how);
  await terminal.drawn.until(/a=T/);
  await terminal.does("stop");
  stopped.resolve();
  await sent.promise;
  await terminal.does("keys \x03");
  while (!await exists(`${place}/status`)) await new Promise((go) => setTimeout(go, 20));
  assertEquals((await Deno.readTextFile(`${place}/status`)).trim(), "130");
  // As soon as it takes something again, it is as it was.
  await terminal.does("go");
  await terminal.drawn.until(pattern(String.raw`ESC\[\?1049l`));
});

/** Runs a program in a session of its own, which gets no signals of the terminal. */
const APART = [
  ...[PYTHON ?? "", "-c"],
  "import os, sys; os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])",
];

for (
  const [name, how, apart] of [
    ["told", "and is told of it", []],
    ["found", "and finds it out by drawing", APART],
  ] as const
) {
  test(`TerminalSink ends cleanly when the terminal is closed, ${how}`, async () => {
    const closed = Promise.withResolvers<void>();
    await using server = new ScriptedServer(async (peer) => {
      await say(peer, describe(), frame(0), frame(1));
      await closed.promise;
      await say(peer, frame(2, { value: 20 }));
      await stay(peer);
    });
    const place = await media.folder(name);
    // The first shell ends with the terminal, and so tells the others; the second writes it down.
    const script = `trap : HUP; exec 2> "$0/said"; ${WATCHED.replace('"$0"', '"$0/status"')}`;
    const wrapper = ["sh", "-c", '"$0" "$@"; :', ...apart, "sh", "-c", script, place];
    const args = ["--video", "--view", "terminal", ...at(server)];
    {
      await using terminal = new PseudoTerminal(args, { reply: WITHOUT, wrapper });
      await terminal.drawn.until(/▀/);
    }
    closed.resolve();
    while (!await exists(`${place}/status`)) await new Promise((go) => setTimeout(go, 20));
    const said = await Deno.readTextFile(`${place}/said`);
    assertMatch(said, /^Stopped after [23] frames in [^\n]*\n$/);
    assertEquals((await Deno.readTextFile(`${place}/status`)).trim(), "129");
  });
}
