/** Transparency of WebM: raw frames have it, and what is made of them. */
import { assert, assertEquals } from "@std/assert";
import { mediaFolder, pictures, run, tone } from "../../support/media/media_folder.ts";
import { decodedBy } from "../../support/media/reference.ts";
import { averageColor, videoFields } from "../../support/media/shown.ts";
import { addressServer, urlOf } from "../../support/peers/address_server.ts";
import { ask, framesOf, streamOf } from "../../support/peers/native_client.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { standIn } from "../../support/programs/stand_in.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";
import { testPage } from "../../support/screens/page.ts";
import { testWith } from "../../support/test_if.ts";
import { assertNoFaults, pageSite, VIDEO } from "../../support/screens/page_site.ts";

const media = mediaFolder();
const results = mediaFolder();

/** Makes pictures less transparent from left to right. */
const FADE = "format=yuva420p,geq=lum='lum(X,Y)':cb='cb(X,Y)':cr='cr(X,Y)':a='4*X'";

const FADING = [...pictures({ seconds: 0.2 }), "-vf", FADE];

const FILES = [
  {
    name: "vp9.webm",
    decoder: "libvpx-vp9",
    args: [...FADING, "-c:v", "libvpx-vp9", "-cpu-used", "8"],
  },
  {
    name: "vp8.webm",
    decoder: "libvpx",
    args: [...FADING, "-c:v", "libvpx", "-auto-alt-ref", "0"],
  },
] as const;

/** The alpha of the first picture of a file, averaged for its left and its right half. */
async function alphaOf(path: string, decoder?: string): Promise<number[]> {
  const halves = "format=rgba,alphaextract,scale=2:1:flags=area,format=gray";
  const input = [...(decoder === undefined ? [] : ["-c:v", decoder]), "-i", `file:${path}`];
  const output = ["-frames:v", "1", "-vf", halves, "-f", "rawvideo", "pipe:1"];
  return [...await run("ffmpeg", [...input, ...output])];
}

function assertFades([left, right]: number[], message: string): void {
  assert(left < 100 && right > 150, `${message}: ${left} and ${right}`);
}

for (const { name, decoder, args } of FILES) {
  Deno.test(`get_video sends the transparency of ${name} as raw`, async () => {
    const path = await media.make(name, args);
    await using server = await testServer({ media: media.path });
    const raw = await ask(server, { command: "get_video", name });
    const input = ["-c:v", decoder];
    const expected = await decodedBy(path, { stream: "V:0", input });
    assertEquals(streamOf(raw, "video")?.pixelFormat, "yuva420p");
    assertEquals(framesOf(raw, "video").map(({ md5 }) => md5), expected.map(({ md5 }) => md5));
    const h264 = await ask(server, { command: "get_video", name, encoding: "h264" });
    assertEquals(streamOf(h264, "video")?.pixelFormat, "yuv420p");
    assertEquals(h264.description?.notes, [
      "Pictures are sent without their transparency: only raw frames have it",
    ]);
  });

  Deno.test(`recordings and pictures of ${name} are transparent`, async () => {
    await media.make(name, args);
    await using server = await testServer({ media: media.path });
    for (const [kind, output] of [["--image", `${name}.png`], ["--video", `${name}.webm`]]) {
      const path = results.pathOf(output);
      const { status, stderr } = await runInside([kind, name, "--output", path, ...at(server)]);
      assertEquals(status, 0, stderr);
      assertFades(await alphaOf(path, output.endsWith("webm") ? "libvpx-vp9" : undefined), output);
    }
  });
}

