/**
 * The main job, on real input: starts the server on `media/`, takes the image and the video from
 * it with the client, writes both to `demo/`, tells what happened, and shows them where there is a
 * screen or a terminal.
 */
import { TextLineStream } from "@std/streams/text-line-stream";
import { print } from "../lib/base/log.ts";

const ROOT = new URL("../", import.meta.url);

/** Milliseconds that the image stays in a window, which otherwise waits to be closed. */
const IMAGE_TIME = 3000;

/** The line of `stream-client --json`. */
interface Report {
  name: string;
  frames: number;
  audioFrames: number;
  bytes: number;
  seconds: number;
  fps: number;
  firstFrameMs: number;
}

/** Where the received files go, and what they are. */
const RECORDINGS = [
  { kind: "image", file: "demo/image.png" },
  { kind: "video", file: "demo/video.mp4" },
] as const;

function path(name: string): string {
  return decodeURIComponent(new URL(name, ROOT).pathname);
}

/** A program of the project, run from its source. The task hands on the flags for its imports. */
function program(name: "server" | "client", args: readonly string[]): string[] {
  return ["run", "-A", "--quiet", "--config", path("deno.json"), ...Deno.args, path(`${name}.ts`)]
    .concat(args);
}

async function startServer(): Promise<{ child: Deno.ChildProcess; port: string }> {
  const args = program("server", ["--port", "0", "--media", path("media"), "--log-level", "warn"]);
  const child = new Deno.Command(Deno.execPath(), { args, stdin: "null", stdout: "piped" }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
  for await (const line of lines.values({ preventCancel: true })) {
    print(Deno.stdout, `stream-server: ${line}\n`);
    return { child, port: line.slice(line.lastIndexOf(":") + 1) };
  }
  throw new Error("Cannot start the server: it said nothing");
}

async function record(kind: string, file: string, port: string): Promise<void> {
  const where = ["--port", port, "--output", path(file), "--overwrite", "--json"];
  const args = program("client", [`--${kind}`, ...where]);
  print(Deno.stdout, `stream-client --${kind} --output ${file}\n`);
  const command = new Deno.Command(Deno.execPath(), { args, stdin: "null", stderr: "piped" });
  const { success, stdout, stderr } = await command.output();
  if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
  const report = JSON.parse(new TextDecoder().decode(stdout)) as Report;
  const { name, frames, audioFrames, bytes, seconds, fps, firstFrameMs } = report;
  const sound = audioFrames > 0 ? `, ${audioFrames} runs of sound` : "";
  const { size } = await Deno.stat(path(file));
  print(
    Deno.stdout,
    `  ${name}: ${frames} frame${frames === 1 ? "" : "s"}${sound}, ` +
      `${(bytes / 1e6).toFixed(1)} MB in ${seconds} s, ${fps} fps, ` +
      `first frame after ${firstFrameMs} ms\n  wrote ${file}, ${(size / 1e3).toFixed(0)} kB\n`,
  );
}

/** Shows the image for a moment, then the video, in real time. */
async function show(view: "window" | "terminal", port: string): Promise<void> {
  for (const { kind } of RECORDINGS) {
    print(Deno.stdout, `stream-client --${kind} --view ${view}\n`);
    const args = program("client", [`--${kind}`, "--view", view, "--port", port]);
    const child = new Deno.Command(Deno.execPath(), { args }).spawn();
    const stays = kind === "image" && view === "window";
    const timer = stays ? setTimeout(() => child.kill("SIGINT"), IMAGE_TIME) : undefined;
    await child.status;
    clearTimeout(timer);
  }
}

/** A window where there is a screen, else the terminal, else nothing. */
async function availableView(): Promise<"window" | "terminal" | undefined> {
  const hasScreen = Deno.build.os === "darwin" || Deno.env.get("DISPLAY") ||
    Deno.env.get("WAYLAND_DISPLAY");
  if (hasScreen && await hasPlayer()) return "window";
  return Deno.stdout.isTerminal() ? "terminal" : undefined;
}

async function hasPlayer(): Promise<boolean> {
  try {
    const args = ["-version"];
    const command = new Deno.Command("ffplay", { args, stdout: "null", stderr: "null" });
    return (await command.output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function main(): Promise<void> {
  await Deno.mkdir(path("demo"), { recursive: true });
  const { child, port } = await startServer();
  try {
    for (const { kind, file } of RECORDINGS) await record(kind, file, port);
    const view = await availableView();
    if (view === undefined) print(Deno.stdout, "No screen and no terminal here to show them on\n");
    else await show(view, port);
  } finally {
    child.kill("SIGTERM");
    await child.status;
  }
}

try {
  await main();
} catch (error) {
  print(Deno.stderr, `${error instanceof Error ? error.message : error}\n`);
  Deno.exit(1);
}
