import { assert, assertEquals, assertMatch } from "@std/assert";
import { mediaFolder, pictures } from "../support/media/media_folder.ts";
import { testServer } from "../support/peers/test_server.ts";
import { at, runInside } from "../support/programs/run_inside.ts";
import { startProgram } from "../support/programs/running_program.ts";
import { witness } from "../support/programs/witness.ts";
import { testPage } from "../support/screens/page.ts";
import { linuxTest } from "../support/test_if.ts";

const media = mediaFolder();

async function folder(): Promise<string> {
  const coded = ["-c:v", "libx264", "-pix_fmt", "yuv420p"];
  await media.make("m/b.mp4", [...pictures(), ...coded]);
  return media.pathOf("m");
}

Deno.test("the page prints its URL on standard output, and ends by the signal", async () => {
  await using server = await testServer({ media: await folder() });
  const page = await testPage(server);
  assertMatch(page.address, /^http:\/\/127\.0\.0\.1:\d+\/$/);
  const { status, stderr } = await page.end();
  assertEquals([status, stderr], [130, ""]);
});

Deno.test("the page is served at an IPv6 address", async () => {
  await using server = await testServer({ media: await folder() });
  await using page = await testPage(server, ["--http", "[::1]:0"]);
  assertMatch(page.address, /^http:\/\/\[::1\]:\d+\/$/);
  const response = await page.fetch("/api/list");
  assertEquals(response.status, 200);
  await response.bytes();
});

Deno.test("--http alone serves the page", async () => {
  await using server = await testServer({ media: await folder() });
  const signal = AbortSignal.timeout(0);
  const { status, stdout } = await runInside([...at(server), "--http", "0"], { signal });
  assertEquals(status, 130);
  assertMatch(stdout, /^Watch at http:\/\/127\.0\.0\.1:\d+\/\n$/);
});

Deno.test("a page that is interrupted before it is served prints no URL", async () => {
  await using server = await testServer({ media: await folder() });
  const reason = new Error("interrupted");
  const { stdout, stderr } = await runInside([...at(server), "--http", "0"], {
    signal: AbortSignal.abort(reason),
  });
  assertEquals([stdout, stderr], ["", "interrupted\n"]);
});

Deno.test("the page reports a port that is taken", async () => {
  await using server = await testServer({ media: await folder() });
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const { status, stderr } = await runInside([...at(server), "--http", `${port}`]);
  assertEquals(status, 1);
  assertEquals(
    stderr,
    `Cannot serve the page at 127.0.0.1:${port}: something listens there already, expected a free ` +
      "port in --http\n",
  );
});

for (
  const [flags, reason] of [
    [["--http", "x"], /^Cannot use --http "x": expected a port/],
    [["--video", "--http", "80", "--view", "window"], /^Cannot use --http with --view window/],
    [["--video", "--view", "browser", "--json"], /^Cannot use --json with --view browser/],
  ] as const
) {
  Deno.test(`${flags.join(" ")} is wrong usage`, async () => {
    const { status, stderr, stdout } = await runInside(flags);
    assertEquals([status, stdout], [2, ""]);
    assertMatch(stderr, reason);
  });
}

Deno.test("a recording beside the page is a request of its own", async () => {
  await using server = await testServer({ media: await folder() });
  const output = `${await media.folder("recorded")}/copy.mkv`;
  const flags = ["--video", "b.mp4", "--encoding", "copy", "--output", output];
  await using page = await testPage(server, flags);
  const response = await page.fetch("/api/play?name=b.mp4&can=h264");
  assert((await response.bytes()).byteLength > 0);
  await page.until(/; wrote /);
  const { status, stderr } = await page.end();
  assertEquals(status, 130);
  assertMatch(stderr, /^Received 25 frames .*; wrote ".*copy\.mkv"\n$/);
});

linuxTest("the page is opened if there is a screen, and Ctrl-C ends everything", async () => {
  await using server = await testServer({ media: await folder() });
  await using opener = await witness("xdg-open", { instead: 'echo "$1" >&9' });
  const env = { PATH: opener.path, DISPLAY: ":99" };
  await using program = startProgram("client", [...at(server), "--view", "browser"], { env });
  const [, address] = await program.stdout.until(/^Watch at (\S+)\n/);
  await opener.ended();
  assertMatch(opener.text, new RegExp(`^\\d+\\n${address}\\n$`));
  // During a play, and with an idle connection.
  const response = await fetch(`${address}api/play?name=b.mp4`);
  const { port } = new URL(address);
  using _idle = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
  program.kill("SIGINT");
  const { code, stderr } = await program.ending();
  assertEquals([code, stderr], [130, ""]);
  await response.bytes().catch(() => {});
});

linuxTest("a program that fails to open the page is ignored", async () => {
  await using server = await testServer({ media: await folder() });
  await using opener = await witness("xdg-open", { instead: "exit 3" });
  const env = { PATH: opener.path, DISPLAY: ":99" };
  await using program = startProgram("client", [...at(server), "--view", "browser"], { env });
  await program.stdout.until(/^Watch at (\S+)\n/);
  await opener.ended();
  program.kill("SIGTERM");
  const { stderr } = await program.ending();
  assertEquals(stderr, "");
});
