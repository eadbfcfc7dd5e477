/**
 * `deno task demo`: starts the server on `media/`, records the image and the video with the client
 * to `demo/`, prints a summary, and shows both if there is a screen or a terminal.
 */
import { TextLineStream } from "@std/streams/text-line-stream";
import { print } from "../lib/base/log.ts";

const ROOT = new URL("../", import.meta.url);

/** Milliseconds for which the image is shown in a window, which otherwise stays open. */
const IMAGE_TIME = 3000;

/** Output of `stream-client --json`. */
interface Report {
  name: string;
  frames: number;
  audioFrames: number;
  bytes: number;
  seconds: number;
  fps: number;
  firstFrameMs: number;
}

/** Recorded files. */
const RECORDINGS = [
  { kind: "image", file: "demo/image.png" },
  { kind: "video", file: "demo/video.mp4" },
] as const;

function path(name: string): string {
  return decodeURIComponent(new URL(name, ROOT).pathname);
}

/** Arguments to run a program from its source. The task passes the flags for its imports. */
function program(name: "server" | "client", args: readonly string[]): string[] {
  return ["run", "-A", "--quiet", "--config", path("deno.json"), ...Deno.args, path(`${name}.ts`)]
    .concat(args);
}

async function startServer(): Promise<{ child: Deno.ChildProcess; port: string }> {
  const args = program("server", ["--port", "0", "--media", path("media"), "--log-level", "warn"]);
  print(Deno.stdout, "Starting the server on ./media …\n");
  const child = new Deno.Command(Deno.execPath(), { args, stdin: "null", stdout: "piped" }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
  for await (const line of lines.values({ preventCancel: true })) {
    print(Deno.stdout, `stream-server: ${line}\n`);
    return { child, port: line.slice(line.lastIndexOf(":") + 1) };
  }
  throw new Error("Cannot start the server: it printed nothing");
}

async function record(kind: string, file: string, port: string): Promise<void> {
  const flags = ["--port", port, "--output", path(file), "--overwrite", "--json"];
  const args = program("client", [`--${kind}`, ...flags]);
  print(Deno.stdout, `Recording the ${kind}: stream-client --${kind} --output ${file} …\n`);
  // In a terminal, the client shows its progress there.
  const command = new Deno.Command(Deno.execPath(), { args, stdin: "null", stderr: "inherit" });
  const { success, stdout } = await command.output();
  if (!success) throw new Error(`Cannot record the ${kind}: stream-client failed`);
  const report = JSON.parse(new TextDecoder().decode(stdout)) as Report;
  const { name, frames, audioFrames, bytes, seconds, fps, firstFrameMs } = report;
  const audio = audioFrames > 0 ? `, ${audioFrames} frames of audio` : "";
  const { size } = await Deno.stat(path(file));
  const amount = frames === 1 ? "1 picture" : `${frames} frames${audio}, ${fps} fps`;
  print(
    Deno.stdout,
    `  ${name}: ${amount}, ${(bytes / 1e6).toFixed(1)} MB in ${seconds} s, ` +
      `first frame after ${firstFrameMs} ms\n  ${file} has ${(size / 1e3).toFixed(0)} kB\n`,
  );
}

/** Shows the image briefly, then the video in real time. */
async function show(view: "window" | "terminal", port: string): Promise<void> {
  for (const { kind } of RECORDINGS) {
    print(Deno.stdout, `Showing the ${kind}: stream-client --${kind} --view ${view} …\n`);
    const args = program("client", [`--${kind}`, "--view", view, "--port", port]);
    const child = new Deno.Command(Deno.execPath(), { args }).spawn();
    const stays = kind === "image" && view === "window";
    const timer = stays ? setTimeout(() => child.kill("SIGINT"), IMAGE_TIME) : undefined;
    await child.status;
    clearTimeout(timer);
  }
}

/** The window if there is a screen, otherwise the terminal if there is one. */
async function availableView(): Promise<"window" | "terminal" | undefined> {
  const hasScreen = Deno.build.os === "darwin" || Deno.env.get("DISPLAY") ||
    Deno.env.get("WAYLAND_DISPLAY");
  if (hasScreen && await hasPlayer()) return "window";
  return Deno.stdout.isTerminal() ? "terminal" : undefined;
}

async function hasPlayer(): Promise<boolean> {
  return await isUsable("mpv", "--version") || await isUsable("ffplay", "-version");
}

async function isUsable(program: string, ...args: string[]): Promise<boolean> {
  try {
    const command = new Deno.Command(program, { args, stdout: "null", stderr: "null" });
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
    if (view === undefined) print(Deno.stdout, "Not shown: found no screen and no terminal\n");
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
