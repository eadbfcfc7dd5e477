/** A library that a test of the page changes: stands in for what the server would say. */
import type { ListEntry } from "../../../lib/protocol/native/response.ts";

/** An entry of the page: all but the name has usual values. */
export type PageEntry = { name: string } & Partial<ListEntry> & Record<string, unknown>;

/** The entries as the page gets them. */
export function entriesOf(entries: readonly PageEntry[]): PageEntry[] {
  return entries.map((entry) => ({
    ...{ kind: "video", live: false, size: 1000, duration: 10, codec: "h264" },
    ...entry,
  }));
}

/**
 * A script that runs before those of the page. The responses of `/api/list` have its entries, and
 * there are events without a server, of which each follower is in the set `followers`.
 *
 * @param info more of the response of `/api/info`
 */
export function libraryScript(entries: readonly PageEntry[], info: object = {}): string {
  return `(() => {
    const original = fetch;
    const library = { entries: ${JSON.stringify(entriesOf(entries))} };
    fetch = async (path, init) => {
      if (path === "/api/list") return Response.json(library);
      const response = await original(path, init);
      if (path !== "/api/info") return response;
      return Response.json({ ...await response.json(), follows: true, ...${JSON.stringify(info)} });
    };
    followers = new Set();
    EventSource = class {
      constructor() {
        followers.add(this);
        queueMicrotask(() => this.onopen());
      }
      close() {
        followers.delete(this);
      }
    };
    changeLibrary = (entries) => {
      library.entries = entries;
      for (const follower of followers) follower.onmessage();
    };
  })()`;
}

/** An expression that changes the library and reports that. */
export function changeTo(entries: readonly PageEntry[]): string {
  return `changeLibrary(${JSON.stringify(entriesOf(entries))})`;
}
