/** Capture files of TCP connections, from bytes that were really exchanged. */
import type { Said } from "../peers/recording_proxy.ts";
import { concat } from "./bytes.ts";

/** A connection to put into a capture. */
export interface CapturedConnection {
  said: readonly Said[];
  /** Port of the server. */
  port: number;
  /**
   * Bytes of the segments, again from the first when all are used. Segments begin anew where the
   * other side speaks.
   */
  cuts: readonly number[];
}

/** The number of pcap files with microseconds, and of packets that begin with the IP header. */
const MAGIC = 0xa1b2c3d4, LINKTYPE_RAW = 101;

const SNAPLEN = 262_144;
const IP_LENGTH = 20, TCP_LENGTH = 20;
const FIN = 1, SYN = 2, PUSH = 8, ACK = 16;

/** Port of the first client; the others follow. */
const FIRST_CLIENT = 50_000;

/** Seconds since 1970 of the first packet; packets are a millisecond apart. */
const START = 1_790_000_000;

/** One end of a connection. */
interface End {
  /** Last byte of its address, 10.0.0.x. */
  host: number;
  port: number;
  /** Sequence number of its next byte. */
  next: number;
}

/** A turn of one side, in one piece. */
export function says(from: Said["from"], ...parts: Uint8Array[]): Said {
  return { from, bytes: concat(...parts) };
}

/** Writes a pcap file (draft-ietf-opsawg-pcap) of whole connections, one after the other. */
export function writePcap(connections: readonly CapturedConnection[]): Uint8Array<ArrayBuffer> {
  const header = new DataView(new ArrayBuffer(24));
  header.setUint32(0, MAGIC, true);
  header.setUint16(4, 2, true);
  header.setUint16(6, 4, true);
  header.setUint32(16, SNAPLEN, true);
  header.setUint32(20, LINKTYPE_RAW, true);
  const packets = connections.flatMap((connection, index) => packetsOf(connection, index));
  const records = packets.map((packet, index) => {
    const record = new DataView(new ArrayBuffer(16));
    record.setUint32(0, START + Math.floor(index / 1000), true);
    record.setUint32(4, index % 1000 * 1000, true);
    record.setUint32(8, packet.byteLength, true);
    record.setUint32(12, packet.byteLength, true);
    return concat(new Uint8Array(record.buffer), packet);
  });
  return concat(new Uint8Array(header.buffer), ...records);
}

function packetsOf(
  { said, port, cuts }: CapturedConnection,
  index: number,
): Uint8Array<ArrayBuffer>[] {
  // Sequence numbers that pass 2^32 on the way.
  const client: End = { host: 1, port: FIRST_CLIENT + index, next: 2 ** 32 - 100 };
  const server: End = { host: 2, port, next: 1000 };
  const packets = [
    segment(client, server, { flags: SYN }),
    segment(server, client, { flags: SYN | ACK }),
    segment(client, server, { flags: ACK }),
  ];
  for (const { from, bytes } of turnsOf(said)) {
    const [sender, receiver] = from === "client" ? [client, server] : [server, client];
    for (let at = 0, cut = 0; at < bytes.byteLength; cut++) {
      const data = bytes.subarray(at, at + cuts[cut % cuts.length]);
      packets.push(segment(sender, receiver, { flags: PUSH | ACK, data }));
      at += data.byteLength;
    }
  }
  packets.push(
    segment(client, server, { flags: FIN | ACK }),
    segment(server, client, { flags: FIN | ACK }),
  );
  return packets;
}

/** Joins what one side says before the other one does. */
function turnsOf(said: readonly Said[]): Said[] {
  const turns: { from: Said["from"]; parts: Uint8Array[] }[] = [];
  for (const { from, bytes } of said) {
    if (turns.at(-1)?.from === from) turns.at(-1)?.parts.push(bytes);
    else turns.push({ from, parts: [bytes] });
  }
  return turns.map(({ from, parts }) => ({ from, bytes: concat(...parts) }));
}

/** An IPv4 packet with one TCP segment, without checksums, which Wireshark does not expect. */
function segment(
  from: End,
  to: End,
  { flags, data = new Uint8Array() }: { flags: number; data?: Uint8Array },
): Uint8Array<ArrayBuffer> {
  const packet = new Uint8Array(IP_LENGTH + TCP_LENGTH + data.byteLength);
  const view = new DataView(packet.buffer);
  view.setUint8(0, 0x45);
  view.setUint16(2, packet.byteLength);
  view.setUint8(8, 64);
  view.setUint8(9, 6);
  packet.set([10, 0, 0, from.host, 10, 0, 0, to.host], 12);
  view.setUint16(IP_LENGTH, from.port);
  view.setUint16(IP_LENGTH + 2, to.port);
  view.setUint32(IP_LENGTH + 4, from.next);
  view.setUint32(IP_LENGTH + 8, (flags & ACK) === 0 ? 0 : to.next);
  view.setUint8(IP_LENGTH + 12, TCP_LENGTH / 4 << 4);
  view.setUint8(IP_LENGTH + 13, flags);
  view.setUint16(IP_LENGTH + 14, 65535);
  packet.set(data, IP_LENGTH + TCP_LENGTH);
  const counted = data.byteLength + ((flags & (SYN | FIN)) === 0 ? 0 : 1);
  from.next = (from.next + counted) % 2 ** 32;
  return packet;
}
