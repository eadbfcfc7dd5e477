import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import type { Control, MediaRequest, ResumePoint } from "../../../lib/protocol/native/request.ts";
import { mediaEtag } from "../../../lib/sources/file/file_state.ts";
import { Library } from "../../../lib/sources/file/library.ts";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";
import { immediate, play } from "../../support/media/played_file.ts";
import { askWhole, comparable, pointsOf } from "../../support/peers/cut_responses.ts";
import { watch, watchLive } from "../../support/peers/native_client.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { mediaChildren } from "../../support/programs/machine.ts";

const media = mediaFolder();

/** H.264 with B-frames, a keyframe every 8 frames. */
const H264 = [
  ...["-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "8", "-sc_threshold", "0"],
  ...["-pix_fmt", "yuv420p"],
];

/** Makes a file; those with video have audio that is longer or shorter. */
function make(name: string): Promise<string> {
  const sound = tone({ seconds: name.startsWith("short") ? 0.5 : 1.3, layout: "mono" });
  if (name === "tone.ogg") return media.make(name, [...sound, "-c:a", "libvorbis"]);
  if (name === "tone.wav") return media.make(name, sound);
  if (name === "image.png") return media.make(name, [...pictures(), "-frames:v", "1"]);
  const uneven = name === "shorter_sound.mkv"
    ? ["-vf", "setpts=PTS+mod(N\\,3)*0.004/TB", "-fps_mode", "passthrough"]
    : [];
  return media.make(name, [
    ...[...pictures({ seconds: 1 }), ...sound, "-map", "0", "-map", "1", ...H264, ...uneven],
  ]);
}

type Request = Omit<MediaRequest, "command"> & Partial<MediaRequest>;

/** Cuts a response behind these frames, and checks the frames that follow. */
async function checkCuts(request: Request, cuts: (count: number) => number[]) {
  await make(request.name!);
  await using server = await testServer({ media: media.path });
  const whole = await askWhole(server, request);
  const { streams } = whole.description;
  for (const cut of new Set(cuts(whole.frames.length))) {
    const resume = pointsOf(whole.frames.slice(0, cut), streams);
    const { description, frames, end } = await askWhole(server, { ...request, resume });
    const said = `behind ${cut} of ${whole.frames.length}: ${JSON.stringify(resume)}`;
    assertEquals(description, whole.description);
    const expected = comparable(whole.frames.slice(cut), streams);
    assertEquals(comparable(frames, streams), expected, said);
    assertEquals([end.reason, end.warning], ["end", undefined]);
    // The totals are of this connection alone.
    const totals = streams.map(({ id }) => {
      const own = frames.filter(({ streamId }) => streamId === id);
      return { id, frames: own.length, bytes: own.reduce((sum, { size }) => sum + size, 0) };
    });
    assertEquals(end.streams, totals);
  }
}

/** The first frame, the middle of a group of pictures, the last frames, and behind the last. */
const SPREAD = (count: number) => [1, Math.floor(count / 2), count - 2, count];

const FILES = {
  raw: ["longer_sound.mp4", "shorter_sound.mkv", "longer_sound.ts"],
  copy: ["longer_sound.mp4", "shorter_sound.mkv", "longer_sound.ts"],
  h264: ["longer_sound.mp4"],
  mjpeg: ["shorter_sound.mkv"],
};

for (const encoding of ["raw", "copy", "h264", "mjpeg"] as const) {
  for (const name of FILES[encoding]) {
    Deno.test(`a response that is cut goes on as if it were not: ${encoding} of ${name}`, async () => {
      await checkCuts({ name, encoding }, SPREAD);
    });
  }
  Deno.test(`a part that is cut goes on as if it were not: ${encoding}`, async () => {
    const part = { start: 0.37, duration: 0.51 };
    await checkCuts({ name: "longer_sound.mp4", encoding, ...part }, (count) => [2, count - 3]);
  });
}

for (const name of ["tone.wav", "tone.ogg"]) {
  for (const encoding of ["raw", "copy"] as const) {
    Deno.test(`audio alone that is cut goes on as if it were not: ${encoding} of ${name}`, async () => {
      await checkCuts({ name, encoding }, (count) => [1, Math.floor(count / 2), count]);
    });
  }
}

Deno.test("a series of images that is cut goes on as if it were not", async () => {
  const series = { command: "get_image", name: "longer_sound.mp4", every: 0.17 } as const;
  await checkCuts({ ...series, start: 0.2 }, (count) => [1, 3, count]);
});

Deno.test("an image that came is not sent again", async () => {
  await checkCuts({ command: "get_image", name: "image.png" }, () => [1]);
});

Deno.test("PCM goes on at the next sample", async () => {
  await make("tone.wav");
  await using server = await testServer({ media: media.path });
  const whole = await askWhole(server, { name: "tone.wav" });
  const all = whole.frames.flatMap(({ data }) => [...data!]);
  for (const next of [1, 1023, 20_001, 62_399]) {
    const resume = [{ id: whole.description.streams[0].id, next }];
    const { frames } = await askWhole(server, { name: "tone.wav", resume });
    assertEquals(frames[0].timestamp, next);
    assertEquals(frames.flatMap(({ data }) => [...data!]), all.slice(2 * next));
  }
});

Deno.test("streams without a point begin at their beginning", async () => {
  await make("longer_sound.mp4");
  await using server = await testServer({ media: media.path });
  const whole = await askWhole(server, { name: "longer_sound.mp4" });
  const [picture, sound] = whole.description.streams;
  const pictures = whole.frames.filter(({ streamId }) => streamId === picture.id);
  const resume = [{ id: picture.id, after: pictures[9].timestamp }];
  const { frames } = await askWhole(server, { name: "longer_sound.mp4", resume });
  const [restOfPictures, allSound] = comparable(frames, [picture, sound]);
  assertEquals(restOfPictures, comparable(pictures.slice(10), [picture])[0]);
  assertEquals(allSound, comparable(whole.frames, [sound])[0]);
});

Deno.test("a point that is not in the media is refused", async () => {
  await make("longer_sound.mp4");
  await make("tone.wav");
  await using server = await testServer({ media: media.path });
  const refusals: [Request, ResumePoint[], string, string][] = [
    [{}, [{ id: 0, after: 1 }], "media_error", "the last frame that came is not in it"],
    [{}, [{ id: 0, after: -512 }], "media_error", "the last frame that came is not in it"],
    [{}, [{ id: 0, after: 1e9 }], "media_error", "the last frame that came is not in it"],
    [{}, [{ id: 1, next: 1e9 }], "media_error", "the last frame that came is not in it"],
    [{ encoding: "copy" }, [{ id: 1, after: 7 }], "media_error", "is not in it"],
    [{ name: "tone.wav" }, [{ id: 1, next: 62_401 }], "media_error", "is not in it"],
    // A loop has no end by which a point would be missed.
    [{ loop: true }, [{ id: 0, after: 1 }], "media_error", "is not in it"],
    [{ loop: true, audio: false }, [{ id: 0, after: 1e12 + 1 }], "media_error", "is not in it"],
    [{}, [{ id: 0, after: 2 ** 53 - 1 }], "bad_request", "expected at most 1000000000 s"],
    [{ loop: true }, [{ id: 1, next: 2 ** 53 - 1 }], "bad_request", "expected at most"],
    [{}, [{ id: 0, after: 1 - 2 ** 53 }], "bad_request", "expected at most"],
    [{}, [{ id: 7, after: 1 }], "bad_request", "no stream 7, expected one of 0 and 1"],
    [{ audio: false }, [{ id: 1, next: 1 }], "bad_request", "no stream 1, expected one of 0"],
    [{}, [{ id: 0, next: 1 }], "bad_request", "expected after"],
  ];
  for (const [request, resume, code, reason] of refusals) {
    const asked = { name: "longer_sound.mp4", ...request, resume };
    const error = await assertRejects(() => askWhole(server, asked), RequestError, reason);
    assertStrictEquals(error.code, code, error.message);
  }
  assertEquals(await mediaChildren(), []);
});

Deno.test("the etag is that of the frames, also if the file changes in the queue", async () => {
  const [one, other] = [await make("longer_sound.mp4"), await make("shorter_sound.mp4")];
  const path = media.pathOf("changing.mp4");
  const etagAfter = async (change: () => Promise<void>) => {
    await Deno.copyFile(one, path);
    await using server = await testServer({ media: media.path, maxDecoders: 1 });
    using first = await watch(server, { name: "longer_sound.mp4", speed: 0.02 });
    using waiting = await watchLive(server, { name: "changing.mp4", audio: false });
    await waiting.notice("waiting");
    await change();
    await first.control("stop");
    return (await waiting.until("describe")).description.etag;
  };
  assertEquals(await etagAfter(() => Promise.resolve()), await mediaEtag(one));
  const overwrite = () => Deno.copyFile(other, path);
  assertEquals(await etagAfter(overwrite), await mediaEtag(other));
  const replace = async () => {
    await Deno.copyFile(other, `${path}.new`);
    await Deno.rename(`${path}.new`, path);
  };
  // Whose frames will come is not known.
  assertEquals(await etagAfter(replace), undefined);
});

Deno.test("a viewer is notified once if the search takes a while", async () => {
  await make("longer_sound.mp4");
  const file = await new Library(media.path).find("longer_sound.mp4");
  const options = { audio: false };
  const { frames, streams } = await play(file, options);
  const resume = pointsOf(frames.slice(0, 20), streams);
  let now = 0;
  const slow = await play(file, options, { resume, now: () => now += 100 });
  assertEquals(slow.notices.map(({ code }) => code), ["resuming"]);
  assertEquals(slow.frames.length, 5);
  const quick = await play(file, options, { resume, now: () => now += 10 });
  assertEquals(quick.notices, []);
});

Deno.test("a stop, or a seek, ends the search", async () => {
  await make("longer_sound.mp4");
  const file = await new Library(media.path).find("longer_sound.mp4");
  const options = { audio: false };
  const { frames, streams } = await play(file, options);
  const resume = pointsOf(frames.slice(0, 20), streams);
  // The clock is read when the search begins.
  const said = (control: Control) => {
    const controls = immediate();
    return { resume, controls, now: () => (controls.take(control), 0) };
  };
  assertEquals((await play(file, options, said({ action: "stop" }))).frames, []);
  const seek = { action: "seek", to: 0.4 };
  let isSaid = false;
  const controls = immediate();
  const now = () => {
    if (!isSaid) controls.take(seek);
    isSaid = true;
    return 0;
  };
  const after = await play(file, options, { resume, controls, now });
  assertEquals(after.frames.map(({ md5 }) => md5), frames.slice(10).map(({ md5 }) => md5));
});
