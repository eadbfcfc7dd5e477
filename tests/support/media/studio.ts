/** Renditions of files whose decoders are made up. */
import { assertEquals } from "@std/assert";
import type { TimedFrame } from "../../../lib/media/source.ts";
import type { Opening } from "../../../lib/sources/cache/reader.ts";
import { SharedRenditions } from "../../../lib/sources/cache/shared_renditions.ts";
import { stateOf } from "../../../lib/sources/file/file_state.ts";
import type { MediaFile } from "../../../lib/sources/file/library.ts";
import type { MediaOptions } from "../../../lib/sources/file/plan.ts";
import { DecoderSemaphore } from "../../../lib/sources/limits.ts";
import { allOf, FakeSource, frameAt, TEN_FRAMES } from "./fake_source.ts";
import { HandClock } from "../time/hand_clock.ts";
import { mediaFolder } from "./media_folder.ts";

const folder = mediaFolder();

/** Milliseconds since 1970, long ago. */
export const LONG_AGO = 1e12;

/** A file that was last changed long ago, by what the system is said to tell of it. */
export async function oldFile(name: string): Promise<MediaFile> {
  const path = await folder.write(name, "media");
  const state = stateOf(await Deno.stat(path));
  return { name, path, size: 5, state, info: { kind: "video", format: "matroska,webm" } };
}

/** Has the system say of all files that they were changed at some time. */
export function changedAt(milliseconds: () => number): Disposable {
  const { stat } = Deno;
  Deno.stat = async (path) => ({ ...await stat(path), ctime: new Date(milliseconds()) });
  return { [Symbol.dispose]: () => void (Deno.stat = stat) };
}

/** Renditions of a file whose decoders are made up. */
export class Studio {
  /** Of which it takes when viewers have been idle for too long. */
  readonly clock = new HandClock();
  readonly slots: DecoderSemaphore;
  hits = 0;
  readonly renditions: SharedRenditions;
  /** The sources so far. */
  readonly opened: FakeSource[] = [];
  /** Seconds that viewers were postponed by. */
  readonly postponed: number[] = [];
  /** Makes the source of a decoder. */
  make: () => FakeSource = () => new FakeSource(TEN_FRAMES);

  /** @param size bytes that are kept */
  constructor(size: number, { decoders = 2 }: { decoders?: number } = {}) {
    const { clock } = this;
    const slots = new DecoderSemaphore(decoders, { clock });
    this.slots = slots;
    this.renditions = new SharedRenditions({ size, slots, clock, onHit: () => this.hits++ });
  }

  opening(parts: Partial<Opening> & { speed?: number } = {}): Opening {
    const { speed = 1, ...others } = parts;
    const { signal } = new AbortController();
    return {
      open: () => {
        const source = this.make();
        this.opened.push(source);
        return Promise.resolve(source);
      },
      takeSlot: (options) => this.slots.take({ signal, ...options }),
      pacer: {
        ...{ speed, lateness: () => 0.001, pausedFor: undefined },
        postpone: (by) => void this.postponed.push(by),
      },
      ...{ signal, isStart: true },
      ...others,
    };
  }

  open(file: MediaFile, options: MediaOptions = {}, opening = this.opening()) {
    return this.renditions.open({ file, options }, opening);
  }

  /** Opens a response and takes all of it; gives how many decoders that took. */
  async decoders(
    file: MediaFile,
    options: MediaOptions = {},
    opening?: Opening,
  ): Promise<number> {
    const before = this.opened.length;
    await using source = await this.open(file, options, opening);
    const expected = this.make();
    assertEquals((await allOf(source)).map(plain), (await allOf(expected)).map(plain));
    return this.opened.length - before;
  }
}

/** A frame without what depends on who gives it. */
export function plain({ streamId, timestamp, due, keyframe, data }: TimedFrame) {
  return { streamId, timestamp, due, keyframe, data };
}

/** Takes some frames, each before the next is asked for. */
export async function take(source: AsyncGenerator<TimedFrame>, count: number): Promise<number[]> {
  const timestamps: number[] = [];
  while (timestamps.length < count) {
    const { value } = await source.next();
    if (value === undefined) break;
    assertEquals(value.data, frameAt(value.timestamp, { size: value.data.length }).data);
    timestamps.push(value.timestamp);
  }
  return timestamps;
}
