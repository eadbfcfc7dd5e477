/** The executables: what the source does, they do, with no more rights than they need. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Builder } from "../../tools/build.ts";
import { hostSystem, programsFor } from "../../tools/build_table.ts";
import { mediaFolder, pictures, run, tone } from "../support/media/media_folder.ts";
import { HAS_OPENSSL, makeCertificate } from "../support/programs/certificates.ts";
import { lacking } from "../support/programs/machine.ts";
import {
  assertFailed,
  importFlags,
  pathOf,
  runProgram,
  startProgram,
  startServerProgram,
} from "../support/programs/running_program.ts";
import { PseudoTerminal, PYTHON } from "../support/screens/pseudo_terminal.ts";
import { environmentOn } from "../support/screens/players.ts";
import { XScreen } from "../support/screens/x_screen.ts";
import { PATIENCE } from "../support/time/patience.ts";

const media = mediaFolder();
const missing = lacking("Xvfb", "mpv");

/** The X symbol of a key. */
const Q = 0x71;

/** Builds both programs into a folder. */
async function build(folder: string): Promise<{ server: string; client: string }> {
  const builder = new Builder({ graphFlags: ["--config", pathOf("deno.json"), ...importFlags()] });
  const paths = { server: `${folder}/stream-server`, client: `${folder}/stream-client` };
  for (const name of ["server", "client"] as const) {
    const { entry, permissions } = programsFor(hostSystem())[name];
    await builder.build({ entry: pathOf(entry), output: paths[name], permissions });
  }
  return paths;
}

