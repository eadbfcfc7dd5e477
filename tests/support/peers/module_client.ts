/** The client that `mod.ts` exports, against servers of tests. */
import { createHash } from "node:crypto";
import { type Client, connect, type ConnectOptions, type Watch } from "../../../mod.ts";

/** A frame as it came: what it is, and a sum of its bytes. */
export interface WatchedFrame {
  type: string;
  timestamp: number;
  time: number;
  keyframe: boolean;
  size: number;
  md5: string;
}

/** A client of a server. */
export function clientOf(
  { address: { hostname, port } }: { address: Deno.NetAddr },
  options: ConnectOptions = {},
): Client {
  return connect({ host: hostname, port, ...options });
}

/** Watches up to the end, or so many frames. */
export async function watchAll(watch: Watch, most = Infinity): Promise<WatchedFrame[]> {
  const frames: WatchedFrame[] = [];
  for await (const { stream: { type }, timestamp, time, keyframe, data } of watch) {
    const size = data.byteLength;
    frames.push({
      type,
      timestamp,
      time,
      keyframe,
      size,
      md5: createHash("md5").update(data).digest("hex"),
    });
    if (frames.length >= most) break;
  }
  return frames;
}
