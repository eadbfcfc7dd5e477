import { assertEquals } from "@std/assert";
import { canBeAsked, knowsSixel, lookOf } from "../../../lib/sinks/terminal/capabilities.ts";
import { pureTest } from "../../support/pure_test.ts";

/** An environment, what pictures look like in it, and whether the terminal can be asked. */
const CASES: [Record<string, string>, string, boolean][] = [
  [{ TERM: "xterm-256color", COLORTERM: "truecolor" }, "truecolour", true],
  [{ TERM: "xterm-256color", COLORTERM: "24bit", LANG: "de_DE.UTF-8" }, "truecolour", true],
  [{ TERM: "xterm-direct" }, "truecolour", true],
  [{ TERM: "xterm-kitty" }, "truecolour", true],
  [{ TERM: "alacritty" }, "truecolour", true],
  [{ TERM: "foot" }, "truecolour", true],
  [{ TERM: "xterm-256color" }, "256 colours", true],
  [{ TERM: "tmux-256color", LC_CTYPE: "C.utf8" }, "256 colours", true],
  [{ TERM: "xterm" }, "ascii", true],
  [{ TERM: "vt340" }, "ascii", true],
  [{ TERM: "vt100", COLORTERM: "truecolor" }, "ascii", false],
  [{ TERM: "vt220" }, "ascii", false],
  [{ TERM: "xterm-mono" }, "ascii", false],
  [{ TERM: "linux" }, "ascii", false],
  [{ TERM: "dumb", COLORTERM: "truecolor" }, "ascii", false],
  [{}, "ascii", false],
  [{ TERM: "xterm-256color", COLORTERM: "truecolor", NO_COLOR: "1" }, "ascii", false],
  [{ TERM: "xterm-256color", NO_COLOR: "" }, "256 colours", true],
  [{ TERM: "xterm-256color", LANG: "C" }, "ascii", true],
  [{ TERM: "xterm-256color", LC_ALL: "", LANG: "de_DE@euro" }, "ascii", true],
  [{ TERM: "xterm-256color", LC_ALL: "POSIX", LANG: "C.UTF-8" }, "ascii", true],
];

pureTest("lookOf() and canBeAsked() go by what the environment says of the terminal", () => {
  for (const [variables, look, asked] of CASES) {
    const environment = (name: string) => variables[name];
    const seen = [lookOf(environment), canBeAsked(environment)];
    assertEquals(seen, [look, asked], JSON.stringify(variables));
  }
});

pureTest("knowsSixel() reads the features that tmux prints of the terminal it is drawn in", () => {
  assertEquals(["256,RGB,sixel,title\n", "sixel"].map(knowsSixel), [true, true]);
  assertEquals(["", "\n", "256,RGB\n", "nosixel"].map(knowsSixel), [false, false, false, false]);
});
