import { assertEquals } from "@std/assert";
import { ByteReader } from "../../lib/core/byte_reader.ts";
import { Feed } from "../../lib/media/feed.ts";
import { startProcess } from "../../lib/media/process.ts";

const PIXELS = 64 * 48 * 3;

/** FFmpeg writing two frames as bare pixels, and the same through its standard output. */
function pictureArguments(output: readonly string[]): string[] {
  const source = ["-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=2:d=1"];
  return [...source, "-pix_fmt", "rgb24", "-f", "rawvideo", ...output];
}

async function throughPipe(): Promise<Uint8Array> {
  await using child = startProcess("ffmpeg", pictureArguments(["pipe:1"]));
  return new Uint8Array(await new Response(child.stdout).arrayBuffer());
}

async function connectTo(feed: Feed): Promise<Deno.TcpConn> {
  return await Deno.connect({ hostname: "127.0.0.1", port: Number(urlOf(feed).port) });
}

function urlOf(feed: Feed): URL {
  return new URL(feed.outputArguments.at(-1)!);
}

const never = new Promise<void>(() => {});

Deno.test("Feed gives what FFmpeg writes, and its end", async () => {
  using feed = new Feed();
  const args = pictureArguments(feed.outputArguments);
  await using child = startProcess("ffmpeg", args, { stdout: "null" });
  const reader = new ByteReader(feed.source(child.ended()));
  const bytes = await reader.readInto(new Uint8Array(2 * PIXELS));
  assertEquals(bytes, await throughPipe());
  assertEquals(await reader.peek(1), undefined);
  await child.finished();
});

Deno.test("Feed lets in whoever knows the secret, and nobody else", async () => {
  using feed = new Feed();
  for (const head of ["PUT /wrong HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "x".repeat(9000)]) {
    using stranger = await connectTo(feed);
    await stranger.write(new TextEncoder().encode(`${head}forged`));
    // Shown the door: by an end, or by a reset where bytes were left unread.
    assertEquals(await stranger.read(new Uint8Array(1)).catch(() => null), null);
  }
  using silent = await connectTo(feed);
  using child = await connectTo(feed);
  const { pathname } = urlOf(feed);
  await child.write(new TextEncoder().encode(`PUT ${pathname} HTTP/1.1\r\n`));
  await child.write(new TextEncoder().encode("Host: x\r\n\r\ntrue"));
  const reader = new ByteReader(feed.source(never));
  assertEquals(await reader.readInto(new Uint8Array(4)), new TextEncoder().encode("true"));
  assertEquals(silent.remoteAddr.transport, "tcp");
});

Deno.test("Feed ends where the child ends without having connected", async () => {
  using feed = new Feed();
  const reader = new ByteReader(feed.source(Promise.resolve()));
  assertEquals(await reader.peek(1), undefined);
});

Deno.test("Feed can be closed twice, and while nobody has come", () => {
  const feed = new Feed();
  feed[Symbol.dispose]();
  feed[Symbol.dispose]();
});
