import { assertEquals, assertRejects } from "@std/assert";
import type { Candidate } from "../../../../lib/sources/file/listing/file_tree.ts";
import {
  type FolderChange,
  FollowedFolder,
  type Following,
  type FollowTimes,
} from "../../../../lib/sources/file/listing/followed_folder.ts";
import { Library } from "../../../../lib/sources/file/library.ts";
import { mediaFolder } from "../../../support/media/media_folder.ts";

const media = mediaFolder();

/** Looks come at once, and only what a test changes matters. */
const SOON: FollowTimes = { pause: 1, poll: 20, check: 1e6, settle: 0 };

/** What a follower hears. */
class Heard {
  #changes: FolderChange[] = [];
  #arrival = Promise.withResolvers<void>();

  readonly hear = (change: FolderChange) => {
    this.#changes.push(change);
    this.#arrival.resolve();
  };

  /** Waits for the next change: names with a sign each. */
  async next(): Promise<string[]> {
    while (this.#changes.length === 0) {
      await this.#arrival.promise;
      this.#arrival = Promise.withResolvers();
    }
    const { changed, gone } = this.#changes.shift()!;
    return [...changed.map(({ name }) => `+${name}`), ...gone.map((name) => `-${name}`)];
  }
}

/** Writes a file that is whole once it is there. */
async function put(path: string): Promise<void> {
  const made = await media.write(crypto.randomUUID(), "a");
  await Deno.rename(made, path);
}

async function follow(
  folder: string,
  times = SOON,
): Promise<{ following: Following; heard: Heard }> {
  const heard = new Heard();
  return { following: await new Library(folder, { times }).follow(heard.hear), heard };
}

/** Replaces the system's watches while something is tried. */
async function withWatch(watch: typeof Deno.watchFs, attempt: () => Promise<void>): Promise<void> {
  const { watchFs } = Deno;
  Deno.watchFs = watch;
  try {
    await attempt();
  } finally {
    Deno.watchFs = watchFs;
  }
}

Deno.test("FollowedFolder polls if the system has no watches left", async () => {
  const folder = await media.folder("polled");
  const full = () => {
    throw new Error("No space left on device");
  };
  await withWatch(full, async () => {
    const { following, heard } = await follow(folder);
    using _following = following;
    assertEquals(following.files, []);
    await put(`${folder}/a.mp4`);
    assertEquals(await heard.next(), ["+a.mp4"]);
    await Deno.remove(`${folder}/a.mp4`);
    assertEquals(await heard.next(), ["-a.mp4"]);
  });
});

Deno.test("FollowedFolder watches new sub-folders, and nothing outside", async () => {
  const folder = await media.folder("watched");
  const outside = await media.folder("outside");
  await Deno.symlink(outside, `${folder}/link`);
  const watched: string[][] = [];
  const { watchFs } = Deno;
  const watch: typeof Deno.watchFs = (paths, options) => {
    watched.push([paths].flat());
    assertEquals(options?.recursive, false);
    return watchFs(paths, options);
  };
  await withWatch(watch, async () => {
    const { following, heard } = await follow(folder);
    using _following = following;
    await Deno.mkdir(`${folder}/sub`);
    await put(`${folder}/sub/a.mp4`);
    assertEquals(await heard.next(), ["+sub/a.mp4"]);
    await put(`${folder}/sub/b.mp4`);
    assertEquals(await heard.next(), ["+sub/b.mp4"]);
  });
  assertEquals(watched, [[folder], [folder, `${folder}/sub`]]);
});

Deno.test("FollowedFolder is empty while its folder is gone", async () => {
  const folder = await media.folder("leaving");
  await Deno.writeTextFile(`${folder}/a.mp4`, "a");
  const { following, heard } = await follow(folder);
  using _following = following;
  await Deno.rename(folder, `${folder} away`);
  assertEquals(await heard.next(), ["-a.mp4"]);
  await Deno.rename(`${folder} away`, folder);
  assertEquals(await heard.next(), ["+a.mp4"]);
  const missing = new Library(folder, { times: SOON });
  await Deno.remove(folder, { recursive: true });
  assertEquals(await heard.next(), ["-a.mp4"]);
  await assertRejects(() => missing.follow(() => {}), Error, "Cannot look into the media folder");
});

Deno.test("FollowedFolder looks once for all who follow, and not when nobody does", async () => {
  let looks = 0;
  let files: Candidate[] = [];
  const followed = new FollowedFolder({
    scan: () => {
      looks++;
      return Promise.resolve(files);
    },
    times: { ...SOON, poll: 5 },
  });
  const [one, two] = [new Heard(), new Heard()];
  {
    using first = await followed.follow(one.hear);
    using second = await followed.follow(two.hear);
    assertEquals([first.files, second.files], [[], []]);
    const state = { size: 1, modified: 0, identity: "1 1", stamp: "1" };
    files = [{ name: "a", path: "/a", size: 1, state }];
    assertEquals([await one.next(), await two.next()], [["+a"], ["+a"]]);
    second[Symbol.dispose]();
    files = [{ ...files[0], state: { ...state, stamp: "2" } }];
    assertEquals(await one.next(), ["+a"]);
  }
  const before = looks;
  using again = await followed.follow(two.hear);
  assertEquals([looks, again.files.length], [before + 1, 1]);
});
