/** The example of docs/guide/typescript.md. */
import { assertEquals } from "@std/assert";
import { mediaFolder } from "../support/media/media_folder.ts";
import { testServer } from "../support/peers/test_server.ts";
import { HelperProgram, importFlags, pathOf } from "../support/programs/running_program.ts";

const media = mediaFolder();

Deno.test("the example shows the mean colour of a video, and needs nothing but the network", async () => {
  const halves = "color=0x336699:size=64x48:d=1,format=rgb24,drawbox=0:0:32:48:0x000000:fill";
  await media.make("halves.mkv", [
    ...["-f", "lavfi", "-i", halves, "-c:v", "ffv1", "-pix_fmt", "bgr0"],
  ]);
  await using server = await testServer({ media: media.path });
  const { hostname, port } = server.address;
  const options = ["--config", pathOf("deno.json"), ...importFlags()];
  await using example = new HelperProgram(Deno.execPath(), [
    ...["run", "--no-prompt", "--allow-net", ...options, pathOf("docs/examples/mean_colour.ts")],
    ...["halves.mkv", hostname, String(port), "0"],
  ], { env: { NO_COLOR: "1" } });
  // It serves the page once it has a frame.
  const [address] = await Promise.race([
    example.stdout.until(/http:\/\/127\.0\.0\.1:\d+\//),
    example.stderr.until(/http:\/\/127\.0\.0\.1:\d+\//),
  ]);
  const page = await (await fetch(address)).text();
  assertEquals(page.match(/rgb\(.*?\)/)?.[0], "rgb(26,51,77)");
});
