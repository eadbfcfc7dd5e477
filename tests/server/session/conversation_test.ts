import { assertEquals } from "@std/assert";
import { createLogger, LogQuota } from "../../../lib/base/log.ts";
import { encodeFrame } from "../../../lib/protocol/native/framing.ts";
import { Authenticator } from "../../../lib/server/auth/authenticator.ts";
import { NO_METRICS } from "../../../lib/server/metrics/metrics.ts";
import { RequestLog } from "../../../lib/server/metrics/request_log.ts";
import { DEFAULT_TIMEOUTS } from "../../../lib/server/options.ts";
import { runSession, type SessionConversation } from "../../../lib/server/session/session.ts";
import { Shutdown } from "../../../lib/server/shutdown.ts";
import { StartCache } from "../../../lib/sources/cache/start_cache.ts";
import { Library } from "../../../lib/sources/file/library.ts";
import { DecoderSemaphore, MemoryBudget } from "../../../lib/sources/limits.ts";
import { LiveSources } from "../../../lib/sources/live/registry.ts";
import { installedDialect } from "../../support/ffmpeg.ts";
import { mediaFolder } from "../../support/media.ts";

/** Greets the peer, and sends its first line back. */
const greet: SessionConversation = async ({ reader, writer }, { refusal }) => {
  await writer.write(new TextEncoder().encode(refusal ?? "hello"));
  const line = await reader.peek(3);
  if (line !== undefined) await writer.write(line.slice(0, 3));
};

Deno.test("runSession() holds a conversation in which the server speaks first", async () => {
  const logger = createLogger({ level: "debug", write: () => {} });
  const budget = new MemoryBudget(0);
  const slots = new DecoderSemaphore(1);
  using quota = new LogQuota(logger);
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using live = new LiveSources({ sources: [] }, {
    ...{ budget, slots, logger, dialect: await installedDialect() },
    prepare: encodeFrame,
  });
  for (const refusal of [undefined, "full"] as const) {
    using peer = await Deno.connect({ port: listener.addr.port });
    const session = runSession(await listener.accept(), {
      ...{ live, budget, slots, logger, defaults: {}, authenticator: new Authenticator() },
      library: new Library(mediaFolder().path),
      startCache: new StartCache(0),
      timeouts: DEFAULT_TIMEOUTS,
      requestLog: new RequestLog({ metrics: NO_METRICS, quota }),
      shutdown: new Shutdown(),
      signal: new AbortController().signal,
    }, { refusal, converse: greet });
    const greeting = new Uint8Array(16);
    const length = await peer.read(greeting) ?? 0;
    assertEquals(new TextDecoder().decode(greeting.subarray(0, length)), refusal ?? "hello");
    await peer.write(new TextEncoder().encode("bye"));
    await peer.closeWrite();
    assertEquals(await new Response(peer.readable).text(), "bye");
    await session;
  }
});
