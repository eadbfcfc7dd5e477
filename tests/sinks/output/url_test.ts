import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { UrlSink } from "../../../lib/sinks/output/url.ts";
import { mediaFolder, pictures, run, tone } from "../../support/media/media_folder.ts";
import { GREY } from "../../support/peers/scripted_server.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { freePort, installedDialect } from "../../support/programs/machine.ts";
import { isMediaServerThere, MediaServer } from "../../support/programs/nginx.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";
import { Output, startProgram } from "../../support/programs/running_program.ts";
import { PATIENCE } from "../../support/time/patience.ts";
import { linuxTest, testIf } from "../../support/test_if.ts";

const media = mediaFolder();
const test = testIf(await isMediaServerThere(), "no nginx with its RTMP module");

/** Odd, and with colours that few players know. */
const RAW = [...pictures({ size: "65x47", seconds: 3 }), ...tone({ seconds: 3 })];
const SOURCES: Record<string, string[]> = {
  "odd.mkv": [...RAW, "-c:v", "ffv1", "-pix_fmt", "yuv444p", "-c:a", "flac"],
  "clip.mp4": [
    ...[...pictures({ seconds: 3 }), ...tone({ seconds: 3 })],
    ...["-c:v", "libx264", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac"],
  ],
};

function source(name: string): Promise<string> {
  return media.make(name, SOURCES[name]);
}

/** Codecs, and sizes of pictures, in a file or at an address. */
async function streamsOf(address: string): Promise<string[]> {
  const entries = "stream=codec_name,width,height,pix_fmt";
  const args = ["-show_entries", entries, "-of", "json", address];
  const { streams } = JSON.parse(new TextDecoder().decode(await run("ffprobe", args)));
  return streams.map((found: Record<string, unknown>) =>
    [found.codec_name, found.width, found.height, found.pix_fmt].filter(Boolean).join(" ")
  );
}

for (
  const [name, encoding, expected] of [
    ["odd.mkv", "raw", ["h264 66 48 yuv420p", "aac"]],
    ["odd.mkv", "mjpeg", ["h264 66 48 yuv420p", "aac"]],
    ["clip.mp4", "copy", ["h264 64 48 yuv420p", "aac"]],
    ["clip.mp4", "h264", ["h264 64 48 yuv420p", "aac"]],
  ] as const
) {
  test(`UrlSink sends to nginx, which publishes ${name} as HLS (${encoding})`, async () => {
    await source(name);
    await using server = await testServer({ media: media.path });
    await using nginx = await MediaServer.start();
    const url = `${nginx.rtmp}/show?token=hidden`;
    const args = ["--video", name, "--encoding", encoding, "--output", url];
    const { status, stderr } = await runInside([...args, ...at(server)]);
    assertEquals(status, 0, stderr);
    assertMatch(stderr, /^Received [^\n]+; wrote to "rtmp:[^"]+\/live\/show\?\*\*\*"\n$/);
    // The order is that in which nginx found them.
    const found = await streamsOf(await nginx.published("show"));
    assertEquals(new Set(found), new Set(expected));
  });
}

test("UrlSink sends live media until Ctrl-C, and ends cleanly", async () => {
  const sources = [{
    ...{ name: "cam", kind: "generator" as const, format: "lavfi" },
    input: "testsrc2=size=64x48:rate=25",
  }];
  await using server = await testServer({ media: media.path, live: { sources } });
  await using nginx = await MediaServer.start();
  const args = ["--video", "cam", "--output", `${nginx.rtmp}/cam`, ...at(server)];
  await using client = startProgram("client", args);
  // nginx lists audio, whether there is any or not.
  const [picture] = await streamsOf(await nginx.published("cam"));
  assertEquals(picture, "h264 64 48 yuv420p");
  client.kill("SIGINT");
  const { code, stderr } = await client.ending();
  assertEquals(code, 130, stderr);
  assertMatch(stderr, /^Stopped after [^\n]+; wrote to "rtmp:[^"]+\/live\/cam"\n$/);
});

test("UrlSink fails with one line when the media server is gone", async () => {
  await source("clip.mp4");
  await using server = await testServer({ media: media.path });
  const nginx = await MediaServer.start();
  const url = `${nginx.rtmp}/gone?key=hidden`;
  const args = ["--video", "clip.mp4", "--loop", "--output", url, ...at(server)];
  await using client = startProgram("client", args);
  await nginx.published("gone");
  await nginx[Symbol.asyncDispose]();
  const { code, stderr } = await client.ending();
  assertEquals(code, 1);
  assertMatch(stderr, /^Cannot write to "rtmp:[^"]+\/gone\?\*\*\*": [^\n]+\n$/);
});

/** FFmpeg as a listener: records what it receives, with the arguments for its input. */
class Listener implements AsyncDisposable {
  readonly path: string;
  #child: Deno.ChildProcess;
  #said: Output;

  constructor(name: string, input: readonly string[]) {
    this.path = media.pathOf(name);
    this.#child = new Deno.Command("ffmpeg", {
      args: [
        ...["-v", "verbose", "-y", ...input],
        ...["-t", "1.5", "-c", "copy", "-f", "nut", `file:${this.path}`],
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#said = new Output(this.#child.stderr);
  }

  /** Waits until it has recorded enough. */
  async done(): Promise<void> {
    const { code } = await this.#child.status;
    await this.#said.ended;
    if (code !== 0) throw new Error(`Cannot listen: ${this.#said.text}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch (error) {
      // It has ended by itself.
      if (!(error instanceof TypeError)) throw error;
    }
    await this.#child.status;
    await this.#said.ended;
  }
}

/** Waits until a port is listened on, by the system's list of sockets. */
async function untilListening(port: number, protocol: "tcp" | "udp"): Promise<void> {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const limit = AbortSignal.timeout(PATIENCE);
  while (!limit.aborted) {
    const sockets = await Deno.readTextFile(`/proc/net/${protocol}`);
    if (sockets.includes(`:${hex} `)) return;
  }
  throw new Error(`Cannot see anybody on ${protocol} port ${port}`);
}

/** Protocols: the address, what FFmpeg listens with, and what it has open then. */
const PROTOCOLS: Record<string, [string, string[], "tcp" | "udp"]> = {
  "srt": ["srt://127.0.0.1:PORT", ["-i", "srt://127.0.0.1:PORT?mode=listener"], "udp"],
  "udp": ["udp://127.0.0.1:PORT", ["-i", "udp://127.0.0.1:PORT?timeout=120000000"], "udp"],
  "tcp": ["tcp://127.0.0.1:PORT", ["-i", "tcp://127.0.0.1:PORT?listen"], "tcp"],
  "rtsp": [
    "rtsp://127.0.0.1:PORT/show",
    // FFmpeg 9.0 refuses its own default for how long to listen.
    ["-rtsp_flags", "listen", "-listen_timeout", "120", "-i", "rtsp://127.0.0.1:PORT/show"],
    "tcp",
  ],
  "http": [
    "http://127.0.0.1:PORT/show.ts",
    ["-listen", "1", "-i", "http://127.0.0.1:PORT/show.ts"],
    "tcp",
  ],
};

for (const [name, [address, input, transport]] of Object.entries(PROTOCOLS)) {
  linuxTest(`UrlSink sends to a listener by ${name}`, async () => {
    await source("odd.mkv");
    await using server = await testServer({ media: media.path });
    const port = freePort();
    const here = (text: string) => text.replace("PORT", String(port));
    await using listener = new Listener(`${name}.nut`, input.map(here));
    await untilListening(port, transport);
    // It runs until the listener has enough.
    const args = ["--video", "odd.mkv", "--loop", "--output", here(address), ...at(server)];
    await using client = startProgram("client", args);
    await listener.done();
    client.kill("SIGINT");
    // It may have noticed already that the listener is gone.
    assertMatch(`${(await client.ending()).code}`, /^(130|1)$/);
    assertEquals((await streamsOf(listener.path)).sort(), ["aac", "h264 66 48 yuv420p"]);
  });
}

Deno.test("UrlSink reports that nobody listens, without secrets", async () => {
  await source("clip.mp4");
  await using server = await testServer({ media: media.path });
  const port = freePort();
  for (
    const [url, shown] of [
      [
        `rtmp://me:secret@127.0.0.1:${port}/live/x?key=hidden`,
        "rtmp://me:***@127.0.0.1:PORT/live/x?***",
      ],
      [`rtsp://me:secret@127.0.0.1:${port}/x`, "rtsp://me:***@127.0.0.1:PORT/x"],
      [`tcp://127.0.0.1:${port}`, "tcp://127.0.0.1:PORT"],
      [
        `http://me:secret@127.0.0.1:${port}/x.ts?token=hidden`,
        "http://me:***@127.0.0.1:PORT/x.ts?***",
      ],
    ]
  ) {
    const args = ["--video", "clip.mp4", "--output", url, ...at(server)];
    const { status, stderr } = await runInside(args);
    assertEquals([status, stderr], [
      1,
      `Cannot write to "${
        shown.replace("PORT", `${port}`)
      }": Connection refused, expected a server ` +
      "that listens there\n",
    ]);
  }
});

Deno.test("UrlSink gives up on a silent server", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `rtsp://127.0.0.1:${(listener.addr as Deno.NetAddr).port}/x`;
  await using sink = new UrlSink(url, { patience: 500, dialect: installedDialect });
  await sink.begin({
    ...{ name: "grey", live: false, streams: [GREY], still: false, encoding: "raw" },
    ...{ speed: 1, lead: 0, firstPicture: 0 },
  });
  const frame = { streamId: 0, keyframe: true, data: new Uint8Array(256) };
  await sink.show({ ...frame, timestamp: 0 });
  await assertRejects(
    () => sink.finish(true),
    Error,
    `Cannot write to "${url}": nothing was taken for 0.5 s, expected a server that takes it`,
  );
});
