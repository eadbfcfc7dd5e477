/** Publishing by hardware, for which the processor stands in. */
import { assertEquals, assertMatch } from "@std/assert";
import { mediaFolder, pictures } from "../../support/media/media_folder.ts";
import { watchLive } from "../../support/peers/native_client.ts";
import { type TestServer, testServer } from "../../support/peers/test_server.ts";
import { hardwareStandIn } from "../../support/programs/hardware_stand_in.ts";
import { publishInside } from "../../support/programs/inside_publisher.ts";
import { at } from "../../support/programs/run_inside.ts";
import { unixTest } from "../../support/test_if.ts";

const media = mediaFolder();

const CAM = ["--publish", "cam", "--input", "lavfi:testsrc=size=64x48:rate=25"];

/** Publishes until three frames have come, and gives what was told before the first. */
async function publishThree(server: TestServer, args: readonly string[]): Promise<string[]> {
  await using publisher = await publishInside([...args, ...at(server)]);
  using viewer = await watchLive(server, { name: "cam", encoding: "copy" });
  await viewer.frames(3);
  assertEquals(viewer.description.streams.map(({ codec }) => codec), ["h264"]);
  await publisher.stop();
  return publisher.text.split("\n").filter((line) => !/^(Publish|$)/.test(line));
}

unixTest(
  "publish --encoder auto encodes by the first hardware that works, and says so",
  async () => {
    await using server = await testServer({ media: media.path });
    using ffmpeg = await hardwareStandIn({ works: ["h264_nvenc", "h264_qsv"], devices: ["cuda"] });
    const path = await media.make("clip.mp4", [...pictures(), "-c:v", "mpeg4"]);
    const show = ["--publish", "cam", "--input", path, "--loop", "--bitrate", "1M"];
    const lines = await publishThree(server, [...show, "--encoder", "auto", "--hwaccel", "auto"]);
    assertEquals(lines, [
      "h264 is encoded by h264_nvenc",
      "Video is decoded by cuda, as far as it can",
    ]);
    const [stream] = ffmpeg.streams;
    assertMatch(
      stream,
      /-hwaccel cuda -stream_loop -1 -i file:\S+ .*-c:v h264_nvenc .*-rc vbr -b:v 1000000/,
    );
  },
);

unixTest("publish goes on by x264 where hardware fails, and says so once", async () => {
  await using server = await testServer({ media: media.path });
  using ffmpeg = await hardwareStandIn({ failsLater: ["h264_vaapi"] });
  assertEquals(await publishThree(server, [...CAM, "--encoder", "h264_vaapi"]), [
    'Cannot use h264_vaapi for "testsrc=size=64x48:rate=25": h264_vaapi is not plugged in; ' +
    "the processor is used instead, here and where it fails again",
  ]);
  assertMatch(ffmpeg.streams[0], /-c:v h264_vaapi /);
  assertMatch(ffmpeg.streams.at(-1) ?? "", /-c:v libx264 /);
  const named = await publishThree(server, [...CAM, "--encoder", "h264_nvenc"]);
  assertEquals(named, [
    "Cannot encode with h264_nvenc: h264_nvenc is not plugged in; libx264 is used instead",
  ]);
});
