/** Gives the packets of a file from a time on. */
import { TruncatedError } from "../../base/errors.ts";
import type { FileBytes, Packet, PacketOptions } from "../packet_file.ts";
import { type Block, ClusterReader } from "./clusters.ts";
import { type CueIndex, lastCue } from "./cues.ts";
import { broken } from "./ebml.ts";
import { addPackets, type PacketMaker } from "./frames.ts";
import type { Segment } from "./segment.ts";
import { Window } from "./window.ts";

/** Bytes of one read. */
const CHUNK = 256 * 1024;

/** Seconds of a batch, and bytes after which it is given earlier. */
const BATCH = 1, MAX_BATCH = 4 * 2 ** 20;

/** Seconds of sound that are given in front of the first picture, at least. */
const SOUND_LEAD = 1;

/** Bytes that are read for the first packet of each track before an earlier place is tried. */
const MAX_HEAD = 16 * 2 ** 20;

/**
 * Seconds in front of the wanted time in which sound is looked for: no file has it that far apart from
 * its pictures, so that it has ended, or has a gap.
 */
const MAX_APART = 10;

/** A file whose parts are known. */
export interface OpenedFile {
  bytes: FileBytes;
  segment: Segment;
  makers: readonly PacketMaker[];
  /** Numbers of all tracks in blocks. */
  numbers: ReadonlySet<number>;
  /** Clusters of the video track, or else of the audio track. */
  cues: CueIndex;
  /** Nanoseconds of a tick. */
  scale: number;
}

/** The position from which packets are read. */
interface Entry {
  /** Number of the entry in the index from which clusters are read; -1 for the first cluster. */
  from: number;
  /** The same from which pictures are given. */
  pictures: number;
}

/** Gives packets as `PacketFile.packets()` does. */
export async function* readPackets(
  file: OpenedFile,
  { tracks, from }: PacketOptions,
): AsyncGenerator<readonly Packet[]> {
  const makers = file.makers.filter(({ track }) => tracks.includes(track.index));
  if (makers.length === 0) return;
  const ticks = from * 1e9 / file.scale;
  let run = await beginAt(file, makers, ticks);
  let step = 1;
  const farthest = ticks - MAX_APART * 1e9 / file.scale;
  while (run.late !== undefined && run.entry.from >= 0) {
    if (run.late === "audio" && file.cues.times[run.entry.from] < farthest) break;
    const earlier = Math.max(-1, run.entry.from - step);
    // Pictures and sound may both begin too late; only what does is begun earlier.
    const pictures = run.late === "video" ? earlier : run.entry.pictures;
    run = await beginAt(file, makers, ticks, { from: earlier, pictures }, run.late);
    step *= 2;
  }
  yield* batches(run.stream, run.head, file.scale);
}

/** A stream of packets, the first of which have been read. */
interface Run {
  entry: Entry;
  stream: PacketFeed;
  head: Packet[];
  /** A kind of track that begins later than wanted. */
  late?: "video" | "audio";
}

/**
 * Reads from an entry on until each track has a packet.
 *
 * @param before what began too late before; of sound, only what is in front of the pictures is new
 */
async function beginAt(
  file: OpenedFile,
  makers: readonly PacketMaker[],
  ticks: number,
  entry?: Entry,
  before?: Run["late"],
): Promise<Run> {
  const last = lastCue(file.cues, ticks);
  const place = entry ?? { from: last, pictures: last };
  const stream = new PacketFeed(file, makers, { entry: place, ticks });
  const missing = new Map(makers.map((maker) => [maker.track.index, maker]));
  const isInFront = before === "audio" && makers.some(({ track }) => track.type === "video");
  const head: Packet[] = [];
  let size = 0;
  let late: Run["late"];
  while (missing.size > 0 && size < MAX_HEAD) {
    if (isInFront && stream.hasPictures) break;
    const packets = await stream.next();
    if (packets === undefined) break;
    for (const packet of packets) {
      const maker = missing.get(packet.track);
      if (maker !== undefined && packet.timestamp > ticks) late ??= maker.track.type;
      missing.delete(packet.track);
      head.push(packet);
      size += packet.data.byteLength;
    }
  }
  for (const { track } of missing.values()) late ??= track.type;
  return { entry: place, stream, head, late };
}

