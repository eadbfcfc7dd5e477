import { assert, assertEquals, assertRejects } from "@std/assert";
import { ProcessError } from "../../lib/base/errors.ts";
import { parseDecoders, readDecoders } from "../../lib/ffmpeg/decoders.ts";
import { standIn } from "../support/programs/stand_in.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("parseDecoders() takes the first decoder of a codec that is not experimental", () => {
  const decoders = parseDecoders(
    [
      "Decoders:",
      " V..... = Video",
      " .....D = Supports direct rendering method 1",
      " ------",
      " V..... libdav1d             dav1d AV1 decoder by VideoLAN (codec av1)",
      " V....D av1                  Alliance for Open Media AV1",
      " VFS..D h264                 H.264 / AVC / MPEG-4 AVC / MPEG-4 part 10",
      " V..... h264_cuvid           Nvidia CUVID H264 decoder (codec h264)",
      " A..X.D trial                An experimental decoder (codec opus)",
      " A....D libopus              libopus Opus (codec opus)",
      " V..X.D exr                  OpenEXR image",
      "",
    ].join("\n"),
  );
  assertEquals(Object.fromEntries(decoders), {
    av1: "libdav1d",
    h264: "h264",
    opus: "libopus",
    exr: "exr",
  });
});

Deno.test("readDecoders() reads those of the installed FFmpeg", async () => {
  const decoders = await readDecoders();
  assert(decoders.size > 20, `${decoders.size} decoders`);
  assertEquals(decoders.get("png"), "png");
});

Deno.test("readDecoders() fails with FFmpeg", async () => {
  using _ffmpeg = await standIn("ffmpeg", "exit 3");
  await assertRejects(() => readDecoders(), ProcessError);
});
