import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { FRAME_HEADROOM, FRAME_TAILROOM } from "../../../lib/media/frame.ts";
import type { FrameSource, TimedFrame } from "../../../lib/media/source.ts";
import { type Continuation, ReplayedSource } from "../../../lib/sources/cache/cached_source.ts";
import type { CachedStart } from "../../../lib/sources/cache/store.ts";
import { allOf, FakeSource, frameAt, PICTURES, SOUND } from "../../support/media/fake_source.ts";
import { pureTest } from "../../support/pure_test.ts";

const picture = (at: number) => frameAt(at);
const sound = (at: number) => frameAt(at, { streamId: 1 });

const BEGINNING = [picture(0), sound(0), picture(1), picture(2), sound(2)];
const REST = [picture(3), sound(4), picture(4)];

/** A cached start, and whether it is still held. */
function hold(frames: readonly TimedFrame[] = BEGINNING, isWhole = false) {
  const start: CachedStart = { streams: [PICTURES, SOUND], notes: ["A note"], frames, isWhole };
  const held = { start, isHeld: true, [Symbol.dispose]: () => void (held.isHeld = false) };
  return held;
}

/** What follows the cached start. */
function followedBy(
  open: FrameSource | ((signal: AbortSignal) => Promise<FrameSource>),
): Continuation & { mismatches: number; waits: number[] } {
  const continuation = {
    ...{ name: "a.mkv", mismatches: 0, waits: [] as number[] },
    open: typeof open === "function" ? open : () => Promise.resolve(open),
    onMismatch: () => void continuation.mismatches++,
    onWait: (due: number) => void continuation.waits.push(due),
  };
  return continuation;
}

pureTest(
  "ReplayedSource gives the cached start, and then what the source has behind it",
  async () => {
    // The streams may well be in another order beside each other.
    const rest = [sound(0), picture(0), sound(2), sound(4), picture(1), picture(2), picture(3)];
    const source = new FakeSource(rest);
    const continuation = followedBy(source);
    const held = hold();
    await using replayed = new ReplayedSource(held, continuation);
    assertEquals([replayed.streams, replayed.notes], [held.start.streams, held.start.notes]);
    assertEquals(await allOf(replayed), [...BEGINNING, sound(4), picture(3)]);
    assertEquals([continuation.mismatches, continuation.waits], [0, [0.4]]);
    assertStrictEquals(held.isHeld, false);
    source.warning = "damaged";
    assertStrictEquals(replayed.warning, "damaged");
  },
);

pureTest(
  "ReplayedSource gives each reader memory of its own, with headroom and tailroom",
  async () => {
    const held = hold();
    const whole = () => new ReplayedSource({ ...held, [Symbol.dispose]() {} }).frames();
    const others = whole();
    for await (const frame of whole()) {
      const { data } = frame;
      assertStrictEquals(data.byteOffset >= FRAME_HEADROOM, true);
      const behind = data.buffer.byteLength - data.byteOffset - data.byteLength;
      assertStrictEquals(behind >= FRAME_TAILROOM, true);
      const { value: other } = await others.next();
      assertEquals(frame, other);
      new Uint8Array(data.buffer).fill(77);
      frame.discontinuity = true;
      assertStrictEquals(other?.discontinuity, undefined);
      assertEquals(
        other?.data,
        held.start.frames.find(({ timestamp, streamId }) =>
          timestamp === other?.timestamp && streamId === other.streamId
        )?.data,
      );
    }
    assertEquals(held.start.frames, BEGINNING);
  },
);

pureTest("ReplayedSource skips the start in the source while it is being sent", async () => {
  const source = new FakeSource([...BEGINNING, ...REST]);
  await using replayed = new ReplayedSource(hold(), followedBy(source));
  const frames = replayed.frames();
  await frames.next();
  assertStrictEquals(source.given, 0);
  await frames.next();
  // The first frame behind the start waits for its turn.
  for (let turns = 0; turns < 200; turns++) await Promise.resolve();
  assertStrictEquals(source.given, BEGINNING.length + 1);
  await frames.return(undefined);
});

