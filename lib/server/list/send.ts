/** The list of media over the native protocol. */
import type { Connection } from "../../protocol/native/connection.ts";
import { encodeList } from "../../protocol/native/list.ts";
import type { MediaRequest } from "../../protocol/native/request.ts";
import { encodeEnd } from "../../protocol/native/response.ts";
import type { Controls, StopReason } from "../playback/controls.ts";
import type { MediaSearch } from "../playback/find_media.ts";
import type { PeerRate } from "../session/peer_limits.ts";
import type { Shutdown } from "../shutdown.ts";
import { findEntries, listMedia } from "./entries.ts";
import { listPieces } from "./pieces.ts";

/** Entries of a list that are as much work for a peer as a message. */
const ENTRIES_OF_MESSAGE = 4;

/** The state that sending a list needs. */
export interface SendListContext extends MediaSearch {
  connection: Connection;
  controls: Controls;
  rate: PeerRate;
  shutdown: Shutdown;
  signal: AbortSignal;
}

/**
 * Sends the list of media: in one message, or in pieces if the request says so.
 *
 * @returns why it has ended if it was followed
 */
export async function sendList(
  request: MediaRequest,
  context: SendListContext,
): Promise<StopReason | undefined> {
  const { connection, controls, rate, shutdown, signal } = context;
  const count = (entries: number) => rate.count({ messages: entries / ENTRIES_OF_MESSAGE });
  const { more, follow, data } = request;
  const found = await findEntries(request, context);
  if (found !== undefined || (!more && !follow)) {
    const entries = found ?? await listMedia(context, request);
    count(entries.length);
    await connection.send("list", encodeList({ entries }));
    return undefined;
  }
  if (follow) controls.begin({ seekable: false });
  // A followed list has no end of its own that a shutdown could wait for.
  using _draining = follow ? shutdown.onDraining(() => controls.shutDown()) : undefined;
  const ended = follow ? AbortSignal.any([signal, controls.stopped]) : signal;
  for await (const piece of listPieces(context, { data, follow, signal: ended })) {
    count(piece.entries.length);
    await connection.send("list", encodeList(piece));
  }
  signal.throwIfAborted();
  if (!follow) return undefined;
  const reason = controls.stopReason ?? "stopped";
  const none = { frames: 0, audioFrames: 0, bytes: 0, dropped: 0, streams: [] };
  await connection.send("end", encodeEnd({ ...none, reason }));
  return reason;
}
