/** Requests the list of media, and finds entries in it. */
import { RequestError } from "../../base/errors.ts";
import { connect, type Target } from "../../net/connection.ts";
import {
  type ListFilter,
  type ListRequestOptions,
  requestList,
} from "../../protocol/native/client.ts";
import { ListedMedia, type ListPiece } from "../../protocol/native/list.ts";
import type { ListEntry } from "../../protocol/native/response.ts";
import { explain } from "../connection/explain.ts";
import { Retries, type RetriesOptions } from "../connection/retry.ts";

/** Options of {@linkcode askList}. */
export interface ListOptions extends RetriesOptions {
  target: Target;
  /** Called with what has come of the list whenever that has changed; another one after a retry. */
  onList?: (list: ListedMedia) => void;
  /** Limits the list. @default all entries */
  filter?: ListFilter;
  /** Ends the request. */
  signal: AbortSignal;
}

/** Requests the list of media, in pieces, over a connection of its own. */
async function* listPieces(
  target: Target,
  options: ListRequestOptions,
  signal: AbortSignal,
): AsyncGenerator<ListPiece> {
  using connection = await connect(target, signal);
  yield* requestList(connection, options);
}

/**
 * Requests the list of media, in pieces, over a connection of its own.
 *
 * @throws {Error} with what the user can do about it
 */
export async function* askListPieces(
  target: Target,
  options: ListRequestOptions,
  signal: AbortSignal,
): AsyncGenerator<ListPiece> {
  try {
    yield* listPieces(target, options, signal);
  } catch (error) {
    throw explain(error, { target, signal });
  }
}

/**
 * Requests the list of media over a connection of its own.
 *
 * @throws {Error} with what the user can do about it
 */
export async function askList(
  { target, filter = {}, signal, ...options }: ListOptions,
): Promise<ListEntry[]> {
  try {
    const retries = new Retries({ ...options, observe: target.observe });
    return await retries.persist(async () => {
      const list = new ListedMedia();
      const pieces: ListPiece[] = [];
      for await (const piece of listPieces(target, filter, signal)) {
        if (filter.defaults) pieces.push(piece);
        list.add(piece);
        options.onList?.(list);
      }
      // One name may be the default of both kinds.
      return filter.defaults ? pieces.flatMap(({ entries }) => entries) : list.entries;
    }, signal);
  } catch (error) {
    throw explain(error, { target, signal });
  }
}

/** Options of {@linkcode followList}. */
export type FollowOptions = ListOptions & Required<Pick<ListOptions, "onList">>;

/**
 * Requests the list of media and its changes, until the signal. When the connection is lost, it
 * connects again.
 *
 * @throws {RequestError} `unsupported` if the server is of an earlier version
 * @throws {Error} with what the user can do about it
 */
export async function followList({ target, signal, ...options }: FollowOptions): Promise<void> {
  const retries = new Retries({ ...options, observe: target.observe });
  let hasReceived = false;
  try {
    while (true) {
      try {
        const list = new ListedMedia();
        for await (const piece of listPieces(target, { follow: true }, signal)) {
          hasReceived = true;
          retries.reset();
          list.add(piece);
          options.onList(list);
        }
        return;
      } catch (error) {
        await retries.wait({ error, hasReceived }, signal);
      }
    }
  } catch (error) {
    throw explain(error, { target, signal });
  }
}

/**
 * Finds media by its name, or by the end of it behind a slash, if there is one such name.
 *
 * @throws {RequestError} `not_found` if there is none
 * @throws {Error} with what the user can do about it
 */
export async function askEntry(name: string, options: ListOptions): Promise<ListEntry> {
  const entries = await askList({ ...options, filter: { name } });
  const ends = entries.filter((entry) => entry.name.endsWith(`/${name}`));
  const found = entries.find((entry) => entry.name === name) ??
    (ends.length === 1 ? ends[0] : undefined);
  if (found !== undefined) return found;
  throw new RequestError("not_found", `Cannot find "${name}": no such media, see --list`);
}
