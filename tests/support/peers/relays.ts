/** Servers that relay sources of others. */
import type { ServerOptions } from "../../../lib/server/options.ts";
import { parseLiveSource } from "../../../lib/sources/live/source_spec.ts";
import { mediaFolder } from "../media/media_folder.ts";
import { watchLive } from "./native_client.ts";
import { type TestServer, testServer } from "./test_server.ts";

/** A server of an empty folder and of sources as `--live` names them, without lingering. */
export function serverOf(
  sources: readonly string[],
  options: Partial<ServerOptions> = {},
): Promise<TestServer> {
  const live = { sources: sources.map((text) => parseLiveSource(text)), linger: 0 };
  return testServer({ media: mediaFolder().path, live, ...options });
}

/** A server whose source `cam` is one of another server, by default of the same name. */
export function relayOf(
  { address: { port } }: { address: Deno.NetAddr },
  { name = "cam", ...options }: Partial<ServerOptions> & { name?: string } = {},
): Promise<TestServer> {
  return serverOf([`cam=stream://127.0.0.1:${port}/${name}`], options);
}

/** The error of a request for `cam` now. */
export async function refusal(server: TestServer): Promise<string> {
  using viewer = await watchLive(server, { name: "cam" });
  const { error } = await viewer.until("error");
  return `${error.code}: ${error.message}`;
}
