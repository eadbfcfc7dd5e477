/** Requests the list of media. */
import { connect, type Target } from "../../net/connection.ts";
import { requestList } from "../../protocol/native/client.ts";
import type { ListEntry } from "../../protocol/native/response.ts";
import { explain } from "../connection/explain.ts";
import { Retries, type RetriesOptions } from "../connection/retry.ts";

/** Options of {@linkcode askList}. */
export interface ListOptions extends RetriesOptions {
  target: Target;
  /** Ends the request. */
  signal: AbortSignal;
}

/**
 * Requests the list of media over a connection of its own.
 *
 * @throws {Error} with what the user can do about it
 */
export async function askList({ target, signal, ...options }: ListOptions): Promise<ListEntry[]> {
  try {
    return await new Retries({ ...options, observe: target.observe }).persist(async () => {
      using connection = await connect(target, signal);
      return await requestList(connection);
    }, signal);
  } catch (error) {
    throw explain(error, { target, signal });
  }
}
