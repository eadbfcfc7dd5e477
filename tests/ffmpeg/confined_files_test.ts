/** What lies outside the folder stays there, whatever names, links and media say. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { startPlayback } from "../../lib/server/playback/play_file.ts";
import { Library } from "../../lib/sources/file/library.ts";
import { mediaFolder, pictures, tone } from "../support/media/media_folder.ts";
import { ask, type NativeResponse } from "../support/peers/native_client.ts";
import { type TestServer, testServer } from "../support/peers/test_server.ts";
import { mediaChildren } from "../support/programs/machine.ts";

const media = mediaFolder();
const ON_LINUX = { ignore: Deno.build.os !== "linux" };

function plain(color: string): string[] {
  return ["-f", "lavfi", "-i", `color=${color}:size=16x16:d=0.04`, "-frames:v", "1"];
}

/** A folder with a blue picture, and beside it another one with a red one, which is secret. */
async function folders(name: string): Promise<{ served: string; secret: string }> {
  await media.make("made/blue.png", [...plain("blue"), "-pix_fmt", "rgb24"]);
  await media.make("made/red.png", [...plain("red"), "-pix_fmt", "rgb24"]);
  const served = await media.folder(name);
  const outside = await media.folder(`${name} outside`);
  await Deno.copyFile(media.pathOf("made/blue.png"), `${served}/blue.png`);
  await Deno.copyFile(media.pathOf("made/red.png"), `${outside}/secret.png`);
  return { served, secret: `${outside}/secret.png` };
}

/** Asks for a picture; gives the answer, and the red and the blue of its first pixel. */
async function look(
  server: TestServer,
  name: string,
): Promise<NativeResponse & { color?: string }> {
  let color: string | undefined;
  const onFrame = ({ data }: { data: Uint8Array }) => {
    color = data[0] > 200 && data[2] < 50 ? "red" : data[0] < 50 && data[2] > 200 ? "blue" : "?";
  };
  const response = await ask(server, { command: "get_image", name }, { onFrame });
  return { ...response, color };
}

/** Somebody whom nothing is to call: whether anybody did. */
class Canary implements AsyncDisposable {
  calls = 0;
  #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  #heard = this.#listen();

  get address(): string {
    return `127.0.0.1:${this.#listener.addr.port}`;
  }

  async #listen(): Promise<void> {
    for await (const caller of this.#listener) {
      this.calls++;
      caller.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#heard;
  }
}

Deno.test("no name leads out of the folder", async () => {
  const { served, secret } = await folders("names");
  await Deno.mkdir(`${served}/sub`);
  await using server = await testServer({ media: served });
  const up = "names outside/secret.png";
  const names = [
    ...[`../${up}`, `sub/../../${up}`, `./../${up}`, `..\\${up}`, secret, `/${secret}`],
    ...[`file:${secret}`, `file://${secret}`, `FILE:${secret}`, "/etc/passwd", "C:\\secret.png"],
    ...["c:/secret.png", "\\\\host\\share\\secret.png", "//host/share/secret.png"],
    ...[`..%2f${up}`, `%2e%2e%2f${up}`, `%252e%252e%252f${up}`, `..%c0%af${up}`],
    ...[`．．/${up}`, `..／${up}`, `․․/${up}`, `..∕${up}`, `..⧸${up}`, `．．／${up}`],
    ...[
      `blue.png\0../${up}`,
      `../${up}\0`,
      "blue.png.",
      "blue.png ",
      " blue.png",
      "blue.png::$DATA",
    ],
    ...[`concat:${secret}|${secret}`, `subfile,,start,0,end,0,,:${secret}`, `crypto:${secret}`],
    ...["data:image/png;base64,iVBORw0KGgo=", "pipe:0", "fd:3", "/proc/self/fd/3", "/dev/stdin"],
    ...[`-i ${secret}`, "-version", "~/secret.png", "$(id)", "`id`", "; id", "x".repeat(5000)],
    ...["../".repeat(17) + "etc/passwd", "blue.png/", "blue.png/../blue.png", "BLUE.PNG", "*", "?"],
  ];
  for (const name of names) {
    const { error, frames } = await look(server, name);
    const expected = name.includes("\0") || name.length > 4096 ? "bad_request" : "not_found";
    assertEquals([error?.code, frames.length], [expected, 0], JSON.stringify(name));
    assert(!error?.message.replaceAll(name, "").includes(media.path), error?.message);
  }
  assertEquals((await look(server, "blue.png")).color, "blue");
});

