/** A server whose media other programs get by URL. */
import { parseLiveSource } from "../../../lib/sources/live/source_spec.ts";
import type { ServerOptions } from "../../../lib/server/options.ts";
import { type TestServer, testServer } from "./test_server.ts";

/** Starts a server of a folder and of live sources, which listens for HTTP, too. */
export async function addressServer(
  media: string,
  { sources = [], ...options }: Partial<ServerOptions> & { sources?: readonly string[] } = {},
): Promise<TestServer> {
  return await testServer({
    media,
    http: { hostname: "127.0.0.1", port: 0 },
    live: { sources: sources.map((text) => parseLiveSource(text)), linger: 0 },
    ...options,
  });
}

/** The URL of a path of a server. */
export function urlOf({ server }: Pick<TestServer, "server">, path: string): string {
  return new URL(path, server.page).href;
}