Deno.test("the page shows a transparent picture as PNG, and plays one without if need be", async () => {
  const [{ name, args }] = FILES;
  await media.make(name, args);
  await using server = await testServer({ media: media.path });
  await using page = await testPage(server);
  const picture = await page.fetch(`/api/image?name=${name}`);
  const png = await results.write("page.png", await picture.bytes());
  assertFades(await alphaOf(png), "PNG");
  const play = await page.fetch(`/api/play?name=${name}&can=vp9`);
  const played = await results.write("page.mp4", await play.bytes());
  assertEquals(await videoFields(played, ["codec_name"]), ["vp9"]);
  assertEquals((await averageColor(played)).length, 3);
});

/** Transparent WebM: alone, too wide, with sound that ends first, and the size that is played. */
const PLAYED: Record<string, { args: readonly string[]; size: string; codecs?: string }> = {
  "vp9.webm": { args: FILES[0].args, size: "64,48" },
  "vp8.webm": { args: FILES[1].args, size: "64,48" },
  "wide.webm": {
    args: [...FADING, "-vf", `${FADE},scale=1296:972`, "-frames:v", "4", "-c:v", "libvpx-vp9"],
    size: "1280,960",
  },
  "sound.webm": {
    args: [
      ...[...pictures({ seconds: 0.2 }), ...tone({ seconds: 0.2 }), "-vf", FADE],
      ...["-c:v", "libvpx-vp9", "-c:a", "libopus"],
    ],
    size: "64,48",
    codecs: "vp9,opus",
  },
  "less sound.webm": {
    args: [
      ...[...pictures({ seconds: 2 }), ...tone({ seconds: 0.02 }), "-vf", FADE],
      ...["-c:v", "libvpx-vp9", "-cpu-used", "8", "-c:a", "libopus"],
    ],
    size: "64,48",
  },
};

for (const [name, { args, size, codecs = "vp9" }] of Object.entries(PLAYED)) {
  Deno.test(`the pages of server and client play the transparency of ${name}`, async () => {
    await media.make(name, args);
    await using server = await addressServer(media.path);
    await using page = await testPage(server);
    const path = `/api/play?name=${encodeURIComponent(name)}&can=vp9,vp9-alpha,opus&start=0.12`;
    for (const url of [urlOf(server, path), new URL(path, page.address).href]) {
      const play = await fetch(url);
      assertEquals(play.headers.get("content-type"), `video/webm; codecs="${codecs}"`);
      const played = await results.write(`${name}.webm`, await play.bytes());
      assertFades(await alphaOf(played, "libvpx-vp9"), url);
      assertEquals((await videoFields(played, ["width", "height"])).join(), size);
    }
  });
}

Deno.test("the page plays transparent media as H.264 if FFmpeg has no encoder for it", async () => {
  const [{ name, args }] = FILES;
  await media.make(name, args);
  using _lacking = await standIn(
    "ffmpeg",
    `case "$*" in *-encoders*) "$REAL" "$@" | grep -v libvpx;; *) exec "$REAL" "$@";; esac`,
  );
  await using server = await addressServer(media.path);
  const play = await fetch(urlOf(server, `/api/play?name=${name}&can=vp9-alpha,opus`));
  assertEquals(play.headers.get("content-type"), 'video/mp4; codecs="avc1.64000a"');
  await play.bytes();
});

testWith("chromium")(
  "the page shows through transparent pictures what is behind them",
  async () => {
    const [{ name, args }] = FILES;
    await media.make(name, args);
    await using site = await pageSite(media.path);
    const tab = await site.open(`#/play/${name}`);
    const alpha = `(() => {
      const context = new OffscreenCanvas(64, 48).getContext("2d");
      context.drawImage(${VIDEO}, 0, 0);
      const { data } = context.getImageData(0, 24, 64, 1);
      return globalThis.alpha = [data[4 * 8 + 3], data[4 * 56 + 3]];
    })()`;
    // A video that is ready may have nothing to draw for a moment yet.
    await tab.until(`${VIDEO}?.readyState >= 2 && ${alpha}.some(Boolean)`);
    assertFades(await tab.evaluate<number[]>("globalThis.alpha"), "video element");
    assertNoFaults(tab, site);
  },
);
