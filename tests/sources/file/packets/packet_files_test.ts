/** Indexes are read once, shared, and kept in bounded memory. */
import { assertEquals } from "@std/assert";
import { FormatError } from "../../../../lib/base/errors.ts";
import type {
  FileBytes,
  OpenPacketFile,
  PacketFile,
} from "../../../../lib/containers/packet_file.ts";
import { stateOf } from "../../../../lib/sources/file/file_state.ts";
import {
  type IndexableFile,
  PacketFiles,
} from "../../../../lib/sources/file/packets/packet_files.ts";
import { LeapingTime } from "../../../support/time/leaping_time.ts";

/** A file of 1000 bytes, removed at the end. */
class TemporaryFile implements Disposable {
  readonly path = Deno.realPathSync(Deno.makeTempFileSync());

  constructor() {
    Deno.writeFileSync(this.path, new Uint8Array(1000));
  }

  get found(): IndexableFile {
    return {
      path: this.path,
      state: stateOf(Deno.statSync(this.path)),
      info: { format: "mov,mp4" },
    };
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path);
  }
}

/** Opens files, and counts how often. */
class Opener {
  count = 0;
  open: OpenPacketFile;

  constructor(result: (bytes: FileBytes) => ReturnType<OpenPacketFile>) {
    this.open = (bytes) => {
      this.count++;
      return result(bytes);
    };
  }
}

/** A file without packets whose index is all of it. */
async function index(bytes: FileBytes): Promise<PacketFile> {
  await bytes.read(0, bytes.size);
  return {
    format: "mov",
    tracks: [],
    listed: [],
    further: {},
    start: 0,
    packets: async function* () {},
  };
}

Deno.test("PacketFiles.use() shares an index and a descriptor, and keeps the index", async () => {
  using file = new TemporaryFile();
  const opener = new Opener(index);
  const files = new PacketFiles({ openers: { mov: opener.open } });
  {
    await using first = await files.use(file.found);
    await using second = await files.use(file.found);
    assertEquals(first?.file, second?.file);
    assertEquals(files.open, 1);
  }
  assertEquals(files.open, 0);
  await using _third = await files.use(file.found);
  assertEquals(files.open, 1);
  assertEquals(opener.count, 1);
});

Deno.test("PacketFiles.use() remembers that a file is not indexed, until it changes", async () => {
  using file = new TemporaryFile();
  const results: (() => ReturnType<OpenPacketFile>)[] = [
    () => Promise.resolve({ unindexed: "it has fragments" }),
    () => Promise.reject(new FormatError("broken")),
  ];
  const opener = new Opener(() => results.shift()!());
  const files = new PacketFiles({ openers: { mov: opener.open } });
  assertEquals(await files.use(file.found), undefined);
  assertEquals(await files.use(file.found), undefined);
  assertEquals(opener.count, 1);
  await Deno.truncate(file.path, 900);
  assertEquals(await files.use(file.found), undefined);
  assertEquals(opener.count, 2);
  assertEquals(files.open, 0);
});

Deno.test("PacketFiles.use() leaves to FFmpeg what it does not know or cannot open", async () => {
  using file = new TemporaryFile();
  const files = new PacketFiles({ openers: { mov: index } });
  const { found } = file;
  assertEquals(await files.use({ ...found, info: { format: "avi" } }), undefined);
  assertEquals(await files.use({ ...found, state: undefined }), undefined);
  assertEquals(await files.use({ ...found, folder: "/somewhere/else" }), undefined);
  assertEquals(await files.use({ ...found, path: `${file.path}.gone` }), undefined);
  await using use = await files.use(found);
  assertEquals(use?.file.format, "mov");
});

Deno.test("PacketFiles.use() forgets the index used longest ago, unless it has viewers", async () => {
  using one = new TemporaryFile();
  using two = new TemporaryFile();
  using three = new TemporaryFile();
  const opener = new Opener(index);
  // Each index takes 4096 and 4 × 1000 bytes.
  const files = new PacketFiles({ openers: { mov: opener.open }, maxMemory: 17_000 });
  await using _viewer = await files.use(one.found);
  await (await files.use(two.found))?.[Symbol.asyncDispose]();
  assertEquals(opener.count, 2);
  await (await files.use(three.found))?.[Symbol.asyncDispose]();
  assertEquals(files.memory, 2 * 8096);
  await (await files.use(one.found))?.[Symbol.asyncDispose]();
  assertEquals(opener.count, 3);
  await (await files.use(two.found))?.[Symbol.asyncDispose]();
  assertEquals(opener.count, 4);
});

Deno.test("PacketFiles.use() leaves truncated files to FFmpeg", async () => {
  using file = new TemporaryFile();
  const opener = new Opener(async (bytes) => ({ ...await index(bytes), isTruncated: true }));
  const files = new PacketFiles({ openers: { mov: opener.open } });
  assertEquals(await files.use(file.found), undefined);
  assertEquals(files.open, 0);
});

Deno.test("PacketFiles.use() leaves a file to FFmpeg whose packets were refused", async () => {
  using file = new TemporaryFile();
  const files = new PacketFiles({ openers: { mov: index } });
  const use = await files.use(file.found);
  use?.refuse();
  assertEquals(await files.use(file.found), undefined);
  assertEquals(files.open, 1);
  await use?.[Symbol.asyncDispose]();
  assertEquals(files.open, 0);
});

Deno.test("PacketFiles.memory counts tables that are larger than the index", async () => {
  using file = new TemporaryFile();
  const opener = new Opener(async (bytes) => ({ ...await index(bytes), memory: 1_000_000 }));
  const files = new PacketFiles({ openers: { mov: opener.open } });
  await (await files.use(file.found))?.[Symbol.asyncDispose]();
  assertEquals(files.memory, 4096 + 1_000_000);
});

Deno.test("PacketFiles.use() does not wait for a disk that hangs, and closes what it gives later", async () => {
  using file = new TemporaryFile();
  const { promise, resolve } = Promise.withResolvers<PacketFile>();
  const asked = Promise.withResolvers<void>();
  const open = () => {
    asked.resolve();
    return promise;
  };
  using time = new LeapingTime();
  const files = new PacketFiles({ openers: { mov: open }, openTimeout: 200_000 });
  const late = files.use(file.found);
  await asked.promise;
  await time.leap(200_000);
  assertEquals(await late, undefined);
  assertEquals(files.open, 1);
  resolve({
    format: "mov",
    tracks: [],
    listed: [],
    further: {},
    start: 0,
    packets: async function* () {},
  });
  const next = await files.use(file.found);
  assertEquals(next?.file.format, "mov");
  await next?.[Symbol.asyncDispose]();
  assertEquals(files.open, 0);
});
