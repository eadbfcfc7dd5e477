import { assertEquals } from "@std/assert";
import { isCarried, isLosslessSound } from "../../lib/nut/format.ts";
import { demuxAll, makeNut, run } from "../support/media/nut_files.ts";

const PICTURES = ["-f", "lavfi", "-i", "testsrc2=s=352x288:r=25:d=0.2"];
const SOUND = ["-f", "lavfi", "-i", "sine=r=48000:d=0.3"];

/** Encoders for which a table entry can be checked in no time. */
const ENCODERS: Record<"video" | "audio", readonly string[]> = {
  video: "mpeg4 mpeg2video mjpeg ffv1 huffyuv png gif flv snow h261 wmv2 qtrle smc rv10 roqvideo"
    .split(" "),
  audio: "aac ac3 eac3 mp2 flac alac tta wavpack pcm_f32be pcm_s24le pcm_bluray wmav2 adpcm_ms"
    .split(" "),
};

/** Names by which encoders are called otherwise than their codecs. */
const CODEC_OF: Record<string, string> = { flv: "flv1", roqvideo: "roq" };

/** Whether ffmpeg's packets come back from NUT as what they were. */
async function isReadBack(encoder: string, type: "video" | "audio"): Promise<boolean> {
  const [source, flag] = type === "video" ? [PICTURES, "-c:v"] : [SOUND, "-c:a"];
  try {
    const nut = await makeNut([...source, flag, encoder, "-strict", "-2"]);
    if (demuxAll(nut).frames.length === 0) return false;
    const args = ["-f", "nut", "-show_entries", "stream=codec_name", "-of", "csv=p=0", "pipe:0"];
    const { stdout } = await run("ffprobe", args, nut);
    return new TextDecoder().decode(stdout).split(/[,\n]/)[0] === (CODEC_OF[encoder] ?? encoder);
  } catch {
    // FFmpeg refuses to write it, or cannot read what it wrote.
    return false;
  }
}

Deno.test("isCarried() is true for codecs that ffmpeg reads back from NUT", async (t) => {
  for (const type of ["video", "audio"] as const) {
    for (const encoder of ENCODERS[type]) {
      await t.step(encoder, async () => {
        assertEquals(await isReadBack(encoder, type), isCarried(CODEC_OF[encoder] ?? encoder));
      });
    }
  }
});

Deno.test("isLosslessSound() knows the lossless audio codecs", () => {
  for (const codec of ["alac", "ape", "truehd", "pcm_bluray"]) {
    assertEquals(isLosslessSound(codec), true, codec);
  }
  for (const codec of ["eac3", "wmav2", "amr_nb"]) assertEquals(isLosslessSound(codec), false);
});
