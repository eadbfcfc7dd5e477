import { assertEquals } from "@std/assert";
import { orient } from "../../../lib/web/addresses/upright.ts";
import { mediaFolder, pictures, run } from "../../support/media/media_folder.ts";

const media = mediaFolder();

Deno.test("orient() turns what readers of Exif show, and changes no pixel", async () => {
  const path = await media.make("plain.jpg", [...pictures(), "-frames:v", "1"]);
  const jpeg = await Deno.readFile(path);
  assertEquals(orient(jpeg, undefined), jpeg);
  const other = new TextEncoder().encode("no JPEG");
  assertEquals(orient(other, 90), other);
  const hashOf = async (file: string) =>
    await run("ffmpeg", ["-i", `file:${file}`, "-f", "framemd5", "-"]);
  for (const [rotation, seen] of [[90, "-90"], [180, "-180"], [270, "90"]] as const) {
    const turned = await media.write(`turned${rotation}.jpg`, orient(jpeg, rotation));
    const show = ["-show_entries", "frame_side_data=rotation", "-of", "csv=p=0", `file:${turned}`];
    const rotations = new TextDecoder().decode(await run("ffprobe", show));
    assertEquals(rotations.trim(), seen);
    const decoded = ["-noautorotate", "-i", `file:${turned}`, "-f", "framemd5", "-"];
    assertEquals(await run("ffmpeg", decoded), await hashOf(path));
  }
});
