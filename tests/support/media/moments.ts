import { run } from "./media_folder.ts";

/**
 * Timestamps of the packets of a file, seconds.
 *
 * @param type of the streams; all if absent
 */
export async function momentsOf(path: string, type?: "v" | "a"): Promise<number[]> {
  const select = type === undefined ? [] : ["-select_streams", type];
  const args = [...select, "-show_entries", "packet=pts_time", "-of", "json", path];
  const { packets } = JSON.parse(new TextDecoder().decode(await run("ffprobe", args)));
  return packets.map(({ pts_time }: { pts_time: string }) => Number(pts_time));
}
