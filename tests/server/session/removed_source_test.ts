import { assert, assertEquals } from "@std/assert";
import { createLogger, LogQuota } from "../../../lib/base/log.ts";
import { encodeFrame } from "../../../lib/protocol/native/framing.ts";
import { encodeRequest } from "../../../lib/protocol/native/request.ts";
import { SCRIPT_END } from "../../../lib/protocol/script/framing.ts";
import { Authenticator } from "../../../lib/server/auth/authenticator.ts";
import { NO_METRICS } from "../../../lib/server/metrics/metrics.ts";
import { RequestLog } from "../../../lib/server/metrics/request_log.ts";
import { DEFAULT_TIMEOUTS } from "../../../lib/server/options.ts";
import { runSession } from "../../../lib/server/session/session.ts";
import { Shutdown } from "../../../lib/server/shutdown.ts";
import { StartCache } from "../../../lib/sources/cache/start_cache.ts";
import { Library } from "../../../lib/sources/file/library.ts";
import { DecoderSemaphore, MemoryBudget } from "../../../lib/sources/limits.ts";
import { LiveSources } from "../../../lib/sources/live/registry.ts";
import { parseLiveSource } from "../../../lib/sources/live/source_spec.ts";
import { mediaFolder } from "../../support/media/media_folder.ts";
import { NativeClient } from "../../support/peers/native_client.ts";
import { installedDialect, mediaChildren } from "../../support/programs/machine.ts";

Deno.test("viewers of a source that is removed get the end that a video has", async () => {
  const logger = createLogger({ level: "debug", write: () => {} });
  const budget = new MemoryBudget(1e9);
  const slots = new DecoderSemaphore(8);
  const dialect = await installedDialect();
  using quota = new LogQuota(logger);
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { hostname, port } = listener.addr;
  await using live = new LiveSources({ sources: [] }, {
    ...{ budget, slots, logger, dialect },
    prepare: encodeFrame,
  });
  const sessions: Promise<void>[] = [];
  const connect = async () => {
    const peer = new NativeClient(await Deno.connect({ hostname, port }));
    sessions.push(runSession(await listener.accept(), {
      ...{ live, budget, slots, logger, defaults: {}, authenticator: new Authenticator() },
      library: new Library(mediaFolder().path),
      startCache: new StartCache(0),
      timeouts: DEFAULT_TIMEOUTS,
      requestLog: new RequestLog({ metrics: NO_METRICS, quota }),
      shutdown: new Shutdown(),
      signal: new AbortController().signal,
    }));
    return peer;
  };
  const registration = live.add(parseLiveSource("cam=lavfi:testsrc2=size=64x48:rate=25"));
  using viewer = await connect();
  await viewer.connection.send("request", encodeRequest({ command: "get_video" }));
  await viewer.frames(2);
  using script = await connect();
  await script.write(new TextEncoder().encode("get_video"));
  await script.socket.read(new Uint8Array(1));
  const received = script.readAll();
  registration[Symbol.dispose]();
  const { end } = await viewer.until("end");
  assertEquals(end.reason, "end");
  assert(end.frames >= 2);
  viewer[Symbol.dispose]();
  assertEquals((await received).slice(-SCRIPT_END.byteLength), SCRIPT_END);
  script[Symbol.dispose]();
  await Promise.all(sessions);
  await live[Symbol.asyncDispose]();
  assertEquals([budget.taken, slots.taken], [0, 0]);
  assertEquals(await mediaChildren(), []);
});
