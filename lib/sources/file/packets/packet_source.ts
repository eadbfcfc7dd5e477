/** Frames of a file that is read by its index, the same ones that an FFmpeg copies out of it. */
import { deadline, onAbort, settlesWithin } from "../../../base/async.ts";
import { FormatError, RequestError, TruncatedError } from "../../../base/errors.ts";
import type { Packet } from "../../../containers/packet_file.ts";
import type { StreamDescription } from "../../../media/frame.ts";
import type { FrameSource, TimedFrame } from "../../../media/source.ts";
import type { OpenPackets } from "./packet_files.ts";
import type { PacketTrackReader } from "./packet_track.ts";

/** Milliseconds; a file on a network mount may be slow. */
const READ_TIMEOUT = 30_000;

/** Milliseconds for which a read in progress is waited for. */
const LAST_READ = 1000;

/** Seconds behind the start after which a track without packets in a batch has a gap there. */
const GAP = 0.5;

/** Seconds before the last frames of a batch from which the next one is read: disks may be busy. */
const AHEAD = 0.15;

/** Limits of a {@linkcode PacketSource}. */
export interface PacketSourceLimits {
  /** Bytes of the largest packet. */
  maxFrameSize: number;
  /** Milliseconds after which a read fails. @default 30_000 */
  readTimeout?: number;
  signal: AbortSignal;
  /** Opens the same part with FFmpeg: for packets that turn out not to be those that it copies. */
  reopen?: () => Promise<FrameSource>;
}

/** The position from which a file is read. */
export interface PacketEntry {
  /** Seconds on the timeline of the file from which packets are read. */
  from: number;
  /** Number of a track at whose first packet the others begin. */
  first?: number;
}

/** Options of {@linkcode PacketSource}. */
export interface PacketSourceOptions extends PacketSourceLimits {
  /** Name of the media, for messages. */
  name: string;
  notes: readonly string[];
  /** The position from which a file is read. */
  entry: PacketEntry;
  /** Makes the error for a source without any frame. */
  toEmptyError: () => Error;
}

/**
 * Frames of a file that is read by its index. They lie in memory that they share, and are read about
 * a second at a time.
 */
export class PacketSource implements FrameSource {
  readonly isIndexed = true;
  readonly streams: readonly StreamDescription[];
  readonly notes: readonly string[];
  #warning: string | undefined;
  #packets: OpenPackets;
  #tracks: readonly PacketTrackReader[];
  #byIndex: ReadonlyMap<number, PacketTrackReader>;
  #options: PacketSourceOptions;
  /** Number of the track at whose first packet the others begin; absent once they have. */
  #first: number | undefined;
  /** Timestamp of that packet. */
  #skippedTo: number | undefined;
  #batches: AsyncGenerator<readonly Packet[]>;
  /** The read in progress. */
  #reading: Promise<unknown> | undefined;
  /** The next batch, if it is read before it is needed. */
  #ahead: Promise<readonly Packet[] | undefined> | undefined;
  /** Number of frames that were given, by their stream. */
  #given = new Map<number, number>();
  /** Gives the rest of the frames, if the index does not hold. */
  #successor: Promise<FrameSource> | undefined;
  #successorWarning: (() => string | undefined) | undefined;

  /** @param packets disposed of with the source */
  constructor(
    packets: OpenPackets,
    tracks: readonly PacketTrackReader[],
    options: PacketSourceOptions,
  ) {
    this.#packets = packets;
    this.#tracks = tracks;
    this.#options = options;
    this.#byIndex = new Map(tracks.map((track) => [track.index, track]));
    this.streams = tracks.map(({ description }) => description);
    this.notes = options.notes;
    const { from, first } = options.entry;
    this.#first = first;
    const wanted = tracks.map(({ index }) => index);
    const read = first === undefined || wanted.includes(first) ? wanted : [first, ...wanted];
    const { allocate } = packets.memory;
    this.#batches = packets.file.packets({ tracks: read, from, allocate });
  }

  get warning(): string | undefined {
    return this.#warning ?? this.#successorWarning?.();
  }

  async *frames(): AsyncGenerator<TimedFrame> {
    const { name, reopen, signal, toEmptyError } = this.#options;
    // One generator rather than two, since each costs promises for each frame of each viewer.
    try {
      let isEmpty = true;
      let hasMore = true;
      while (true) {
        signal.throwIfAborted();
        if (hasMore && this.#needsMore()) {
          hasMore = await this.#readBatch();
          continue;
        }
        const frame = this.#earliest()?.take();
        if (frame === undefined) break;
        isEmpty = false;
        if (hasMore && this.#ahead === undefined && frame.due > this.#end() - AHEAD) {
          this.#ahead = this.#nextBatch();
          // Thrown when its packets are needed.
          this.#ahead.catch(() => {});
        }
        this.#given.set(frame.streamId, (this.#given.get(frame.streamId) ?? 0) + 1);
        yield frame;
        this.#packets.memory.release(frame.data.buffer);
      }
      if (isEmpty) throw toEmptyError();
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      if (reopen === undefined) throw decodingError(name, error.message, error);
      this.#packets.refuse();
      yield* this.#framesOf(this.#successor = reopen());
    }
  }

