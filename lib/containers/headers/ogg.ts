/** Ogg with Vorbis or Opus alone: the header packets, and the position of the last page (RFC 3533, 6). */
import type { FileBytes } from "../packet_file.ts";
import { type FileHeader, toDuration, toText, toView } from "./header.ts";

/** Bytes of a page before the table of its segments. */
const PAGE_HEADER = 27;

/** Bytes of the largest page. */
const MAX_PAGE = PAGE_HEADER + 255 + 255 * 255;

/** Bytes at the beginning that hold all headers; pictures in comments may take more. */
const MAX_HEADERS = 64 * 1024;

/** Flag of the first page of a stream. */
const FIRST = 2;

/** Position of a page on which no packet ends. */
const NOWHERE = 0xffffffffffffffffn;

/** Samples a second of Opus, always. */
const OPUS_RATE = 48_000;

/** Comments that FFmpeg takes for more than texts. */
const TELLING = /^(language|metadata_block_picture|coverart|chapter.*)$/i;

interface Page {
  flags: number;
  /** Samples at the end of the last packet that ends on it. */
  position: bigint;
  serial: number;
  /** Lengths of the segments. */
  segments: Uint8Array;
  data: Uint8Array;
  /** Offset behind it. */
  end: number;
}

/** Reads the headers of an Ogg file; `undefined` for other codecs, several streams, and all that is unusual. */
export async function readOggHeader(bytes: FileBytes): Promise<FileHeader | undefined> {
  const start = await bytes.read(0, Math.min(bytes.size, MAX_HEADERS));
  const first = readPage(start, 0);
  const last = await findLastPage(bytes);
  if (first === undefined || last === undefined || (first.flags & FIRST) === 0) return undefined;
  const isOpus = toText(first.data.subarray(0, 8)) === "OpusHead";
  if (!isOpus && toText(first.data.subarray(0, 7)) !== "\x01vorbis") return undefined;
  const count = isOpus ? 2 : 3;
  const headers = readHeaders(start, { count, serial: first.serial });
  if (headers === undefined || last.serial !== first.serial) return undefined;
  const { packets, next } = headers;
  const comments = readComments(packets[1], isOpus ? "OpusTags" : "\x03vorbis");
  const rate = isOpus ? OPUS_RATE : toView(packets[0]).getUint32(12, true);
  if (comments === undefined || rate === 0 || !beginsAtZero(next, packets[0], isOpus)) {
    return undefined;
  }
  const codec = [packets[0], ...packets.slice(2)].map((packet) => packet.toBase64());
  return {
    likeness: `ogg ${codec.join(" ")}`,
    duration: toDuration(Number(last.position), rate),
    title: comments.title,
  };
}

function readPage(bytes: Uint8Array, at: number): Page | undefined {
  if (at + PAGE_HEADER > bytes.length) return undefined;
  const view = toView(bytes.subarray(at));
  if (toText(bytes.subarray(at, at + 4)) !== "OggS" || view.getUint8(4) !== 0) return undefined;
  const begin = at + PAGE_HEADER + view.getUint8(26);
  const segments = bytes.subarray(at + PAGE_HEADER, begin);
  const end = begin + segments.reduce((sum, length) => sum + length, 0);
  if (end > bytes.length) return undefined;
  return {
    flags: view.getUint8(5),
    position: view.getBigUint64(6, true),
    serial: view.getUint32(14, true),
    ...{ segments, data: bytes.subarray(begin, end), end },
  };
}

/** The page that the file ends with. */
async function findLastPage(bytes: FileBytes): Promise<Page | undefined> {
  const length = Math.min(bytes.size, MAX_PAGE);
  const end = await bytes.read(bytes.size - length, length);
  for (let at = length - PAGE_HEADER; at >= 0; at--) {
    if (end[at] !== 0x4f || end[at + 1] !== 0x67) continue;
    const page = readPage(end, at);
    if (page?.end === length) return page.position === NOWHERE ? undefined : page;
  }
  return undefined;
}

/** The packets in front of the sound, which begins on the page behind them. */
function readHeaders(
  bytes: Uint8Array,
  { count, serial }: { count: number; serial: number },
): { packets: Uint8Array[]; next: Page } | undefined {
  const packets: Uint8Array[] = [];
  let parts: Uint8Array[] = [];
  for (let page = readPage(bytes, 0); page?.serial === serial; page = readPage(bytes, page.end)) {
    if (packets.length === count) return parts.length === 0 ? { packets, next: page } : undefined;
    let at = 0;
    for (const length of page.segments) {
      parts.push(page.data.subarray(at, at += length));
      if (length === 255) continue;
      packets.push(new Uint8Array(parts.flatMap((part) => [...part])));
      parts = [];
    }
    if (packets.length > count) return undefined;
  }
  return undefined;
}

/** The title in the comments (Vorbis I specification, 5); `undefined` if they tell more than texts. */
function readComments(packet: Uint8Array, name: string): { title?: string } | undefined {
  if (!toText(packet.subarray(0, name.length)).startsWith(name)) return undefined;
  const view = toView(packet);
  const decoder = new TextDecoder();
  let at = name.length;
  const take = () => {
    const length = at + 4 <= packet.length ? view.getUint32(at, true) : Infinity;
    at += 4;
    if (at + length > packet.length) return undefined;
    return decoder.decode(packet.subarray(at, at += length));
  };
  if (take() === undefined || at + 4 > packet.length) return undefined;
  const titles: string[] = [];
  const count = view.getUint32(at, true);
  at += 4;
  for (let index = 0; index < count; index++) {
    const comment = take();
    const [key, value] = comment?.split(/=(.*)/s) ?? [];
    if (value === undefined || TELLING.test(key)) return undefined;
    if (/^title$/i.test(key)) titles.push(value);
  }
  return titles.length > 1 || titles.includes("") ? undefined : { title: titles[0] };
}

/** Whether the first page with sound has as many samples as its position says. */
function beginsAtZero(
  { position, segments, data }: Page,
  head: Uint8Array,
  isOpus: boolean,
): boolean {
  const packets = segments.filter((length) => length < 255).length;
  if (position === NOWHERE || packets === 0) return false;
  if (!isOpus) {
    // The larger of the two sizes of blocks; that of each packet takes the setup to know.
    return position <= BigInt(packets * 2 ** (head[28] >> 4));
  }
  let samples = 0;
  let at = 0;
  let isStart = true;
  for (const length of segments) {
    if (isStart) samples += opusSamples(data, at);
    at += length;
    isStart = length < 255;
  }
  return Number(position) <= samples && Number(position) > samples - 5760;
}

/** Samples of a packet of Opus by its first bytes (RFC 6716, 3.1). */
function opusSamples(data: Uint8Array, at: number): number {
  const config = data[at] >> 3;
  const samples = config < 12
    ? [480, 960, 1920, 2880][config % 4]
    : config < 16
    ? [480, 960][config % 2]
    : [120, 240, 480, 960][config % 4];
  const code = data[at] & 3;
  return samples * (code === 3 ? data[at + 1] & 0x3f : code === 0 ? 1 : 2);
}
