import { assertStrictEquals } from "@std/assert";
import type { StreamDescription } from "../../../lib/media/frame.ts";
import type { TimedFrame } from "../../../lib/media/source.ts";
import { SharedRendition } from "../../../lib/sources/cache/shared_rendition.ts";
import { BlockStore } from "../../../lib/sources/cache/blocks.ts";
import { FakeSource, frameAt, PICTURES, SOUND } from "../../support/media/fake_source.ts";

const CODED: StreamDescription = { ...PICTURES, codec: "h264" };

const picture = (at: number) => frameAt(at);
const sound = (at: number) => frameAt(at, { streamId: 1 });

Deno.test("SharedRendition.entryFor() ends if decoders ended at positions that cross", async () => {
  const nothing = () => {};
  const store = new BlockStore({ limit: 100_000, unread: () => new Map() });
  const rendition = new SharedRendition("key", {
    ...{ family: "family", start: 0, name: "film.mp4", store },
    accept: (source) => Promise.resolve(source),
    ...{ onMismatch: nothing, onRemoved: nothing, onChange: nothing, onMore: nothing },
  });
  const make = async (frames: readonly TimedFrame[]) => {
    const producer = rendition.produce({
      ...{ place: { counts: new Map(), keys: new Map() }, isShared: true, keepsStart: false },
      slot: { [Symbol.dispose]: nothing },
      open: () => Promise.resolve(new FakeSource([...frames, picture(9)], STREAMS)),
    });
    for (const _ of frames) await producer.advance();
    await producer.stop();
  };
  await make([picture(0), sound(0), sound(1)]);
  await make([picture(0), picture(1), sound(0)]);
  assertStrictEquals(rendition.blocks.length, 2);
  // Too little is kept for a new decoder to come there in time.
  assertStrictEquals(rendition.entryFor(0), undefined);
});

const STREAMS = { streams: [CODED, SOUND] };