  /** Goes on with the frames of another source, behind those that were given. */
  async *#framesOf(opening: Promise<FrameSource>): AsyncGenerator<TimedFrame> {
    const source = await opening;
    this.#successorWarning = () => source.warning;
    for await (const frame of source.frames()) {
      const left = this.#given.get(frame.streamId) ?? 0;
      if (left > 0) this.#given.set(frame.streamId, left - 1);
      else yield frame;
    }
  }

  /** Closes the file, unless others read it, too. */
  async [Symbol.asyncDispose](): Promise<void> {
    // A disk that hangs is not waited for.
    const reading = this.#reading?.catch(() => {});
    if (reading === undefined || await settlesWithin(reading, LAST_READ)) {
      await this.#batches.return(undefined);
    }
    await this.#packets[Symbol.asyncDispose]();
    const successor = await this.#successor?.catch(() => undefined);
    await successor?.[Symbol.asyncDispose]();
  }

  /** Whether a frame that is due earlier than those at hand may be in the next batch. */
  #needsMore(): boolean {
    const due = this.#earliest()?.due ?? Infinity;
    // A track without packets in the latest batch has a gap that lasts at least as long.
    return due === Infinity ||
      this.#tracks.some((track) => track.isAwaited && track.reached <= due);
  }

  /** Seconds up to which frames are at hand. */
  #end(): number {
    let end = Infinity;
    for (const track of this.#tracks) if (track.continues) end = Math.min(end, track.lastDue);
    return end;
  }

  /** The track whose next frame is due first. */
  #earliest(): PacketTrackReader | undefined {
    let earliest: PacketTrackReader | undefined;
    for (const track of this.#tracks) {
      if (track.due < (earliest?.due ?? Infinity)) earliest = track;
    }
    return earliest;
  }

  /** Hands the next batch to the tracks; false at the end. */
  async #readBatch(): Promise<boolean> {
    for (const track of this.#tracks) track.beginBatch();
    const isOver = this.#tracks.every(({ isOver }) => isOver);
    const batch = isOver ? undefined : await (this.#ahead ?? this.#nextBatch());
    this.#ahead = undefined;
    if (batch === undefined) {
      for (const track of this.#tracks) track.end();
      return false;
    }
    const { maxFrameSize, name } = this.#options;
    const { memory } = this.#packets;
    // Until all packets are dealt out: those that become no frame are out of use then.
    const pieces = new Set(batch.map(({ data }) => data.buffer));
    for (const piece of pieces) memory.hold(piece);
    for (const packet of batch) {
      if (this.#isSkipped(packet, batch)) continue;
      const size = packet.data.byteLength;
      if (size > maxFrameSize) {
        throw new RequestError(
          "media_error",
          `Cannot send "${name}": it has a packet of ${size} bytes, expected at most ${maxFrameSize}`,
        );
      }
      this.#byIndex.get(packet.track)?.add(packet);
    }
    for (const piece of pieces) memory.release(piece);
    this.#endGaps();
    return true;
  }

  /** Whether a packet is earlier than the one that begins the others. */
  #isSkipped({ track, timestamp }: Packet, batch: readonly Packet[]): boolean {
    if (this.#first === undefined || track === this.#first) return false;
    this.#skippedTo ??= batch.find(({ track }) => track === this.#first)?.timestamp;
    if (timestamp < (this.#skippedTo ?? Infinity)) return true;
    this.#first = undefined;
    return false;
  }

  /** Ends the preroll of tracks without packets while others are behind the start. */
  #endGaps(): void {
    const isBehind = this.#tracks.some(({ time, wasInBatch }) => wasInBatch && time > GAP);
    if (!isBehind) return;
    for (const track of this.#tracks) if (!track.wasInBatch) track.endPreroll();
  }

  /** Reads the next batch; `undefined` at the end. */
  async #nextBatch(): Promise<readonly Packet[] | undefined> {
    const { signal, name, readTimeout = READ_TIMEOUT } = this.#options;
    const { promise: given, resolve, reject } = Promise.withResolvers<
      readonly Packet[] | undefined
    >();
    const late = `the file could not be read for ${readTimeout / 1000} s`;
    using _listener = onAbort(signal, () => reject(signal.reason));
    using _limit = deadline(readTimeout, () => reject(decodingError(name, late)));
    const reading = this.#batches.next();
    this.#reading = reading;
    reading.then(({ value, done }) => resolve(done ? undefined : value), reject);
    try {
      const batch = await given;
      this.#reading = undefined;
      return batch;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof TruncatedError) {
        // All packets before that are sent, as FFmpeg does.
        this.#warning = "the file ends inside a packet";
        return undefined;
      }
      throw error;
    }
  }
}

function decodingError(name: string, reason: string, cause?: Error): RequestError {
  return new RequestError("media_error", `Cannot decode "${name}": ${reason}`, { cause });
}
