/** What a server's sessions share, for tests that run a session by itself. */
import { createLogger, type Logger, LogQuota } from "../../../lib/base/log.ts";
import { encodeFrame } from "../../../lib/protocol/native/framing.ts";
import { Authenticator } from "../../../lib/server/auth/authenticator.ts";
import { PublishAccess } from "../../../lib/server/auth/publish_access.ts";
import { NO_METRICS, RequestLog } from "../../../lib/server/metrics/records.ts";
import { DEFAULT_MAX_PIXELS, DEFAULT_TIMEOUTS } from "../../../lib/server/options.ts";
import type { SharedContext } from "../../../lib/server/session/session.ts";
import { Shutdown } from "../../../lib/server/shutdown.ts";
import { SharedRenditions } from "../../../lib/sources/cache/shared_renditions.ts";
import { DecoderSemaphore, MemoryBudget } from "../../../lib/sources/limits.ts";
import { Publications } from "../../../lib/sources/publish/published.ts";
import { LiveSources } from "../../../lib/sources/live/registry.ts";
import { installedDialect } from "../programs/machine.ts";

/** A context, which ends its live sources when it is disposed. */
export type TestContext = SharedContext & AsyncDisposable;

/** Makes a context of a server with default limits; `parts` replace its own. */
export async function sessionContext(
  { logger = createLogger({ level: "debug", write: () => {} }), ...parts }:
    & Pick<SharedContext, "library">
    & Partial<SharedContext>
    & { logger?: Logger },
): Promise<TestContext> {
  const quota = new LogQuota(logger);
  const { budget = new MemoryBudget(1e9), slots = new DecoderSemaphore(8) } = parts;
  const live = new LiveSources({ sources: [] }, {
    ...{ budget, slots, logger, dialect: await installedDialect() },
    prepare: encodeFrame,
  });
  const publications = new Publications(live, { max: 64, linger: 10, logger });
  const authenticator = new Authenticator();
  return {
    ...{ live, budget, slots, logger, publications, authenticator, defaults: {} },
    publishAccess: new PublishAccess("local", authenticator),
    maxPixels: DEFAULT_MAX_PIXELS,
    renditions: new SharedRenditions({ size: 0, slots }),
    timeouts: DEFAULT_TIMEOUTS,
    requestLog: new RequestLog({ metrics: NO_METRICS, quota }),
    shutdown: new Shutdown(),
    signal: new AbortController().signal,
    ...parts,
    async [Symbol.asyncDispose]() {
      publications[Symbol.dispose]();
      await live[Symbol.asyncDispose]();
      quota[Symbol.dispose]();
    },
  };
}