Deno.test("files are served by the very name they have", async (t) => {
  const { served } = await folders("called");
  const names = [
    ...["concat:a|b.png", "subfile,,start,0,end,0,,:x.png", "data:,x.png", "pipe:0.png"],
    ...["file:x.png", "-i.png", "-version", "%05d.png", "C:\\x.png", "\\\\host\\share.png"],
    ...["%2e%2e%2fx.png", "．．／x.png", "a\\..\\x.png", "a... .png", "ends with a dot.", "x.png "],
    ...["e\u0301 apart.png", "\u00e9 in one.png", "\u202egnp.x", "tab\tand\x1b[31m.png", "\n.png"],
  ];
  for (const name of names) await Deno.copyFile(`${served}/blue.png`, `${served}/${name}`);
  await using server = await testServer({ media: served });
  const list = await ask(server, { command: "list_media" });
  const listed = list.list?.map(({ name }) => name);
  assertEquals(new Set(listed), new Set([...names, "blue.png"]));
  for (const name of names) {
    await t.step(JSON.stringify(name), async () => {
      const { color, description } = await look(server, name);
      assertEquals([color, description?.name], ["blue", name]);
    });
  }
  // The same to the eye, and another name.
  assertEquals((await look(server, "\u00e9 apart.png")).error?.code, "not_found");
});

Deno.test("no link leads out of the folder", async () => {
  const { served, secret } = await folders("linked");
  const outside = `${served} outside`;
  await Deno.symlink(secret, `${served}/file.png`);
  await Deno.symlink("../linked outside/secret.png", `${served}/relative.png`);
  await Deno.symlink("file.png", `${served}/chain.png`);
  await Deno.symlink(outside, `${served}/folder`);
  await Deno.symlink("folder", `${served}/chain`);
  await Deno.symlink("/proc/self/root", `${served}/root`);
  await using server = await testServer({ media: served });
  const names = ["file.png", "relative.png", "chain.png", "folder/secret.png", "chain/secret.png"];
  for (const name of [...names, `root${secret}`]) {
    assertEquals((await look(server, name)).error?.code, "not_found", name);
  }
  const { list } = await ask(server, { command: "list_media" });
  assertEquals(list?.map(({ name }) => name), ["blue.png"]);
});

/** What swaps a picture, and a folder with one, with links to outside, as fast as it can. */
const SWAPPER = `
while :; do
  ln -s "$2" "$1/new link" && mv -fT "$1/new link" "$1/x.png"
  mv -T "$1/sub" "$1/aside" && ln -s "\${2%/*}" "$1/sub"
  ln "$1/blue.png" "$1/new file" && mv -fT "$1/new file" "$1/x.png"
  rm "$1/sub" && mv -T "$1/aside" "$1/sub"
done`;

Deno.test("links that are swapped in while the server serves lead nowhere", ON_LINUX, async () => {
  const { served, secret } = await folders("swapped");
  await Deno.mkdir(`${served}/sub`);
  await Deno.copyFile(`${served}/blue.png`, `${served}/sub/secret.png`);
  await using server = await testServer({ media: served });
  const swapper = new Deno.Command("sh", {
    args: ["-c", SWAPPER, "sh", served, secret],
    stdout: "null",
    stderr: "null",
  }).spawn();
  const seen = new Map<string | undefined, number>();
  try {
    for (let round = 0; round < 20; round++) {
      for (const name of ["x.png", "sub/secret.png"]) {
        const { color, error } = await look(server, name);
        const what = color ?? error?.code;
        seen.set(what, (seen.get(what) ?? 0) + 1);
      }
    }
  } finally {
    swapper.kill("SIGKILL");
    await swapper.status;
  }
  assertEquals(seen.get("red"), undefined, JSON.stringify([...seen]));
  // How many of them find a picture at rest is up to the machine.
  assertEquals((await look(server, "blue.png")).color, "blue");
});

Deno.test(
  "a link that takes a file's place after it was found leads nowhere",
  ON_LINUX,
  async () => {
    const { served, secret } = await folders("late");
    await Deno.mkdir(`${served}/sub`);
    await Deno.copyFile(`${served}/blue.png`, `${served}/sub/secret.png`);
    const library = new Library(served);
    const signal = new AbortController().signal;
    const play = async (file: Awaited<ReturnType<Library["find"]>>) => {
      await using _source = await startPlayback(file, {}, { signal });
      return "played";
    };
    const files = [await library.find("blue.png"), await library.find("sub/secret.png")];
    for (const file of files) assertEquals(await play(file), "played");
    await Deno.remove(`${served}/blue.png`);
    await Deno.symlink(secret, `${served}/blue.png`);
    await Deno.rename(`${served}/sub`, `${served}/aside`);
    await Deno.symlink(`${served} outside`, `${served}/sub`);
    for (const file of files) {
      const message = await play(file).catch(String);
      assertStringIncludes(message, `Cannot decode "${file.name}": `);
      assertStringIncludes(message, "it has left the folder");
    }
  },
);