/** Packets of some tracks, one chunk at a time. */
class PacketFeed {
  #reader: ClusterReader;
  #makers: ReadonlyMap<number, PacketMaker>;
  /** Offset of the cluster from which pictures are given, until one was. */
  #pictures: number;
  #hasPictures: boolean;
  /** Timestamp from which sound is given. */
  #sound: number;
  /** The last packet before that, until one behind it was given. */
  #held: Packet[] | undefined;

  constructor(
    file: OpenedFile,
    makers: readonly PacketMaker[],
    { entry, ticks }: { entry: Entry; ticks: number },
  ) {
    const { segment, cues, numbers, scale } = file;
    this.#makers = new Map(makers.map((maker) => [maker.number, maker]));
    const start = entry.from < 0 ? segment.firstCluster : cues.offsets[entry.from];
    const isBegin = entry.pictures < 0;
    this.#pictures = isBegin ? segment.firstCluster : cues.offsets[entry.pictures];
    this.#hasPictures = isBegin || makers.every(({ track }) => track.type !== "video");
    const isCut = entry.from < entry.pictures;
    const earliest = Math.min(ticks, cues.times[Math.max(entry.pictures, 0)] ?? 0);
    this.#sound = isCut ? earliest - SOUND_LEAD * 1e9 / scale : -Infinity;
    this.#held = isCut ? [] : undefined;
    this.#reader = new ClusterReader(new Window(file.bytes, CHUNK), {
      ...{ segment, start },
      isWanted: (number) => {
        if (this.#makers.has(number)) return true;
        if (!numbers.has(number)) throw broken("block", `track ${number}`, "a known one");
        return false;
      },
    });
  }

  /** Whether pictures are given by now. */
  get hasPictures(): boolean {
    return this.#hasPictures;
  }

  /** Gives the packets of the next chunk, or `undefined` at the end. */
  async next(): Promise<Packet[] | undefined> {
    const blocks = await this.#reader.next();
    if (blocks === undefined) return undefined;
    const packets: Packet[] = [];
    for (const block of blocks) {
      const maker = this.#makers.get(block.track);
      if (maker === undefined) continue;
      if (maker.track.type === "video") this.#addPictures(packets, block, maker);
      else this.#addSound(packets, block, maker);
    }
    return packets;
  }

  /** Drops pictures that cannot be decoded from where they begin. */
  #addPictures(packets: Packet[], block: Block, maker: PacketMaker): void {
    if (this.#hasPictures) {
      addPackets(packets, block, maker);
      return;
    }
    if (block.cluster < this.#pictures) return;
    const added: Packet[] = [];
    addPackets(added, block, maker);
    const first = added.findIndex(({ keyframe }) => keyframe);
    if (first < 0) return;
    this.#hasPictures = true;
    packets.push(...added.slice(first));
  }

  /** Drops sound that is much earlier than wanted. */
  #addSound(packets: Packet[], block: Block, maker: PacketMaker): void {
    if (this.#held === undefined) {
      addPackets(packets, block, maker);
      return;
    }
    const added: Packet[] = [];
    addPackets(added, block, maker);
    for (const packet of added) {
      if (packet.timestamp >= this.#sound) {
        packets.push(...this.#held ?? [], packet);
        this.#held = undefined;
      } else if (this.#held === undefined) {
        packets.push(packet);
      } else {
        this.#held = [packet];
      }
    }
  }
}

/** Divides packets into batches. Those in front of damage are given before it is reported. */
async function* batches(
  stream: PacketFeed,
  head: Packet[],
  scale: number,
): AsyncGenerator<Packet[]> {
  const most = BATCH * 1e9 / scale;
  let [batch, size, first]: [Packet[], number, number] = [[], 0, 0];
  let packets: Packet[] | undefined = head;
  while (packets !== undefined) {
    for (const packet of packets) {
      if (batch.length === 0) first = packet.timestamp;
      if (batch.length > 0 && (packet.timestamp - first >= most || size >= MAX_BATCH)) {
        yield batch;
        [batch, size, first] = [[], 0, packet.timestamp];
      }
      batch.push(packet);
      size += packet.data.byteLength;
    }
    try {
      packets = await stream.next();
    } catch (error) {
      if (batch.length > 0 && error instanceof TruncatedError) yield batch;
      throw error;
    }
  }
  if (batch.length > 0) yield batch;
}
