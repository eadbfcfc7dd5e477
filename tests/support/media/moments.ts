/** Timestamps of the packets of a file, seconds. */
export async function momentsOf(path: string): Promise<number[]> {
  const args = ["-v", "error", "-show_entries", "packet=pts_time", "-of", "json", path];
  const { stdout } = await new Deno.Command("ffprobe", { args }).output();
  const { packets } = JSON.parse(new TextDecoder().decode(stdout));
  return packets.map(({ pts_time }: { pts_time: string }) => Number(pts_time));
}
