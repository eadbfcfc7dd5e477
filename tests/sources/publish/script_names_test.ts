import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import type { Logger } from "../../../lib/base/log.ts";
import { encodeFrame } from "../../../lib/protocol/native/framing.ts";
import { MemoryBudget } from "../../../lib/sources/limits.ts";
import { LiveSources } from "../../../lib/sources/live/registry.ts";
import { parseLiveSource } from "../../../lib/sources/live/source_spec.ts";
import {
  Publications,
  type PublicationsOptions,
  type Publisher,
} from "../../../lib/sources/publish/published.ts";
import { ScriptNames } from "../../../lib/sources/publish/script_names.ts";
import { pureTest } from "../../support/pure_test.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

const PUBLISHER: Publisher = {
  onDemand: false,
  ask() {},
  onViewers() {},
  recycle() {},
  evict() {},
};

/** A server's sources, of which scripts push `cam`. */
class Names implements AsyncDisposable {
  readonly clock = new HandClock();
  /** Settles when a source is given up. */
  readonly givenUp = Promise.withResolvers<void>();
  readonly live: LiveSources;
  readonly publications: Publications;
  readonly names: ScriptNames;

  constructor(
    { files = [], ...options }: Partial<PublicationsOptions> & { files?: string[] } = {},
  ) {
    const logger: Logger = {
      log: (_level, message) => {
        if (message.includes("given up")) this.givenUp.resolve();
      },
    };
    this.live = new LiveSources({ sources: [] }, {
      ...{ budget: new MemoryBudget(1e9), logger, clock: this.clock },
      ...{
        dialect: { inputTimeBase: "-1", rotationBy: "tag", soundStart: "packet" },
        prepare: encodeFrame,
      },
    });
    this.publications = new Publications(this.live, {
      ...{ max: 8, linger: 10, logger, clock: this.clock },
      ...options,
    });
    this.publications.reserve(parseLiveSource("cam=script::0"));
    this.names = new ScriptNames("cam", {
      publications: this.publications,
      isFile: (name) => Promise.resolve(files.includes(name)),
    });
  }

  /** A script that begins, and what loses it. */
  async begin(address: string): Promise<{ name: string; leave(): void }> {
    const publisher = { ...PUBLISHER };
    const { name, source } = await this.names.begin(publisher, address);
    return { name, leave: () => void source.lose(publisher) };
  }

  /** The names of some scripts of one address that begin, and stay. */
  async all(count: number, address = "10.0.0.1"): Promise<string[]> {
    const names: string[] = [];
    while (names.length < count) names.push((await this.begin(address)).name);
    return names;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.publications[Symbol.dispose]();
    await this.live[Symbol.asyncDispose]();
  }
}

pureTest("ScriptNames.begin() gives names that are free, in order", async () => {
  await using studio = new Names({ files: ["cam-3"] });
  studio.publications.reserve(parseLiveSource("cam-2=script::0"));
  studio.live.add({ name: "cam-4", kind: "network", input: "a client" });
  studio.publications.begin("cam-5", PUBLISHER);
  // Kept for a publisher that may come back.
  studio.publications.begin("cam-6", PUBLISHER).lose(PUBLISHER);
  assertEquals(await studio.all(3), ["cam", "cam-7", "cam-8"]);
});

pureTest("ScriptNames.begin() gives a script that comes back the name that it had", async () => {
  await using studio = new Names();
  const [left, right] = [await studio.begin("10.0.0.1"), await studio.begin("10.0.0.2")];
  left.leave();
  right.leave();
  const back = await studio.begin("10.0.0.2");
  assertEquals([left.name, right.name, back.name], ["cam", "cam-2", "cam-2"]);
  // Another address gets the first free one, and so does one whose name is taken.
  const other = await studio.begin("10.0.0.3");
  assertEquals([other.name, (await studio.begin("10.0.0.1")).name], ["cam", "cam-3"]);
  back.leave();
  assertEquals((await studio.begin("10.0.0.4")).name, "cam-2");
});

pureTest("a script does not get a name that is kept for another publisher", async () => {
  await using studio = new Names();
  assertEquals(await studio.all(2), ["cam", "cam-2"]);
  const publisher = { ...PUBLISHER };
  studio.publications.begin("cam-2", publisher, { replace: true }).lose(publisher);
  const next = await studio.begin("10.0.0.1");
  assertEquals(next.name, "cam-3");
  // A name that is kept for a script is free for the others.
  next.leave();
  assertEquals((await studio.begin("10.0.0.2")).name, "cam-3");
});

pureTest("a script gets the first of its free names", async () => {
  await using studio = new Names();
  const scripts = [await studio.begin("10.0.0.1"), await studio.begin("10.0.0.1")];
  scripts[1].leave();
  scripts[0].leave();
  assertEquals((await studio.begin("10.0.0.1")).name, "cam");
});

pureTest(
  "the first name stays without a script, the others for the time of the linger",
  async () => {
    await using studio = new Names();
    const scripts = [await studio.begin("10.0.0.1"), await studio.begin("10.0.0.1")];
    assertEquals([studio.live.names, studio.publications.count], [["cam", "cam-2"], 2]);
    for (const { leave } of scripts) leave();
    assertEquals([studio.live.names, studio.publications.count], [["cam", "cam-2"], 1]);
    await studio.clock.asleep();
    studio.clock.pass(10_000);
    await studio.givenUp.promise;
    assertEquals([studio.live.names, studio.publications.count], [["cam"], 0]);
    const entries = studio.live.entries().map(({ name, published }) => [name, published]);
    assertEquals(entries, [["cam", true]]);
  },
);

pureTest("ScriptNames.begin() refuses a script if there are too many publishers", async () => {
  await using studio = new Names({ max: 2 });
  // A name that is only kept takes no place.
  studio.publications.begin("door", PUBLISHER);
  const first = await studio.begin("10.0.0.1");
  const refused = await assertRejects(() => studio.begin("10.0.0.1"), RequestError);
  assertEquals(refused.code, "busy");
  first.leave();
  studio.publications.begin("window", PUBLISHER);
  assertThrows(() => studio.publications.begin("roof", PUBLISHER), RequestError, "2 publishers");
  await assertRejects(() => studio.begin("10.0.0.1"), RequestError, "2 publishers");
});

pureTest("a reserved name is not given to other publishers", async () => {
  await using studio = new Names();
  const begin = () => studio.publications.begin("cam", PUBLISHER, { replace: true });
  assertThrows(begin, RequestError, "a live source of the server has that name");
  await studio.begin("10.0.0.1");
  assertThrows(begin, RequestError, "a live source of the server has that name");
});
