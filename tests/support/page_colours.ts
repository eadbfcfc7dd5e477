/** Colours of a page, on the screen and in the video. */
import type { Page } from "./chromium.ts";
import { type MediaFolder, run } from "./media.ts";

/** Red, green and blue of the current frame of the video, as JavaScript. */
export const PICTURE = `(() => {
  const context = new OffscreenCanvas(1, 1).getContext("2d");
  context.drawImage(document.querySelector("video"), 0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
})()`;

/** Whether a colour is close to another, as JavaScript. */
export function isNear(colour: string, expected: readonly number[]): string {
  return `${colour}.every((value, at) => Math.abs(value - ${JSON.stringify(expected)}[at]) < 40)`;
}

/** Red, green and blue of a pixel on the screen. */
export async function colourAt(
  page: Page,
  { x, y, media }: { x: number; y: number; media: MediaFolder },
): Promise<number[]> {
  const path = await media.write("screen.shot", await page.screenshot());
  const pixel = await run("ffmpeg", [
    ...["-f", "png_pipe", "-i", path, "-vf", `crop=1:1:${x}:${y}`],
    ...["-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"],
  ]);
  await Deno.remove(path);
  return [...pixel];
}
