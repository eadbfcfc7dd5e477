import { assertEquals, assertRejects } from "@std/assert";
import { PrivateSocket } from "../../../lib/sinks/window/socket.ts";
import { exists, mediaFolder, namesIn } from "../../support/media/media_folder.ts";
import { testIf } from "../../support/test_if.ts";

const media = mediaFolder();

const test = testIf(PrivateSocket.exists, "this system has no local sockets");

/** Path of the socket. */
function pathOf({ url }: PrivateSocket): string {
  return url.replace("unix:", "");
}

test("PrivateSocket passes all bytes to the program that connects, and removes its file", async () => {
  const socket = await PrivateSocket.open();
  const path = pathOf(socket);
  const folder = path.slice(0, path.lastIndexOf("/"));
  assertEquals(((await Deno.stat(folder)).mode ?? 0) & 0o777, 0o700);
  const writer = socket.writable.getWriter();
  using peer = await Deno.connect({ transport: "unix", path });
  const sent = crypto.getRandomValues(new Uint8Array(65_536));
  const writing = Promise.all(Array.from({ length: 20 }, () => writer.write(sent)))
    .then(() => writer.close());
  let count = 0;
  const buffer = new Uint8Array(65_536);
  for (let read; (read = await peer.read(buffer)) !== null;) count += read;
  await writing;
  assertEquals(count, 20 * 65_536);
  assertEquals(await exists(folder), false);
  socket.withdraw();
});

test("PrivateSocket fails like a broken pipe if nothing connects, or the program exits", async () => {
  const lonely = await PrivateSocket.open();
  const writer = lonely.writable.getWriter();
  writer.closed.catch(() => {});
  const writing = writer.write(new Uint8Array(1));
  lonely.withdraw();
  await assertRejects(() => writing, Deno.errors.BrokenPipe);
  assertEquals(await exists(pathOf(lonely)), false);

  const left = await PrivateSocket.open();
  const leftWriter = left.writable.getWriter();
  leftWriter.closed.catch(() => {});
  const peer = await Deno.connect({ transport: "unix", path: pathOf(left) });
  await leftWriter.write(new Uint8Array(1));
  await peer.read(new Uint8Array(1));
  peer.close();
  await assertRejects(() => leftWriter.write(new Uint8Array(1)), Deno.errors.BrokenPipe);
  await leftWriter.abort();
});

test("PrivateSocket.open() reports a folder that cannot be used, and leaves nothing there", async () => {
  // Longer than the name of a socket may be.
  const long = await media.folder("x".repeat(100));
  const before = Deno.env.get("TMPDIR");
  try {
    for (const place of [long, `${long}/none`]) {
      Deno.env.set("TMPDIR", place);
      await assertRejects(() => PrivateSocket.open(), Error, "expected TMPDIR to name one");
    }
  } finally {
    if (before === undefined) Deno.env.delete("TMPDIR");
    else Deno.env.set("TMPDIR", before);
  }
  assertEquals(namesIn(long), []);
});
