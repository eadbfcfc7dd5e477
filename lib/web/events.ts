/** Changes of the library as server-sent events (HTML, section 9.2). */
import { onAbort, settlesWithin } from "../base/async.ts";
import type { WebService } from "./service.ts";

/** Milliseconds after which the page opens a connection that broke again. */
const RETRY = 3000;

/** Milliseconds between two comments, by which it is noticed that the page is gone. */
const COMMENT_INTERVAL = 15_000;

const encoder = new TextEncoder();
const CHANGED = encoder.encode("data: changed\n\n");
const COMMENT = encoder.encode(":\n\n");

/**
 * Reports each change of the library as an event; changes that a slow page has not read yet are one
 * event.
 *
 * @param signal ends the response
 */
export function eventsResponse(
  service: Pick<WebService, "follow">,
  signal: AbortSignal,
): Response {
  const left = new AbortController();
  let change = Promise.withResolvers<void>();
  let isFollowed = false;
  const events = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      if (!isFollowed) {
        isFollowed = true;
        service.follow?.(() => change.resolve(), AbortSignal.any([signal, left.signal]));
        return controller.enqueue(encoder.encode(`retry: ${RETRY}\n\n`));
      }
      using _end = onAbort(signal, () => change.resolve());
      const hasChanged = await settlesWithin(change.promise, COMMENT_INTERVAL);
      if (left.signal.aborted) return;
      if (signal.aborted) return controller.close();
      if (hasChanged) change = Promise.withResolvers();
      controller.enqueue(hasChanged ? CHANGED : COMMENT);
    },
    cancel() {
      left.abort();
      change.resolve();
    },
    // A body that nobody reads, as of a request for its headers, follows nothing.
  }, { highWaterMark: 0 });
  const headers = { "Content-Type": "text/event-stream", "Cache-Control": "no-store" };
  return new Response(events, { headers });
}