Deno.test("stream-server and stream-client, as executables", async (t) => {
  const folder = media.pathOf("built");
  await Deno.mkdir(`${folder}/home`, { recursive: true });
  const served = `${media.path}/served`;
  await media.make("served/p.png", [...pictures(), "-frames:v", "1"]);
  const clip = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"];
  await media.make("served/v.mp4", [...pictures({ seconds: 4 }), ...tone({ seconds: 4 }), ...clip]);
  const paths = await build(folder);
  const env = { HOME: `${folder}/home`, XDG_CACHE_HOME: "", DISPLAY: "", WAYLAND_DISPLAY: "" };
  const client = { path: paths.client, cwd: folder, env };
  const more = ["--live", "cam=lavfi:testsrc=size=64x48:rate=25", "--http", "0.0.0.0:0"];
  const { program: server, port } = await startServerProgram(["--media", served, ...more], {
    ...{ path: paths.server, cwd: folder, env },
  });
  await using _server = server;
  const where = ["--host", "127.0.0.1", "--port", port];

  await t.step("list what there is", async () => {
    const { code, stdout, stderr } = await runProgram("client", ["--list", ...where], client);
    assertEquals([code, stderr], [0, ""]);
    assertMatch(
      stdout,
      /^cam +video, live .*\np\.png +image .*\nv\.mp4 +video .* h264\+aac +64x48$/m,
    );
  });

  await t.step("serve the page, at all addresses of the machine", async () => {
    const [, url] = await server.stderr.until(/Watch at (http:\/\/127\.0\.0\.1:\d+\/)/);
    await server.stderr.until(/FFmpeg/);
    const isOther = ({ family, address }: Deno.NetworkInterfaceInfo) =>
      family === "IPv4" && address !== "127.0.0.1";
    const others = Deno.networkInterfaces().filter(isOther);
    assertEquals(server.stderr.text.match(/Watch at /g)?.length, 1 + others.length);
    const style = await fetch(`${url}page.css`);
    assertEquals((await style.text()).startsWith("/* "), true);
    const play = await fetch(`${url}api/play?name=v.mp4&can=h264,aac`);
    const path = await media.write("built.mp4", await play.bytes());
    const count = ["-count_packets", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0"];
    const packets = await run("ffprobe", ["-select_streams", "v", ...count, path]);
    assertEquals(new TextDecoder().decode(packets).trim(), "100");
  });

  await t.step("record an image and a video, by relative paths", async () => {
    const image = await runProgram("client", ["--image", "--output", "p.png", ...where], client);
    assertEquals([image.code, image.stdout], [0, ""], image.stderr);
    const video = await runProgram("client", ["--video", "--output", "v.mp4", ...where], client);
    assertMatch(video.stderr, /^Received 100 frames in [^\n]+; wrote "v\.mp4"\n$/);
    const md5 = ["-f", "md5", "pipe:1"];
    assertEquals(
      await run("ffmpeg", ["-i", `${folder}/p.png`, ...md5]),
      await run("ffmpeg", ["-i", `${served}/p.png`, ...md5]),
    );
  });

  await t.step("record packets untouched, a series, and a live source", async () => {
    const copy = ["--video", "v.mp4", "--encoding", "copy", "--output", "copy.mp4", ...where];
    const copied = await runProgram("client", copy, client);
    assertMatch(copied.stderr, /^Received 100 frames in [^\n]+; wrote "copy\.mp4"\n$/);
    const packets = ["-map", "0:v", "-c", "copy", "-f", "framemd5", "pipe:1"];
    assertEquals(
      await run("ffmpeg", ["-i", `${folder}/copy.mp4`, ...packets]),
      await run("ffmpeg", ["-i", `${served}/v.mp4`, ...packets]),
    );
    const shots = ["--image", "v.mp4", "--every", "1.5", "--output", "shot%d.png", ...where];
    const series = await runProgram("client", shots, client);
    assertMatch(series.stderr, /; wrote 3 files, "shot1\.png" to "shot3\.png"\n$/);
    for (const encoding of ["raw", "h264"]) {
      const output = ["--duration", "0.4", "--output", `${encoding}.mkv`, "--encoding", encoding];
      const args = ["--video", "cam", ...output, "--json", ...where];
      let most = 0;
      // A busy machine may not make all frames in the time after which a response ends.
      for (let attempt = 0; attempt < 5 && most < 10; attempt++) {
        const { code, stdout, stderr } = await runProgram("client", args, client);
        assertEquals([code, stderr], [0, `wrote "${encoding}.mkv"\n`]);
        const { frames, latencyMs } = JSON.parse(stdout);
        assert(frames <= 10, `${frames} frames`);
        // All frames may have come before the clocks were compared.
        if (typeof latencyMs?.p95 === "number") most = Math.max(most, frames);
      }
      assertEquals(most, 10);
    }
  });

  await t.step("make a playlist, with the encoders that are named", async () => {
    const codec = ["--codec", "libx264,aac", "--", "-metadata", "title=Pieces"];
    const args = ["--video", "v.mp4", "--output", "site/", ...where, ...codec];
    const { code, stderr } = await runProgram("client", args, client);
    assertMatch(stderr, /^Received 100 frames in [^\n]+; wrote "site\/index\.m3u8"\n$/);
    assertEquals(code, 0);
    const list = await Deno.readTextFile(`${folder}/site/index.m3u8`);
    assertMatch(list, /#EXT-X-ENDLIST\n$/);
  });

  await t.step({
    name: `keep to a token and TLS${HAS_OPENSSL ? "" : " (ignored: no openssl)"}`,
    ignore: !HAS_OPENSSL,
    async fn() {
      const { cert, key, fingerprint } = await makeCertificate(folder, "own");
      const secret = { ...env, STREAM_TOKEN: "open sesame" };
      const { program, port } = await startServerProgram(
        ["--media", served, "--tls-cert", cert, "--tls-key", key],
        { path: paths.server, cwd: folder, env: secret },
      );
      await using _program = program;
      const own = { SSL_CERT_FILE: cert, SSL_CERT_DIR: folder };
      const options = { ...client, env: { ...secret, ...own } };
      for (const trust of [["--tls-fingerprint", fingerprint], ["--ca-cert", cert], ["--tls"]]) {
        const args = ["--list", "--host", "localhost", "--port", port, ...trust];
        const { code, stderr } = await runProgram("client", args, options);
        assertEquals([code, stderr], [0, ""]);
      }
    },
  });

  await t.step("serve a page that plays", async () => {
    const args = ["--view", "browser", "--http", "0", ...where];
    await using program = startProgram("client", args, client);
    const [, address] = await program.stdout.until(/^Watch at (http:\/\/127\.0\.0\.1:\d+\/)\n/);
    assertMatch(await (await fetch(address)).text(), /^<!doctype html>/i);
    const { entries } = await (await fetch(`${address}api/list`)).json();
    assertEquals(entries.map(({ name }: { name: string }) => name), ["cam", "p.png", "v.mp4"]);
    const play = await fetch(`${address}api/play?name=v.mp4&can=h264,aac`);
    assertMatch(play.headers.get("Content-Type") ?? "", /^video\/mp4; codecs="avc1\.\w{6}, mp4a/);
    const body = await play.bytes();
    assertEquals(new TextDecoder().decode(body.subarray(4, 8)), "ftyp");
    const image = await fetch(`${address}api/image?name=p.png`);
    assertEquals((await image.bytes()).subarray(1, 4), new TextEncoder().encode("PNG"));
    program.kill("SIGINT");
    assertEquals((await program.ending()).code, 130);
  });

  await t.step("outlive the terminal where nohup starts them", async () => {
    const args = ["--video", "v.mp4", "--view", "terminal", ...where];
    const wrapper = ["sh", "-c", 'trap "" HUP; exec "$0" "$@"'];
    await using program = startProgram("client", args, { ...client, wrapper });
    await program.stdout.until(/▀|\[H/);
    program.kill("SIGHUP");
    const { code, stderr } = await program.ending();
    assertEquals([code, /^Received 100 frames in /.test(stderr)], [0, true], stderr);
  });

  await t.step("take keys in a terminal, and complete flags in a shell", async (t) => {
    const { code, stdout } = await runProgram("client", ["--completions", "bash"], client);
    assertEquals(code, 0);
    assertMatch(stdout, /complete -F _stream_client stream-client\n$/);
    await t.step({
      name: `in a terminal${PYTHON ? "" : " (ignored: no Python)"}`,
      ignore: PYTHON === undefined,
      async fn() {
        const args = ["--video", "v.mp4", "--loop", "--view", "terminal", ...where];
        await using terminal = new PseudoTerminal(args, { reply: "", path: paths.client, env });
        await terminal.drawn.until(/▀/);
        await terminal.does("keys q");
        assertEquals(await terminal.ended(), 0);
        assertMatch(terminal.drawn.text, /Received \d+ frames in /);
      },
    });
  });

  await t.step({
    name: `take keys in a window${
      missing.length > 0 ? ` (ignored: no ${missing.join(", ")})` : ""
    }`,
    ignore: missing.length > 0,
    async fn() {
      await using screen = await XScreen.start();
      const shown = { ...env, ...environmentOn(screen) };
      const args = ["--video", "v.mp4", "--loop", "--view", "window", ...where];
      await using program = startProgram("client", args, { ...client, env: shown });
      const limit = AbortSignal.timeout(PATIENCE);
      const isShown = async () => (await screen.windows()).some(({ title }) => title === "v.mp4");
      while (!await isShown()) limit.throwIfAborted();
      const ended = program.ending();
      // The keys are its own a moment after it shows.
      let over = false;
      ended.then(() => over = true);
      while (!over) {
        limit.throwIfAborted();
        await screen.press(Q);
      }
      const { code, stderr } = await ended;
      assertEquals([code, /^Received \d+ frames in /.test(stderr)], [0, true], stderr);
    },
  });

  await t.step("speak the script protocol", async () => {
    const args = ["--image", "--classic", "--view", "none", "--json", ...where];
    const { code, stdout } = await runProgram("client", args, client);
    assertEquals([code, JSON.parse(stdout).bytes], [0, 64 * 48 * 3]);
  });

  await t.step("fail with the status and the line that the source does", async () => {
    const usage = await runProgram("client", ["--port", "x"], client);
    assertFailed(usage, { code: 2, reason: /; see stream-client --help$/m });
    const nobody = ["--list", "--host", "127.0.0.1", "--port", "1"];
    assertFailed(await runProgram("client", nobody, client), {
      code: 1,
      reason: /^Cannot connect to 127\.0\.0\.1:1: nothing listens there/,
    });
    const window = ["--image", "--view", "window", ...where];
    assertFailed(await runProgram("client", window, client), {
      code: 2,
      reason: /^Cannot open a window/,
    });
    const taken = ["--media", served, "--port", port];
    assertFailed(await runProgram("server", taken, { ...client, path: paths.server }), {
      code: 1,
      reason: /the port is taken/,
    });
  });

  await t.step("say how to install FFmpeg where there is none", async () => {
    // What unpacks the executable is there, and nothing else.
    const tools = `${folder}/tools`;
    await Deno.mkdir(tools);
    for await (const name of toolsOfStub()) {
      await Deno.symlink(name, `${tools}/${name.split("/").at(-1)}`);
    }
    const args = ["--image", "--output", "none.png", ...where];
    const ending = await runProgram("client", args, { ...client, env: { ...env, PATH: tools } });
    assertFailed(ending, { code: 1, reason: /^Cannot run ffmpeg: it is not installed/ });
  });

  await t.step("end by signals, with what was recorded named", async () => {
    await media.make("served/long.mp4", [...pictures({ seconds: 60 }), ...clip]);
    const args = ["--video", "long.mp4", "--output", "cut.mp4", "--view", "terminal", ...where];
    await using program = startProgram("client", args, client);
    await program.stdout.until(/(\[H[^]*){3}/);
    program.kill("SIGINT");
    const { code, stderr } = await program.ending();
    assertEquals(code, 130);
    assertMatch(
      stderr,
      /^Stopped after \d+ frames in [^\n]+; what arrived is in "cut\.part\.mp4", playable\n$/,
    );
    server.kill("SIGTERM");
    assertEquals((await server.ending()).code, 143);
  });
});

/** Paths of everything in the system's own folders that is not FFmpeg. */
async function* toolsOfStub(): AsyncGenerator<string> {
  for await (const { name } of Deno.readDir("/usr/bin")) {
    if (!name.startsWith("ff")) yield `/usr/bin/${name}`;
  }
}
