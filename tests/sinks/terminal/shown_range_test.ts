/** HDR as the terminal shows it. */
import { assertAlmostEquals, assertEquals } from "@std/assert";
import type { VideoStream } from "../../../lib/media/frame.ts";
import { decodedStream, startDecoder } from "../../../lib/sinks/terminal/decoder.ts";

const VIDEO: VideoStream = {
  ...{ type: "video", id: 0, codec: "rawvideo", timeBase: [1, 25], extradata: new Uint8Array() },
  ...{ width: 64, height: 48, fourcc: "I420", pixelFormat: "yuv420p" },
};

/** The reference white in the code of PQ, limited range with 10 bits. */
const PQ_WHITE = 573;

const HDR: VideoStream = {
  ...{ ...VIDEO, fourcc: "Y3\x0b\x0a", pixelFormat: "yuv420p10le", colorRange: "tv" },
  ...{ colorSpace: "bt2020nc", colorTransfer: "smpte2084", colorPrimaries: "bt2020" },
};

/** The pixels that come out for one frame. */
async function shown(
  video: VideoStream,
  data: Uint8Array<ArrayBuffer>,
  toneMap?: boolean,
): Promise<Uint8Array> {
  let found = new Uint8Array();
  const decoded = decodedStream(video, { isText: true });
  await using decoder = startDecoder({
    ...{ video, decoded, toneMap },
    onPicture: (picture) => {
      found = picture.slice();
    },
  });
  await decoder.write({ streamId: 0, timestamp: 0, keyframe: true, data });
  await decoder.finish();
  return found;
}

Deno.test("startDecoder() shows HDR in the usual range, unless it is to be left alone", async () => {
  const codes = new Uint16Array(64 * 48 * 1.5).fill(512);
  codes.fill(PQ_WHITE, 0, 64 * 48);
  const data = new Uint8Array(codes.buffer);
  for (const [toneMap, expected] of [[undefined, 221], [false, 148]] as const) {
    const pixels = await shown(HDR, data, toneMap);
    assertEquals(pixels.length, 64 * 48 * 3);
    for (const part of pixels.subarray(0, 3)) assertAlmostEquals(part, expected, 4);
  }
});
