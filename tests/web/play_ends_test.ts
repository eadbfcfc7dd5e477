/** Plays that start near or after the end of the audio or the video. */
import { assert, assertAlmostEquals, assertEquals, assertMatch } from "@std/assert";
import { EXACT, playedIn } from "../support/media/browser_plays.ts";
import { mediaFolder, pictures, tone } from "../support/media/media_folder.ts";
import { testServer } from "../support/peers/test_server.ts";
import { testPage } from "../support/screens/page.ts";

const media = mediaFolder();
const played = playedIn(media);
const FOUR = { seconds: 4 };
const CODED = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "3", "-g", "40", "-c:a", "aac"];

for (const start of [2, 3]) {
  Deno.test(`a play from ${start} s, after the end of the audio, has video only`, async () => {
    await media.make("short.mp4", [...pictures(FOUR), ...tone({ seconds: 2 }), ...CODED]);
    await using server = await testServer({ media: media.path });
    await using page = await testPage(server);
    const response = await page.fetch(`/api/play?name=short.mp4&start=${start}&can=h264,aac`);
    const { headers, video, audio } = await played(response, `out/short${start}.mp4`);
    assertMatch(headers.get("Content-Type") ?? "", /^video\/mp4; codecs="avc1\.\w+"$/);
    assertEquals(JSON.parse(decodeURIComponent(headers.get("X-Notes") ?? "")), [
      "sound is dropped: none of it comes here",
    ]);
    assertAlmostEquals(video[video.length - 1], 3.96, EXACT);
    assertEquals(audio, []);
  });
}

for (const start of [10, 100]) {
  Deno.test(`a play from ${start} s, after the end of the video, has audio only`, async () => {
    await media.make("long.mp4", [...pictures(FOUR), ...tone({ seconds: 120 }), ...CODED]);
    await using server = await testServer({ media: media.path });
    await using page = await testPage(server);
    const response = await page.fetch(`/api/play?name=long.mp4&start=${start}&can=h264,aac`);
    const { headers, video, audio } = await played(response, `out/long${start}.mp4`);
    assertMatch(headers.get("Content-Type") ?? "", /^audio\/mp4; codecs="mp4a/);
    assertEquals(JSON.parse(decodeURIComponent(headers.get("X-Notes") ?? "")), [
      "pictures are dropped: none of them come here",
    ]);
    assertEquals(video, []);
    assert(audio[0] <= start + 0.05);
    assertAlmostEquals(audio[audio.length - 1], 120, 0.05);
  });
}

Deno.test("a play from the last frame of video has that frame", async () => {
  await media.make("end.mp4", [...pictures(FOUR), ...tone({ seconds: 4.2 }), ...CODED]);
  await using server = await testServer({ media: media.path });
  await using page = await testPage(server);
  const response = await page.fetch("/api/play?name=end.mp4&start=3.99&can=h264,aac");
  const { video } = await played(response, "out/end.mp4");
  assertAlmostEquals(video[video.length - 1], 3.96, EXACT);
});

Deno.test("a play of the last millisecond of audio alone has a response", async () => {
  await media.make("tone.m4a", [...tone(), "-c:a", "aac"]);
  await using server = await testServer({ media: media.path });
  await server.probeAll();
  await using page = await testPage(server);
  const list = await (await page.fetch("/api/list")).json();
  const { duration } = list.entries.find(({ name }: { name: string }) => name === "tone.m4a");
  const start = duration - 0.001;
  const response = await page.fetch(`/api/play?name=tone.m4a&start=${start}&can=aac`);
  assertEquals(response.headers.get("Content-Type"), 'audio/mp4; codecs="mp4a.40.2"');
  await response.bytes();
});
