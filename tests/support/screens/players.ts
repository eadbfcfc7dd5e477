/** The programs that show windows, in tests. */
import { standIn } from "../programs/stand_in.ts";
import type { XScreen } from "./x_screen.ts";

/** The programs that show windows. */
export const PLAYERS = ["mpv", "ffplay"] as const;

/** One of {@linkcode PLAYERS}. */
export type PlayerName = typeof PLAYERS[number];

/**
 * Has windows shown by one of the players, without sound, until the result is disposed.
 *
 * @param flags more for mpv
 */
export async function shownBy(player: PlayerName, flags = ""): Promise<Disposable> {
  const script = player === "mpv" ? `exec "$REAL" --ao=null ${flags} "$@"` : "exit 1";
  return await standIn("mpv", script);
}

/** Environment of a client whose windows open on a screen. */
export function environmentOn({ display }: XScreen): Record<string, string> {
  return { DISPLAY: display, WAYLAND_DISPLAY: "", SDL_AUDIODRIVER: "dummy" };
}
