/** H.264 that is made for a viewer has one header, wherever it begins, with every FFmpeg. */
import { assert, assertEquals, assertLess } from "@std/assert";
import { mediaFolder, pictures } from "../../support/media/media_folder.ts";
import { ask, streamOf } from "../../support/peers/native_client.ts";
import { testServer } from "../../support/peers/test_server.ts";

const media = mediaFolder();

/** H.264's largest level for pictures as small as these at an ordinary rate: 2, as ten times. */
const SMALL_LEVEL = 20;

/** The level in an avcC box or in an SPS in Annex B (ITU-T H.264, 7.3.2.1.1), times ten. */
function levelOf(extradata: Uint8Array): number {
  if (extradata[0] === 1) return extradata[3];
  const at = extradata.findIndex((byte, at) =>
    (byte & 0x1f) === 7 && extradata[at - 1] === 1 && extradata[at - 2] === 0
  );
  assert(at > 0, "no SPS");
  return extradata[at + 3];
}

/** Containers, some of which are read from before the start, and rates, one of them not constant. */
const SOURCES: Record<string, readonly string[]> = {
  "even.mp4": [...pictures({ seconds: 3, rate: "30000/1001" }), "-c:v", "libx264", "-g", "30"],
  "even.ts": [...pictures({ seconds: 3 }), "-c:v", "mpeg2video"],
  "uneven.mkv": [
    ...[...pictures({ seconds: 3 }), "-vf", "select=not(eq(mod(n\\,5)\\,2))"],
    ...["-fps_mode", "vfr", "-c:v", "ffv1"],
  ],
};

for (const [name, args] of Object.entries(SOURCES)) {
  Deno.test(`H.264 of ${name} has the same header from the beginning and from a start`, async () => {
    await media.make(name, args);
    await using server = await testServer({ media: media.path });
    for (const bitrate of [undefined, 200_000]) {
      const request = { command: "get_video", name, encoding: "h264", bitrate } as const;
      const [first, ...others] = await Promise.all([0, 1.3, 2.5].map(async (start) => {
        const response = await ask(server, { ...request, start });
        assertEquals(response.error, undefined);
        return streamOf(response, "video")?.extradata ?? new Uint8Array();
      }));
      for (const other of others) assertEquals(other, first);
      assertLess(levelOf(first), SMALL_LEVEL + 1);
    }
  });
}