Deno.test("media make the server open nothing besides", async (t) => {
  const { served, secret } = await folders("referring");
  await using canary = new Canary();
  const http = `http://${canary.address}/a`;
  const movie = await media.make("made/dref.mov", [...pictures({ seconds: 0.1 }), "-c:v", "mpeg4"]);
  for (const [what, target] of [["http", http], ["file", `file://${secret}`]]) {
    const list = `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n${target}\n#EXT-X-ENDLIST\n`;
    const concat = `ffconcat version 1.0\nfile '${target}'\n`;
    const dash = `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">` +
      `<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1">` +
      `<BaseURL>${target}</BaseURL></Representation></AdaptationSet></Period></MPD>`;
    const drawing = `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" ` +
      `xmlns:xlink="http://www.w3.org/1999/xlink"><image width="16" height="16" ` +
      `href="${target}" xlink:href="${target}"/></svg>`;
    const entity = `<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "${target}">]>` +
      `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16"><text>&x;</text></svg>`;
    const contents: Record<string, string | Uint8Array> = {
      ...{ "list.m3u8": list, "list.mp4": list, "list.ts": list, "list.png": list },
      ...{ "scripted.ffconcat": concat, "script.mkv": concat, "script.jpg": concat },
      ...{ "dash.mpd": dash, "dash.mp4": dash, "drawing.svg": drawing, "entity.svg": entity },
      "old list.m3u": `#EXTM3U\n${target}\n`,
      "described.sdp": `v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nt=0 0\n` +
        `m=video ${canary.address.split(":")[1]} RTP/AVP 96\na=rtpmap:96 H264/90000\n`,
      "redirect.asx": `<asx version="3.0"><entry><ref href="${target}"/></entry></asx>`,
      "redirect.wmv": `[Reference]\nRef1=${target}\n`,
      "redirect.rm": `${target}\n`,
      "played.smil": `<smil><body><video src="${target}"/></body></smil>`,
      "tracks.cue": `FILE "${target}" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n`,
      "script.avs": `DirectShowSource("${target}")\n`,
      "words.idx": `# VobSub index file, v7 (do not modify this line!)\nfile: ${target}\n`,
      "elsewhere.mov": await referring(movie, target),
    };
    for (const [name, content] of Object.entries(contents)) {
      if (what === "file" && !/^list\.mp4|^script\.|^dash\.mp4|\.svg$|\.mov$/.test(name)) continue;
      await media.write(`referring/${what} ${name}`, content);
    }
  }
  await using server = await testServer({ media: served });
  for await (const { name } of Deno.readDir(served)) {
    if (name === "blue.png") continue;
    await t.step(name, async () => {
      const { color, error } = await look(server, name);
      // A drawing may be drawn, without what it refers to.
      if (error === undefined) assert(name.endsWith(".svg") && color === "?", `${color}`);
      else assertEquals(error.code, "media_error");
      assert(!error?.message.includes(served), error?.message);
      assertEquals(canary.calls, 0);
    });
  }
});

/** A movie whose pictures lie in another file: by an alias (QuickTime File Format, "dref"). */
async function referring(path: string, target: string): Promise<Uint8Array> {
  const movie = await Deno.readFile(path);
  const record = new Uint8Array(150 + 4 + target.length + 4 + target.length % 2);
  const view = new DataView(record.buffer);
  view.setUint32(0, record.length);
  record.set(new TextEncoder().encode("alis"), 4);
  // Levels of folders up and down to it, and one part of the record: a path of its own.
  [[130, 1], [132, 1], [150, 2], [152, target.length]].forEach(([at, n]) => view.setUint16(at, n));
  record.set(new TextEncoder().encode(target), 154);
  view.setUint16(record.length - 4, 0xffff);
  return withReference(movie, record);
}

/** Puts a data reference in the place of a movie's own; the boxes around it grow with it. */
function withReference(movie: Uint8Array, entry: Uint8Array): Uint8Array {
  const text = new TextDecoder("latin1").decode(movie);
  const view = new DataView(movie.buffer);
  const dref = text.indexOf("dref", text.lastIndexOf("moov"));
  const [start, size] = [dref + 12, view.getUint32(dref + 12)];
  let at = dref;
  for (const name of ["dref", "dinf", "minf", "mdia", "trak", "moov"]) {
    at = text.lastIndexOf(name, at);
    view.setUint32(at - 4, view.getUint32(at - 4) + entry.length - size);
  }
  return Uint8Array.from([...movie.subarray(0, start), ...entry, ...movie.subarray(start + size)]);
}

