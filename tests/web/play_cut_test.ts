import { assert, assertEquals } from "@std/assert";
import { mediaFolder, pictures, run, tone } from "../support/media/media_folder.ts";
import { CuttingProxy } from "../support/peers/cutting_proxy.ts";
import { testServer } from "../support/peers/test_server.ts";
import { testPage } from "../support/screens/page.ts";

const media = mediaFolder();

Deno.test("a play of the page goes on over another connection to the server", async () => {
  const two = { seconds: 2 };
  const coded = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "2", "-c:a", "aac"];
  const path = await media.make("b.mp4", [...pictures(two), ...tone(two), ...coded]);
  const { size } = await Deno.stat(path);
  await using server = await testServer({ media: media.path });
  // The first connection is the one of the play.
  await using proxy = new CuttingProxy(server, [{ cutAfter: Math.round(size / 2) }]);
  const played: Uint8Array[] = [];
  for (const each of [server, proxy]) {
    await using page = await testPage(each);
    const response = await page.fetch("/api/play?name=b.mp4&start=0&can=h264,aac");
    const name = `out${played.length}.mp4`;
    const out = await media.write(name, await response.bytes());
    const sums = ["-i", `file:${out}`, "-c", "copy", "-f", "framemd5", "-"];
    played.push(await run("ffmpeg", sums));
  }
  assertEquals(proxy.connections, 2);
  const [whole, cut] = played.map((sums) => new TextDecoder().decode(sums));
  assert(whole.split("\n").length > 100);
  assertEquals(cut, whole);
});
