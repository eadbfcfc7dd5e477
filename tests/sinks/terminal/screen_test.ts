import { assertEquals } from "@std/assert";
import type { Layout, RenderMode } from "../../../lib/sinks/terminal/render_mode.ts";
import { TerminalScreen } from "../../../lib/sinks/terminal/screen.ts";
import { LeapingTime } from "../../support/time/leaping_time.ts";

/** What precedes the text below the picture. */
const LAST_ROW = "\x1b[5;1H\x1b[K";

Deno.test("TerminalScreen shows a notice for four seconds from when it is first drawn", async () => {
  using time = new LeapingTime();
  const size = { width: 1, height: 1 };
  const layout: Layout = { pixels: size, cells: size };
  const mode: RenderMode = {
    ...{ filters: [], isText: true, wipe: "", fit: () => layout, bytes: () => 1 },
    render: ([value]) => [String(value)],
  };
  let drawn = "";
  const screen = new TerminalScreen({
    ...{ mode, inline: false, guarded: false, size: () => ({ columns: 20, rows: 5 }) },
    write: (text) => Promise.resolve(void (drawn += text)),
  });
  const shown = () => drawn.split(LAST_ROW).at(-1)?.split("\x1b")[0];
  screen.notify("a notice");
  screen.showStatus("frame 0");
  // The first picture takes long.
  await time.leap(10_000);
  await screen.draw(new Uint8Array([1]), layout);
  assertEquals(shown(), "a notice");
  await time.leap(3000);
  screen.showStatus("frame 1");
  await screen.draw(new Uint8Array([2]), layout);
  assertEquals(shown(), "a notice");
  await time.leap(2000);
  screen.showStatus("frame 2");
  await screen.draw(new Uint8Array([3]), layout);
  assertEquals(shown(), "frame 2");
  await screen.leave();
});
