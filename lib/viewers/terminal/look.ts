/** What a terminal can show, by what the environment says of it. Pure. */

/** How pictures are put into cells: half blocks in any colour, in one of 256, or characters. */
export type TerminalLook = "truecolour" | "256 colours" | "ascii";

/** Terminals that show any colour and say so in TERM alone, which is what ssh hands on. */
const TRUE_COLOUR = /-direct\d*$|^(xterm-)?(kitty|ghostty)$|^(alacritty|foot|wezterm|contour)(-|$)/;

/** Terminals that would print what they do not understand, instead of leaving it out. */
const MUTE = /^(|dumb|unknown|linux|cons25|emacs|eterm.*)$/;

/** Terminals, or those they stand in for, that show one colour and no pixels. */
const COLOURLESS = /^vt(52|1\d\d|2[02]0|320|4[02]0|5[12]0)\b|-(m|mono)$/;

/** Reads a variable of the environment. */
export type Environment = (name: string) => string | undefined;

/** How pictures look best in the terminal. */
export function lookOf(environment: Environment): TerminalLook {
  const term = environment("TERM") ?? "";
  if (!isColoured(environment) || !isUnicode(environment)) return "ascii";
  if (/^(truecolor|24bit)$/i.test(environment("COLORTERM") ?? "")) return "truecolour";
  if (TRUE_COLOUR.test(term)) return "truecolour";
  return /256colou?r/.test(term) ? "256 colours" : "ascii";
}

/** Whether the terminal can be asked what it is: one that does not know the question is silent. */
export function canBeAsked(environment: Environment): boolean {
  return isColoured(environment) && !MUTE.test(environment("TERM") ?? "");
}

/**
 * Whether the features of tmux's client, the terminal that tmux itself is drawn in, have sixels.
 *
 * @param features as tmux prints `#{client_termfeatures}`: `256,RGB,sixel`
 */
export function knowsSixel(features: string): boolean {
  return features.trim().split(",").includes("sixel");
}

/** What the user says of the terminal counts more than what it says of itself. */
function isColoured(environment: Environment): boolean {
  const term = environment("TERM") ?? "";
  // See https://no-color.org
  return !environment("NO_COLOR") && term !== "dumb" && !COLOURLESS.test(term);
}

/** Whether text is UTF-8: what is not set says nothing, and most terminals are. */
function isUnicode(environment: Environment): boolean {
  const locale = ["LC_ALL", "LC_CTYPE", "LANG"].map(environment).find((value) => value);
  return locale === undefined || /utf-?8/i.test(locale);
}
