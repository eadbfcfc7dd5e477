import { assertEquals, assertRejects } from "@std/assert";
import { RequestError } from "../../lib/base/errors.ts";
import type { ListPiece } from "../../lib/protocol/native/list.ts";
import type { ListEntry } from "../../lib/protocol/native/response.ts";
import { FollowedList } from "../../lib/web/followed_list.ts";

const NEVER = new AbortController().signal;

function named(name: string, entry: Partial<ListEntry> = {}): ListEntry {
  return { name, kind: "video", live: false, size: 1, codec: "h264", ...entry };
}

/** Pieces that a test gives one by one, of one request. */
class Pieces {
  #stream = new TransformStream<ListPiece, ListPiece>(undefined, { highWaterMark: 99 });
  #writer = this.#stream.writable.getWriter();

  async *read(signal: AbortSignal): AsyncGenerator<ListPiece> {
    const reader = this.#stream.readable.getReader();
    signal.addEventListener("abort", () => void reader.cancel());
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  }

  give(piece: ListPiece): void {
    this.#writer.write(piece).catch(() => {});
  }

  end(): void {
    this.#writer.close().catch(() => {});
  }
}

/** Waits for the next call of a function. */
function calls() {
  let { promise, resolve } = Promise.withResolvers<void>();
  return {
    call: () => resolve(),
    async next() {
      await promise;
      ({ promise, resolve } = Promise.withResolvers<void>());
    },
  };
}

function namesOf(entries: readonly ListEntry[]): string[] {
  return entries.map(({ name, pending }) => `${name}${pending ? "?" : ""}`);
}

Deno.test("FollowedList.list() gives the whole list if that comes soon", async () => {
  const list = new FollowedList(async function* () {
    yield { entries: [named("a", { pending: true }), named("d", { kind: "data" })], more: true };
    await Promise.resolve();
    yield { entries: [named("a")] };
  });
  assertEquals(namesOf(await list.list(NEVER)), ["a"]);
  assertEquals((await list.find("a", NEVER))?.codec, "h264");
  assertEquals(await list.find("d", NEVER), undefined);
});

Deno.test("FollowedList.list() gives names if the details take long, and reports those later", async () => {
  const pieces = new Pieces();
  const followed = new Pieces();
  const list = new FollowedList(({ follow }, signal) => (follow ? followed : pieces).read(signal));
  pieces.give({ entries: [named("a", { pending: true })], more: true });
  assertEquals(namesOf(await list.list(NEVER)), ["a?"]);
  using stop = new DisposableStack();
  const end = new AbortController();
  stop.defer(() => end.abort());
  const changes = calls();
  list.follow(changes.call, end.signal);
  pieces.give({ entries: [named("a")] });
  pieces.end();
  await changes.next();
  assertEquals(list.latest("a")?.pending, undefined);
});

Deno.test("FollowedList.follow() keeps the list up to date without further requests", async () => {
  const pieces = new Pieces();
  let requests = 0;
  const list = new FollowedList((_, signal) => {
    requests++;
    return pieces.read(signal);
  });
  const ends = [new AbortController(), new AbortController()];
  const changes = calls();
  list.follow(changes.call, ends[0].signal);
  list.follow(() => {}, ends[1].signal);
  pieces.give({ entries: [named("a"), named("b")], more: true, follow: true });
  pieces.give({ entries: [], follow: true });
  await changes.next();
  assertEquals(namesOf(await list.list(NEVER)), ["a", "b"]);
  pieces.give({ entries: [named("c")], removed: ["a"], follow: true });
  await changes.next();
  assertEquals(namesOf(await list.list(NEVER)), ["b", "c"]);
  assertEquals(requests, 1);
  for (const end of ends) end.abort();
});

Deno.test("FollowedList gives the reason if there is no list", async () => {
  const list = new FollowedList(async function* () {
    await Promise.reject(new RequestError("busy", "Cannot list now"));
    yield { entries: [] };
  });
  await assertRejects(() => list.list(NEVER), RequestError, "Cannot list now");
  await assertRejects(() => list.find("a", NEVER), RequestError, "Cannot list now");
  // Following goes on trying, and leaves nothing behind when it ends.
  const end = new AbortController();
  list.follow(() => {}, end.signal);
  end.abort();
});