pureTest("ReplayedSource opens nothing if nothing follows the start", async () => {
  const held = hold(BEGINNING, true);
  await using replayed = new ReplayedSource(held);
  assertEquals(await allOf(replayed), BEGINNING);
  assertEquals([held.isHeld, replayed.warning], [false, undefined]);
});

const OTHERS: Record<string, FakeSource> = {
  "has another moment": new FakeSource([picture(0), sound(0), picture(2), sound(2), ...REST]),
  "has another size": new FakeSource([picture(0), frameAt(0, { streamId: 1, size: 9 }), ...REST]),
  "ends too soon": new FakeSource(BEGINNING.slice(0, -1)),
  "has other streams": new FakeSource([...BEGINNING, ...REST], { streams: [PICTURES] }),
  "has streams of another kind": new FakeSource([...BEGINNING, ...REST], {
    streams: [PICTURES, { ...SOUND, extradata: new Uint8Array([1, 3]) }],
  }),
};

for (const [what, source] of Object.entries(OTHERS)) {
  pureTest(`ReplayedSource fails behind the start if the source ${what}`, async () => {
    const continuation = followedBy(source);
    const replayed = new ReplayedSource(hold(), continuation);
    const given: number[] = [];
    const error = await assertRejects(async () => {
      for await (const { timestamp } of replayed.frames()) given.push(timestamp);
    }, RequestError);
    assertEquals(given, BEGINNING.map(({ timestamp }) => timestamp));
    assertStrictEquals(error.code, "media_error");
    assertStrictEquals(
      error.message,
      'Cannot go on with "a.mkv": it does not begin as it did before, ask again',
    );
    assertStrictEquals(continuation.mismatches, 1);
    await replayed[Symbol.asyncDispose]();
    assertStrictEquals(source.isOpen, false);
  });
}

pureTest("ReplayedSource throws the error of the opening behind the start", async () => {
  const failing = followedBy(() => Promise.reject(new RequestError("media_error", "Cannot open")));
  await using replayed = new ReplayedSource(hold(), failing);
  const frames = replayed.frames();
  for (const { timestamp } of BEGINNING) {
    assertStrictEquals((await frames.next()).value?.timestamp, timestamp);
  }
  await assertRejects(() => frames.next(), RequestError, "Cannot open");
  assertStrictEquals(failing.mismatches, 0);
});

pureTest("ReplayedSource passes on what fails behind the start", async () => {
  const failure = new RequestError("media_error", "Cannot decode");
  const source = new FakeSource([...BEGINNING, ...REST], { failure });
  await using replayed = new ReplayedSource(hold(), followedBy(source));
  const given: TimedFrame[] = [];
  await assertRejects(
    async () => {
      for await (const frame of replayed.frames()) {
        given.push({ ...frame, data: frame.data.slice() });
      }
    },
    RequestError,
    "Cannot decode",
  );
  assertEquals(given, [...BEGINNING, ...REST]);
});

pureTest("ReplayedSource ends what is being opened, and waits for its end", async () => {
  const source = new FakeSource([...BEGINNING, ...REST]);
  const opening = Promise.withResolvers<FrameSource>();
  let unwanted: AbortSignal | undefined;
  const held = hold();
  const replayed = new ReplayedSource(
    held,
    followedBy((signal) => {
      unwanted = signal;
      return opening.promise;
    }),
  );
  const frames = replayed.frames();
  await frames.next();
  await frames.next();
  assertStrictEquals(unwanted?.aborted, false);
  let isOver = false;
  const ended = replayed[Symbol.asyncDispose]().then(() => isOver = true);
  assertEquals([unwanted.aborted, held.isHeld], [true, false]);
  for (let turns = 0; turns < 100; turns++) await Promise.resolve();
  assertStrictEquals(isOver, false);
  opening.resolve(source);
  await ended;
  assertStrictEquals(source.isOpen, false);
  await replayed[Symbol.asyncDispose]();
});

pureTest("ReplayedSource that nobody looked at opens nothing", async () => {
  const held = hold();
  const never = followedBy(() => Promise.reject(new Error("opened")));
  const replayed = new ReplayedSource(held, never);
  await replayed[Symbol.asyncDispose]();
  await replayed[Symbol.asyncDispose]();
  assertStrictEquals(held.isHeld, false);
});
