/** How pictures look: average colours, and how much two of them differ. */
import { run } from "./media_folder.ts";

/**
 * The average red, green and blue of the first picture of a file.
 *
 * @param filter FFmpeg's filters in front, such as a crop
 */
export async function averageColor(path: string, filter = "null"): Promise<number[]> {
  const small = `${filter},scale=1:1:flags=area,format=rgb24`;
  const args = ["-i", `file:${path}`, "-frames:v", "1", "-vf", small, "-f", "rawvideo", "pipe:1"];
  return [...await run("ffmpeg", args)];
}

/** Fields that ffprobe reports of the first video stream of a file. */
export async function videoFields(path: string, fields: readonly string[]): Promise<string[]> {
  const args = ["-select_streams", "v:0", "-show_entries", `stream=${fields.join(",")}`];
  const text = new TextDecoder().decode(
    await run("ffprobe", [...args, "-of", "json", `file:${path}`]),
  );
  const [stream] = JSON.parse(text).streams;
  return fields.map((field) => stream[field] ?? "unknown");
}
