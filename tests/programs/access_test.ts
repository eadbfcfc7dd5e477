import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { mediaFolder, pictures, tone } from "../support/media/media_folder.ts";
import { makeCertificate } from "../support/programs/certificates.ts";
import {
  assertFailed,
  type RunningProgram,
  runProgram,
  startProgram,
  startServerProgram,
} from "../support/programs/running_program.ts";
import { tlsTest } from "../support/test_if.ts";
import { printedBy } from "../support/programs/machine.ts";

// Tokens and TLS, as users of the two programs meet them.

const media = mediaFolder();

/** Beside the media, so that none of this is in a list. */
const keys = await Deno.makeTempDir();
addEventListener("unload", () => Deno.removeSync(keys, { recursive: true }));

const TOKEN = "open-sesame-4711";
const CLIP = [...pictures({ seconds: 20 }), ...tone({ seconds: 20 })];

async function tokenFile(name: string, token = TOKEN): Promise<string> {
  const path = `${keys}/${name}`;
  await Deno.writeTextFile(path, `${token}\nnotes\n`, { mode: 0o600 });
  return path;
}

function at(port: string, host = "localhost"): string[] {
  return ["--host", host, "--port", port];
}

async function serve(...args: string[]): Promise<{ program: RunningProgram; port: string }> {
  await media.make("clip.mkv", CLIP);
  return await startServerProgram(["--media", media.path, "--log-level", "debug", ...args]);
}

