import { assertEquals, assertRejects } from "@std/assert";
import type { RequestRecord } from "../../../lib/server/metrics/records.ts";
import type { PlayContext } from "../../../lib/server/session/context.ts";
import { playForScript } from "../../../lib/server/session/script.ts";
import { parseLiveSource } from "../../../lib/sources/live/source_spec.ts";
import { type LiveQueueOptions, QUEUE_LIMITS } from "../../../lib/sources/live/subscriber_queue.ts";
import { pureTest } from "../../support/pure_test.ts";

pureTest("playForScript() queues few frames of a live source for a slow script", async () => {
  const source = parseLiveSource("cam=lavfi:testsrc2");
  const queues: LiveQueueOptions[] = [];
  const live = {
    names: ["cam"],
    find: () => source,
    watch(_source: unknown, _rendition: unknown, options: LiveQueueOptions) {
      queues.push(options);
      return Promise.reject(new Error("enough"));
    },
  };
  const context = {
    ...{ live, defaults: { video: "cam" }, signal: new AbortController().signal },
    ...{ slots: {}, record: { named() {} } as unknown as RequestRecord },
  } as unknown as PlayContext;
  await assertRejects(
    () => playForScript({ command: "get_video" }, context, {} as PlayContext["response"]),
    "enough",
  );
  assertEquals(queues.map(({ limits }) => limits), [QUEUE_LIMITS.drop]);
});
