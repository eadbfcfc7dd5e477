import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { StoredFile } from "../../../lib/web/service.ts";
import { mediaResponse } from "../../../lib/web/addresses/media_file.ts";
import { pureTest } from "../../support/pure_test.ts";

/** Longer than two reads. */
const SIZE = 300_000;
const BYTES = Uint8Array.from({ length: SIZE }, (_, at) => at % 251);
const MODIFIED = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

/** A file in memory, which notes how it is used. */
class MemoryFile implements StoredFile {
  readonly size = SIZE;
  readonly modified = MODIFIED;
  reads = 0;
  closed = 0;

  read(position: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    this.reads++;
    return Promise.resolve(BYTES.slice(position, position + length));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.closed++;
    return Promise.resolve();
  }
}

async function respond(
  file: StoredFile,
  headers: Record<string, string> = {},
  { method = "GET", isDownload = false } = {},
): Promise<Response> {
  const request = new Request("http://localhost/", { method, headers });
  const open = () => Promise.resolve(file);
  return await mediaResponse(request, { name: "trips/sea.mkv", isDownload, open });
}

pureTest("mediaResponse() gives a whole file, and closes it behind the last byte", async () => {
  const file = new MemoryFile();
  const response = await respond(file);
  const { headers } = response;
  assertEquals(response.status, 200);
  assertEquals(headers.get("Content-Type"), "video/matroska");
  assertEquals(headers.get("Content-Length"), String(SIZE));
  assertEquals(headers.get("Accept-Ranges"), "bytes");
  assertEquals(headers.get("Last-Modified"), "Fri, 02 Jan 2026 03:04:05 GMT");
  assertEquals(headers.get("Content-Disposition"), 'inline; filename="sea.mkv"');
  assertMatch(headers.get("ETag") ?? "", /^"[\w-]+"$/);
  assertEquals([file.reads, file.closed], [0, 0]);
  assertEquals(await response.bytes(), BYTES);
  assertEquals([file.reads, file.closed], [3, 1]);
  const download = await respond(file, {}, { isDownload: true });
  assertEquals(download.headers.get("Content-Disposition"), 'attachment; filename="sea.mkv"');
  await download.body?.cancel();
  assertEquals(file.closed, 2);
});

pureTest("mediaResponse() gives a single range, or says that there is none", async () => {
  const file = new MemoryFile();
  const part = await respond(file, { Range: "bytes=100-150099" });
  assertEquals(part.status, 206);
  assertEquals(part.headers.get("Content-Range"), `bytes 100-150099/${SIZE}`);
  assertEquals(part.headers.get("Content-Length"), "150000");
  assertEquals(await part.bytes(), BYTES.subarray(100, 150_100));
  const none = await respond(file, { Range: `bytes=${SIZE}-` });
  assertEquals([none.status, none.headers.get("Content-Range")], [416, `bytes */${SIZE}`]);
  assertEquals(none.headers.get("Content-Type"), "application/problem+json");
  assertEquals((await none.json()).detail, `Cannot get that range: the file has ${SIZE} bytes`);
  assertEquals(file.closed, 2);
  for (const header of ["bytes=9-1", "bytes=0-1,5-6", "lines=1-2"]) {
    const whole = await respond(file, { Range: header });
    assertEquals([whole.status, (await whole.bytes()).byteLength], [200, SIZE], header);
  }
});

pureTest("mediaResponse() gives the whole file if the range is of another version", async () => {
  const file = new MemoryFile();
  const tag = (await respond(file, {}, { method: "HEAD" })).headers.get("ETag") ?? "";
  const date = "Fri, 02 Jan 2026 03:04:05 GMT";
  for (const [version, status] of [[tag, 206], [date, 206], ['"x"', 200], [`W/${tag}`, 200]]) {
    const headers = { Range: "bytes=0-0", "If-Range": String(version) };
    const response = await respond(file, headers);
    assertEquals(response.status, status, String(version));
    await response.bytes();
  }
});

pureTest("mediaResponse() reads nothing for those who have the file, and for HEAD", async () => {
  const file = new MemoryFile();
  const head = await respond(file, { Range: "bytes=0-0" }, { method: "HEAD" });
  assertEquals([head.status, head.headers.get("Content-Length"), head.body], [
    ...[200, String(SIZE), null],
  ]);
  const tag = head.headers.get("ETag") ?? "";
  const date = head.headers.get("Last-Modified") ?? "";
  for (
    const [headers, status] of [
      [{ "If-None-Match": tag }, 304],
      [{ "If-None-Match": `"x", W/${tag}` }, 304],
      [{ "If-Modified-Since": date }, 304],
      [{ "If-Modified-Since": "Fri, 02 Jan 2026 03:04:04 GMT" }, 200],
      [{ "If-Modified-Since": "yesterday" }, 200],
      // The tag counts.
      [{ "If-None-Match": '"x"', "If-Modified-Since": date }, 200],
    ] as const
  ) {
    const response = await respond(file, headers as Record<string, string>);
    assertEquals(response.status, status, JSON.stringify(headers));
    await response.body?.cancel();
  }
  assertEquals([file.reads, file.closed], [0, 7]);
});

pureTest("mediaResponse() fails if the file becomes shorter, and closes it", async () => {
  class ShortFile extends MemoryFile {
    override read(): Promise<Uint8Array<ArrayBuffer>> {
      return Promise.reject(new Error("it has become shorter"));
    }
  }
  const file = new ShortFile();
  const response = await respond(file);
  await assertRejects(() => response.bytes(), Error, "shorter");
  assertEquals(file.closed, 1);
  const unopened = () =>
    mediaResponse(new Request("http://localhost/"), {
      ...{ name: "a", isDownload: false },
      open: () => Promise.reject(new Error("gone")),
    });
  await assertRejects(unopened, Error, "gone");
  assert(file.reads === 0);
});