/** The environments of all that a process started, and that started; some end meanwhile. */
function environments(pid: number): string[] {
  try {
    const children = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).trim().split(" ");
    return children.filter((child) => child !== "")
      .flatMap((child) => [environmentOf(child), ...environments(Number(child))]);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

function environmentOf(pid: string): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/environ`);
  } catch (error) {
    if (isGone(error)) return "";
    throw error;
  }
}

/** Whether a process ended before, or while, it was read about. */
function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound ||
    (error instanceof Error && error.message.includes("os error 3"));
}

Deno.test("the token is taken from a file or the environment, and seen nowhere", async () => {
  const file = await tokenFile("token");
  const { program: server, port } = await serve("--token-file", file);
  await using _server = server;
  const where = at(port);
  const own = await runProgram("client", ["--list", "--token-file", file, ...where]);
  assertEquals([own.code, own.stderr], [0, ""]);
  assertStringIncludes(own.stdout, "clip.mkv");
  const env = { STREAM_TOKEN: TOKEN };
  await using client = startProgram(
    "client",
    ["--video", "clip.mkv", "--output", "-", "--speed", "1", ...where],
    { env },
  );
  await client.stdout.until(/^nut/);
  assertEquals((await printedBy("ps", ["-eo", "args"])).includes(TOKEN), false);
  if (Deno.build.os === "linux") {
    const inherited = [...environments(client.pid), ...environments(server.pid)];
    assert(inherited.length > 0);
    assertEquals(inherited.some((each) => each.includes(TOKEN)), false);
  }
  client.kill("SIGINT");
  const said = [(await client.ending()).stderr];
  const without = await runProgram("client", ["--list", ...where]);
  assertFailed(without, {
    code: 1,
    reason:
      /^Cannot serve without a token: this server needs one; name a file with it in --token-file, or set STREAM_TOKEN\n$/,
  });
  const nearly = await tokenFile("nearly", `${TOKEN}0`);
  const args = ["--list", "--token-file", nearly, ...where];
  // What a flag names counts more.
  const wrong = await runProgram("client", args, { env });
  assertFailed(wrong, {
    code: 1,
    reason:
      /^Cannot serve with that token: it is not the right one; look at --token-file or STREAM_TOKEN/,
  });
  server.kill("SIGTERM");
  said.push((await server.ending()).stderr, without.stderr, wrong.stderr, own.stderr);
  assertEquals(said.join("").includes(TOKEN), false);
  assertMatch(said[1], / warn +peer=127\.0\.0\.1:\d+ .* command=list_media result=unauthorized /);
});

Deno.test("a server takes its token from the environment, and gives it to no child", async () => {
  await media.make("clip.mkv", CLIP);
  const env = { STREAM_TOKEN: TOKEN };
  const { program: server, port } = await startServerProgram(["--media", media.path], { env });
  await using _server = server;
  const what = ["--video", "clip.mkv", "--output", "-", "--speed", "1"];
  await using client = startProgram("client", [...what, ...at(port)], { env });
  await client.stdout.until(/^nut/);
  if (Deno.build.os === "linux") {
    const inherited = environments(server.pid);
    assert(inherited.length > 0);
    assertEquals(inherited.some((each) => each.includes(TOKEN)), false);
  }
  client.kill("SIGINT");
  await client.ending();
  assertEquals((await runProgram("client", ["--list", ...at(port)])).code, 1);
  server.kill("SIGTERM");
  assertEquals((await server.ending()).stderr.includes(TOKEN), false);
});

Deno.test("both programs say what is wrong with a token", async () => {
  const empty = await tokenFile("empty", "  ");
  const args = ["--media", media.path, "--port", "0"];
  for (const [name, rest] of [["server", args], ["client", ["--list"]]] as const) {
    assertFailed(await runProgram(name, ["--token-file", empty, ...rest]), {
      code: 1,
      reason: /^Cannot use the token in ".+empty": its first line is empty, expected the token$/m,
    });
    assertFailed(await runProgram(name, ["--token-file", `${keys}/none`, ...rest]), {
      code: 1,
      reason: /^Cannot read the token in ".+none": no such file, expected a file whose first line/,
    });
    assertFailed(await runProgram(name, [...rest], { env: { STREAM_TOKEN: "" } }), {
      code: 1,
      reason: /^Cannot use STREAM_TOKEN: it is empty, expected the token$/m,
    });
  }
  const open = await tokenFile("open");
  await Deno.chmod(open, 0o644);
  const { program: server } = await serve("--token-file", open);
  await using _server = server;
  await server.stderr.until(
    / warn +Everybody on this machine can read ".+open": chmod 600 keeps it\n/,
  );
  server.kill("SIGTERM");
  await server.ending();
});

tlsTest("the server tells a fingerprint that a client can go by", async () => {
  const pair = await makeCertificate(keys, "camera", { names: "DNS:camera.example" });
  const { program: server, port } = await serve("--tls-cert", pair.cert, "--tls-key", pair.key);
  await using _server = server;
  const [, told] = await server.stderr.until(/ info +TLS certificate (sha256:[\da-f]{64})\n/);
  assertEquals(told, pair.fingerprint);
  const what = ["--video", "clip.mkv", "--view", "none", "--speed", "max", "--json"];
  const { code, stdout, stderr } = await runProgram("client", [
    ...[...what, "--tls-fingerprint", told],
    ...at(port),
  ]);
  assertEquals([code, stderr, JSON.parse(stdout).frames], [0, "", 500]);
  const cases = [
    [[], /^Cannot serve without TLS: this server speaks nothing else, ask it with /],
    [["--tls"], /^Cannot trust localhost:\d+: its certificate is not signed by anybody/],
    [["--ca-cert", pair.cert], /^Cannot trust localhost:\d+: its certificate is for another name/],
    [["--tls-fingerprint", `sha256:${"0".repeat(64)}`], /: its certificate is not the one of /],
  ] as const;
  for (const [flags, reason] of cases) {
    assertFailed(await runProgram("client", ["--list", ...flags, ...at(port)]), {
      ...{ code: 1, reason },
    });
  }
  await server.stderr.until(/ warn +\S+ refused: the peer does not speak TLS\n/);
  await server.stderr.until(/ warn +\S+ ended: no TLS could be agreed on: the peer broke off/);
});

tlsTest("a client trusts what this machine trusts with --tls", async () => {
  const issuer = await makeCertificate(keys, "machine");
  const { cert, key } = await makeCertificate(keys, "trusted", { issuer });
  const { program: server, port } = await serve("--tls-cert", cert, "--tls-key", key);
  await using _server = server;
  // Where systems that have OpenSSL's ways look for those that they trust.
  const env = { SSL_CERT_FILE: issuer.cert, SSL_CERT_DIR: keys };
  const list = await runProgram("client", ["--list", "--tls", ...at(port)], { env });
  if (Deno.build.os === "linux") assertEquals([list.code, list.stderr], [0, ""]);
});

tlsTest("a viewer over TLS is told when the server dies", async () => {
  const { cert, key, fingerprint } = await makeCertificate(keys, "mortal");
  const { program: server, port } = await serve("--tls-cert", cert, "--tls-key", key);
  await using _server = server;
  const what = ["--video", "clip.mkv", "--output", "-", "--speed", "1"];
  await using client = startProgram("client", [
    ...[...what, "--tls-fingerprint", fingerprint, "--retries", "0"],
    ...at(port),
  ]);
  await client.stdout.until(/^nut/);
  server.kill("SIGKILL");
  const { code, stderr } = await client.ending();
  assertMatch(stderr, /^Cannot finish "clip\.mkv" after .*: the connection was cut\n$/);
  assertEquals(code, 1);
});

Deno.test("a client that asks for TLS where there is none is told so, and the server as well", async () => {
  const { program: server, port } = await serve();
  await using _server = server;
  assertFailed(await runProgram("client", ["--list", "--tls", ...at(port)]), {
    code: 1,
    reason: /^Cannot trust localhost:\d+: it does not speak TLS .*--tls-cert and --tls-key\n$/,
  });
  await server.stderr.until(
    / warn +\S+ refused: the peer speaks TLS, .* see --tls-cert and --tls-key\n/,
  );
});

tlsTest("SIGHUP reads the token and the certificate again, and ends nothing", async () => {
  const [old, fresh] = [await makeCertificate(keys, "old"), await makeCertificate(keys, "fresh")];
  const cert = `${keys}/current.crt`;
  const key = `${keys}/current.key`;
  const install = async (pair: { cert: string; key: string }) => {
    await Deno.copyFile(pair.cert, cert);
    await Deno.copyFile(pair.key, key);
  };
  await install(old);
  const file = await tokenFile("current", "old-token-1");
  const newToken = await tokenFile("new", "new-token-2");
  const oldToken = await tokenFile("older", "old-token-1");
  const { program: server, port } = await serve(
    ...["--tls-cert", cert, "--tls-key", key, "--token-file", file],
  );
  await using _server = server;
  const list = async (fingerprint: string, token: string) =>
    (await runProgram("client", [
      ...["--list", "--tls-fingerprint", fingerprint, "--token-file", token],
      ...at(port),
    ])).code;
  assertEquals(await list(old.fingerprint, oldToken), 0);
  const what = ["--video", "clip.mkv", "--output", "-", "--speed", "1", "--duration", "4"];
  await using viewer = startProgram("client", [
    ...[...what, "--tls-fingerprint", old.fingerprint, "--token-file", oldToken],
    ...at(port),
  ]);
  await viewer.stdout.until(/^nut/);
  await install(fresh);
  await Deno.copyFile(newToken, file);
  server.kill("SIGHUP");
  await server.stderr.until(/ read the certificate again\n/);
  assertStringIncludes(server.stderr.text, ` TLS certificate ${fresh.fingerprint}\n`);
  assertEquals(await list(fresh.fingerprint, newToken), 0);
  assertEquals(await list(old.fingerprint, newToken), 1);
  assertEquals(await list(fresh.fingerprint, oldToken), 1);
  // What is broken changes nothing.
  await Deno.writeTextFile(cert, "nonsense");
  await Deno.writeTextFile(file, "\n");
  server.kill("SIGHUP");
  await server.stderr.until(/ error +Cannot use .+ in PEM; the certificate from before is kept\n/);
  assertMatch(
    server.stderr.text,
    / error +Cannot use the token in .+; the token from before is kept\n/,
  );
  assertEquals(await list(fresh.fingerprint, newToken), 0);
  const { code, stderr } = await viewer.ending();
  assertMatch(stderr, /^Received 100 frames in /);
  assertEquals(code, 0);
  server.kill("SIGTERM");
  const ending = await server.ending();
  assertEquals([ending.code, /old-token|new-token/.test(ending.stderr)], [143, false]);
});

tlsTest("stream-server refuses files that do not fit, and flags that need another", async () => {
  const [one, two] = [await makeCertificate(keys, "one"), await makeCertificate(keys, "two")];
  const base = ["--media", media.path, "--port", "0"];
  const cases = [
    [
      1,
      ["--tls-cert", one.cert, "--tls-key", two.key],
      /^Cannot use the key in .+two\.key": it is another certificate's/,
    ],
    [
      1,
      ["--tls-cert", `${keys}/none`, "--tls-key", one.key],
      /^Cannot read the certificate in .+none": no such file/,
    ],
    [2, ["--tls-cert", one.cert], /^Cannot use --tls-cert alone: expected --tls-key with it; see /],
    [2, ["--tls-key", one.key], /^Cannot use --tls-key alone: expected --tls-cert with it; see /],
  ] as const;
  for (const [code, flags, reason] of cases) {
    assertFailed(await runProgram("server", [...base, ...flags]), { code, reason });
  }
  const wrong = [
    [["--tls-fingerprint", "abc"], /^Cannot use --tls-fingerprint "abc": expected sha256: and 64/],
    [
      ["--tls-fingerprint", one.fingerprint, "--ca-cert", one.cert],
      /^Cannot use --ca-cert with --tls-fingerprint: each says which certificate is right; see /,
    ],
  ] as const;
  for (const [flags, reason] of wrong) {
    assertFailed(await runProgram("client", ["--list", ...flags]), { code: 2, reason });
  }
  assertFailed(await runProgram("client", ["--list", "--ca-cert", one.key]), {
    code: 1,
    reason: /^Cannot use ".+one\.key": there is no certificate in it, expected one in PEM$/m,
  });
});