Deno.test("what is broken or odd is refused, and nothing waits for it", ON_LINUX, async (t) => {
  const { served } = await folders("odd");
  const movie = await media.make("made/movie.mp4", [...pictures(), "-c:v", "mpeg4"]);
  const bytes = await Deno.readFile(movie);
  await media.write("odd/cut.mp4", bytes.subarray(0, bytes.length / 2));
  await media.write("odd/empty.mp4", "");
  await media.write("odd/magic.png", new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10, 1, 2, 3]));
  await media.write("odd/magic.mkv", new Uint8Array([0x1a, 0x45, 0xdf, 0xa3, 0xff, 0xff]));
  const png = await Deno.readFile(`${served}/blue.png`);
  new DataView(png.buffer).setUint32(16, 0x7fffffff);
  new DataView(png.buffer).setUint32(20, 0x7fffffff);
  await media.write("odd/vast.png", png);
  // A box that says it has 2^62 bytes.
  const box = new Uint8Array(16 + bytes.length);
  box.set([0, 0, 0, 1, 0x6d, 0x64, 0x61, 0x74, 0x40]);
  box.set(bytes, 16);
  await media.write("odd/vast.mp4", box);
  await Deno.mkdir(`${served}/folder.mp4`);
  await new Deno.Command("mkfifo", { args: [`${served}/pipe.mp4`] }).output();
  using _listener = Deno.listen({ transport: "unix", path: `${served}/socket.mp4` });
  await Deno.symlink("/dev/zero", `${served}/zero.png`);
  await using server = await testServer({ media: served });
  const codes = {
    ...{ "cut.mp4": "media_error", "empty.mp4": "media_error", "magic.png": "media_error" },
    ...{ "magic.mkv": "media_error", "vast.png": "media_error", "vast.mp4": "media_error" },
    ...{ "folder.mp4": "not_found", "pipe.mp4": "not_found", "socket.mp4": "not_found" },
    "zero.png": "not_found",
  };
  for (const [name, code] of Object.entries(codes)) {
    await t.step(name, async () => {
      const { error } = await look(server, name);
      assertEquals(error?.code, code, error?.message);
    });
  }
  assertEquals((await ask(server, { command: "list_media" })).list?.length, 1);
  assertEquals((await look(server, "blue.png")).color, "blue");
});

Deno.test("what needs too much memory ends with the reason", ON_LINUX, async () => {
  const { served } = await folders("hungry");
  const file = { ...await new Library(served).find("blue.png"), maxMemory: 200_000_000 };
  const signal = new AbortController().signal;
  // As a file could have it that claims to be small.
  const play = async (side: number) => {
    const options = { still: true, width: side, height: side, pixelFormat: "rgba64le" };
    await using source = await startPlayback(file, options, { signal });
    for await (const { data } of source.frames()) return data.length;
  };
  assertEquals(await play(100), 80_000);
  assertEquals(
    await play(5000).catch(({ code, message }) => `${code}: ${message}`),
    'media_error: Cannot decode "blue.png": FFmpeg needs more memory for it than it may take, ' +
      "0.2 GB at the most; a higher --max-pixels on the server allows more",
  );
  assertEquals(await mediaChildren(), []);
});

Deno.test("FFmpeg gets limits, a lower priority, and no input", ON_LINUX, async () => {
  const { served } = await folders("limited");
  await media.make("limited/long.mkv", [
    ...pictures({ size: "320x240", seconds: 20 }),
    ...[...tone({ seconds: 20 }), "-c:v", "mpeg4", "-c:a", "flac"],
  ]);
  await using server = await testServer({ media: served, maxPixels: 320 * 240 });
  let told: { limits: string; nice: string; input: string; opened: string }[] | undefined;
  const onFrame = ({ streamId }: { streamId: number }) => {
    if (told !== undefined || streamId === 0) return;
    told = procOf().map((pid) => ({
      limits: Deno.readTextFileSync(`/proc/${pid}/limits`).match(/Max data size +(\d+)/)?.[1] ?? "",
      nice: Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ")[1].split(" ")[16],
      input: Deno.readLinkSync(`/proc/${pid}/fd/0`),
      opened: Deno.readLinkSync(`/proc/${pid}/fd/3`),
    }));
  };
  // Longer than what pipes and sockets hold, so that FFmpeg is not over by the first sound.
  const { error } = await ask(server, { command: "get_video", name: "long.mkv" }, { onFrame });
  assertEquals(error, undefined);
  const limit = `${2 * 2 ** 30 + 48 * 320 * 240}`;
  const expected = { limits: limit, nice: "5", input: "/dev/null", opened: `${served}/long.mkv` };
  assertEquals(told, [expected, expected]);
  assertEquals(await mediaChildren(), []);
});

/** FFmpegs of this process. */
function procOf(): string[] {
  const task = `/proc/${Deno.pid}/task`;
  return Array.from(Deno.readDirSync(task), ({ name }) => {
    const children = Deno.readTextFileSync(`${task}/${name}/children`);
    return children.split(" ").filter((pid) => pid !== "");
  }).flat();
}
