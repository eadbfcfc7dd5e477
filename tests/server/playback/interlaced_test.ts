/** Interlaced video: what is sent, recorded and shown of it. */
import { assert, assertEquals, assertLess } from "@std/assert";
import type { VideoStream } from "../../../lib/media/frame.ts";
import { mediaFolder, pictures, run } from "../../support/media/media_folder.ts";
import { decodedBy } from "../../support/media/reference.ts";
import { videoFields } from "../../support/media/shown.ts";
import { ask, framesOf, streamOf } from "../../support/peers/native_client.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";
import { testPage } from "../../support/screens/page.ts";

const media = mediaFolder();
const results = mediaFolder();

const BWDIF = "bwdif=mode=send_frame:deint=interlaced";
const FIELDS = ["-flags", "+ildct+ilme"];

/** Pictures that move to the side, in fields of 50 a second. */
function fields(scan: "tff" | "bff"): string[] {
  return [...pictures({ rate: "50", seconds: 0.4 }), "-vf", `scroll=h=0.1,interlace=scan=${scan}`];
}

const FILES = [
  {
    name: "top.mp4",
    order: "tt",
    args: [...fields("tff"), "-c:v", "libx264", "-pix_fmt", "yuv420p", ...FIELDS],
  },
  {
    name: "bottom.ts",
    order: "bb",
    args: [...fields("bff"), "-c:v", "mpeg2video", "-q:v", "2", "-pix_fmt", "yuv420p", ...FIELDS],
  },
] as const;

/** Average difference of the pixels of two videos; the first is scaled to nothing else. */
async function difference(path: string, expected: string, filter: string): Promise<number> {
  const raw = ["-pix_fmt", "gray", "-f", "rawvideo", "pipe:1"];
  const [a, b] = await Promise.all([
    run("ffmpeg", ["-i", `file:${path}`, "-map", "0:v:0", ...raw]),
    run("ffmpeg", ["-i", `file:${expected}`, "-map", "0:v:0", "-vf", filter, ...raw]),
  ]);
  assertEquals(a.length, b.length, path);
  return a.reduce((sum, byte, index) => sum + Math.abs(byte - b[index]), 0) / a.length;
}

async function recorded(name: string, args: readonly string[], output: string): Promise<string> {
  await using server = await testServer({ media: media.path });
  const path = results.pathOf(output);
  const given = ["--video", name, ...args, "--output", path, ...at(server)];
  const { status, stderr } = await runInside(given);
  assertEquals(status, 0, stderr);
  return path;
}

async function orderOf(path: string): Promise<string> {
  const [order] = await videoFields(path, ["field_order"]);
  // FFmpeg names by two letters what it has stored by one.
  return order[0];
}

for (const { name, order, args } of FILES) {
  Deno.test(`get_video sends the fields of ${name} exactly, or none of them`, async () => {
    const path = await media.make(name, args);
    await using server = await testServer({ media: media.path });
    const sums = async (output: string[] = []) =>
      (await decodedBy(path, { stream: "V:0", output })).map(({ time, md5 }) => [time, md5]);
    const got = async (fields: { deinterlace?: boolean }) => {
      const response = await ask(server, { command: "get_video", name, ...fields });
      const { fieldOrder } = streamOf(response, "video") as VideoStream;
      return { fieldOrder, sums: framesOf(response, "video").map(({ time, md5 }) => [time, md5]) };
    };
    assertEquals(await got({}), { fieldOrder: order, sums: await sums() });
    const still = async (fields: { deinterlace?: boolean }) => {
      const request = { command: "get_image", name, start: 0.2, ...fields } as const;
      const response = await ask(server, request);
      const { fieldOrder } = streamOf(response, "video") as VideoStream;
      return { fieldOrder, md5: framesOf(response, "video")[0].md5 };
    };
    const [whole, combed] = [await still({}), await still({ deinterlace: false })];
    assertEquals([whole.fieldOrder, combed.fieldOrder], [undefined, order]);
    assert((await sums()).some(([, md5]) => md5 === combed.md5));
    assert((await sums(["-vf", BWDIF])).some(([, md5]) => md5 === whole.md5));
    const progressive = await got({ deinterlace: true });
    assertEquals(progressive, { fieldOrder: undefined, sums: await sums(["-vf", BWDIF]) });
  });

  Deno.test(`recordings of ${name} keep its fields, and views of it have none`, async () => {
    const path = await media.make(name, args);
    for (const type of ["mp4", "mkv"]) {
      const raw = await recorded(name, [], `raw_${name}.${type}`);
      assertEquals(await orderOf(raw), order[0], `raw ${type}`);
      const copied = await recorded(name, ["--encoding", "copy"], `copy_${name}.${type}`);
      assertEquals(await orderOf(copied), order[0], `copy ${type}`);
    }
    const exact = await recorded(name, ["--codec", "ffv1"], `exact_${name}.mkv`);
    assertEquals([await orderOf(exact), await difference(exact, path, "null")], [order[0], 0]);
    const shown = {
      h264: await recorded(name, ["--encoding", "h264"], `h264_${name}.mp4`),
      mjpeg: await recorded(name, ["--encoding", "mjpeg"], `mjpeg_${name}.mkv`),
      webm: await recorded(name, [], `raw_${name}.webm`),
    };
    for (const [kind, made] of Object.entries(shown)) {
      const [combed, smooth] = await Promise.all([
        difference(made, path, "null"),
        difference(made, path, BWDIF),
      ]);
      assertLess(smooth * 1.5, combed, kind);
    }
  });
}

Deno.test("the page encodes interlaced packets, and says why", async () => {
  const [{ name, args }] = FILES;
  const path = await media.make(name, args);
  await using server = await testServer({ media: media.path });
  await using page = await testPage(server);
  const response = await page.fetch(`/api/play?name=${name}&can=h264`);
  const notes = JSON.parse(decodeURIComponent(response.headers.get("X-Notes") ?? "[]"));
  assertEquals(notes, ["pictures are re-encoded: browsers do not show interlaced ones right"]);
  const played = await results.write("page.mp4", await response.bytes());
  const [combed, smooth] = await Promise.all([
    difference(played, path, "null"),
    difference(played, path, BWDIF),
  ]);
  assertLess(smooth * 1.5, combed);
});

Deno.test("frames that are marked as progressive stay as they are", async () => {
  const name = "marked.mp4";
  const path = await media.make(name, [
    ...[...pictures({ seconds: 0.4 }), "-c:v", "libx264", "-pix_fmt", "yuv420p"],
    ...["-x264-params", "fake-interlaced=1"],
  ]);
  await using server = await testServer({ media: media.path });
  const expected = (await decodedBy(path, { stream: "V:0" })).map(({ md5 }) => md5);
  for (const deinterlace of [undefined, true]) {
    const response = await ask(server, { command: "get_video", name, deinterlace });
    assertEquals(framesOf(response, "video").map(({ md5 }) => md5), expected);
  }
  const scaled = await ask(server, { command: "get_video", name, width: 32, height: 24 });
  assert(scaled.frames.length === expected.length);
});
