/** The programs where the system has no more to give: file descriptors, room on a disk. */
import { assert, assertEquals } from "@std/assert";
import type { RequestError } from "../../lib/base/errors.ts";
import { mediaFolder, namesIn, pictures } from "../support/media/media_folder.ts";
import { NativeClient } from "../support/peers/native_client.ts";
import {
  assertFailed,
  runProgram,
  startServerProgram,
} from "../support/programs/running_program.ts";
import { PATIENCE } from "../support/time/patience.ts";

const media = mediaFolder();
const made = mediaFolder();

async function makeClip(): Promise<string[]> {
  await media.make("clip.mkv", [...pictures({ size: "320x240", seconds: 2 }), "-c:v", "mpeg4"]);
  return ["--media", media.path];
}

/** Starts a program with a limit of the shell's. */
function limited(limit: string): { wrapper: string[] } {
  return { wrapper: ["sh", "-c", `ulimit ${limit}; exec "$@"`, "sh"] };
}

Deno.test("stream-server without file descriptors says so once, and goes on when there are some", async () => {
  const { program: server, port } = await startServerProgram(await makeClip(), limited("-n 72"));
  await using _server = server;
  const sockets: Deno.TcpConn[] = [];
  for (let count = 0; count < 60; count++) {
    sockets.push(await Deno.connect({ hostname: "127.0.0.1", port: Number(port) }));
  }
  await server.stderr.until(/warn {2}Cannot accept a connection: Too many open files/);
  for (const socket of sockets) socket.close();
  const where = ["--host", "127.0.0.1", "--port", port];
  const args = ["--video", "--view", "none", "--speed", "max", "--json", ...where];
  const { code, stdout, stderr } = await runProgram("client", args);
  assertEquals([code, JSON.parse(stdout).frames], [0, 50], stderr);
  server.kill("SIGTERM");
  const ending = await server.ending();
  assertEquals(ending.code, 143);
  assertEquals(ending.stderr.match(/Cannot accept a connection/g)?.length, 1);
  assert(!ending.stderr.includes("    at "), ending.stderr);
});

Deno.test("stream-server that cannot start FFmpeg for want of file descriptors answers busy", async () => {
  const { program: server, port } = await startServerProgram(await makeClip(), limited("-n 72"));
  await using _server = server;
  const address = { hostname: "127.0.0.1", port: Number(port) };
  using client = new NativeClient(await Deno.connect(address));
  const request = { command: "get_video", duration: 0.1, speed: 0 } as const;
  assertEquals((await client.request(request)).end?.reason, "end");
  const sockets: Deno.TcpConn[] = [];
  let error: RequestError | undefined;
  const end = performance.now() + PATIENCE;
  while (error === undefined && performance.now() < end) {
    // Many at once, because the server soon closes those that ask for nothing.
    for (let more = sockets.length === 0 ? 60 : 5; more > 0; more--) {
      sockets.push(await Deno.connect(address));
    }
    error = (await client.request(request)).error;
  }
  assert(error !== undefined, `no error with ${sockets.length} connections`);
  const message = "Cannot serve now: the server has no file descriptors left, try again later";
  assertEquals([error.code, error.message], ["busy", message]);
  for (const socket of sockets) socket.close();
  // It takes the server a moment to close them, too.
  while ((await client.request(request)).error !== undefined);
  server.kill("SIGTERM");
  assertEquals((await server.ending()).code, 143);
});

Deno.test("stream-client says in one line that there is no room for its file, and the server goes on", async () => {
  const { program: server, port } = await startServerProgram(await makeClip());
  await using _server = server;
  const where = ["--host", "127.0.0.1", "--port", port];
  const args = ["--video", "--speed", "max", ...where];
  for (const name of ["clip.y4m", "clip.mkv"]) {
    // In blocks of 512 bytes, or of 1024; who writes more is ended by a signal.
    const output = ["--output", made.pathOf(name)];
    const failed = await runProgram("client", [...args, ...output], limited("-f 8"));
    const [base, type] = name.split(".");
    const reason = new RegExp(
      `^Cannot write "\\S+/${name}": .*${base}\\.part\\.${type}" is unfinished`,
    );
    assertFailed(failed, { code: 1, reason });
  }
  assertEquals(namesIn(made.path), ["clip.part.mkv", "clip.part.y4m"]);
  const full = { wrapper: ["sh", "-c", 'exec "$@" >/dev/full', "sh"] };
  assertFailed(await runProgram("client", [...args, "--output", "-"], full), {
    code: 1,
    reason: /^Cannot write to standard output: No space left on device/,
  });
  assertEquals((await runProgram("client", [...args, "--view", "none"])).code, 0);
});

Deno.test("stream-server stays as it is through a hundred SIGHUPs at once", async () => {
  const token = await made.write("token", "sesame\n");
  const args = [...await makeClip(), "--token-file", token];
  const { program: server, port } = await startServerProgram(args);
  await using _server = server;
  const where = ["--host", "127.0.0.1", "--port", port, "--token-file", token];
  const client = runProgram("client", ["--video", "--view", "none", "--speed", "max", ...where]);
  for (let count = 0; count < 100; count++) server.kill("SIGHUP");
  await server.stderr.until(/read the token again/);
  assertEquals((await client).code, 0);
  server.kill("SIGTERM");
  const { code, stderr } = await server.ending();
  assertEquals(code, 143);
  assert(stderr.split("\n").every((line) => /^$|^\S+Z (info|warn) /.test(line)), stderr);
});
