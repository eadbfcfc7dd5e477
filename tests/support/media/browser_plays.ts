/** Reads what the page plays. */
import { assertEquals } from "@std/assert";
import { type MediaFolder, run } from "./media_folder.ts";

/** Tolerance in seconds: timestamps are rounded to ticks of the MP4, and ffprobe's to microseconds. */
export const EXACT = 0.0001;

/** Sorted presentation times of a stream's packets, seconds. */
export async function momentsOf(path: string, stream: "v" | "a"): Promise<number[]> {
  const args = ["-select_streams", stream, "-show_entries", "packet=pts_time", "-of", "json", path];
  const { packets } = JSON.parse(new TextDecoder().decode(await run("ffprobe", args)));
  return packets.map(({ pts_time }: { pts_time: string }) => Number(pts_time))
    .sort((a: number, b: number) => a - b);
}

/**
 * The same, counted from the start of the earliest stream, which some FFmpegs write below 0 because
 * of the priming samples of an audio encoder.
 */
export async function mediaMomentsOf(path: string, stream: "v" | "a"): Promise<number[]> {
  const args = ["-show_entries", "format=start_time", "-of", "json", path];
  const { format } = JSON.parse(new TextDecoder().decode(await run("ffprobe", args)));
  return (await momentsOf(path, stream)).map((moment) => moment - Number(format.start_time));
}

/** Stores plays in a folder and gives their headers, and the times of their packets in the media. */
export function playedIn(media: MediaFolder) {
  return async (response: Response, name: string) => {
    assertEquals(response.status, 200);
    const { headers } = response;
    const path = await media.write(name, await response.bytes());
    const begin = Number(headers.get("X-Begin"));
    const onMedia = async (stream: "v" | "a") =>
      (await momentsOf(path, stream)).map((moment) => moment + begin);
    return { headers, path, video: await onMedia("v"), audio: await onMedia("a") };
  };
}
