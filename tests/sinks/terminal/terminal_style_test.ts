import { assertEquals } from "@std/assert";
import {
  canBeQueried,
  knowsSixel,
  terminalStyle,
} from "../../../lib/sinks/terminal/capabilities.ts";
import { pureTest } from "../../support/pure_test.ts";

/** Environments, the style of pictures in them, and whether the terminal may be queried. */
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

pureTest("terminalStyle() and canBeQueried() read the environment", () => {
  for (const [variables, style, asked] of CASES) {
    const environment = (name: string) => variables[name];
    const seen = [terminalStyle(environment), canBeQueried(environment)];
    assertEquals(seen, [style, asked], JSON.stringify(variables));
  }
});

pureTest("knowsSixel() reads the features of tmux's own terminal", () => {
  assertEquals(["256,RGB,sixel,title\n", "sixel"].map(knowsSixel), [true, true]);
  assertEquals(["", "\n", "256,RGB\n", "nosixel"].map(knowsSixel), [false, false, false, false]);
});
