import { assertEquals } from "@std/assert";
import { eventsResponse } from "../../lib/web/events.ts";
import { pureTest } from "../support/pure_test.ts";

/** A library that a test changes, and a response that follows it. */
function followed() {
  const control = new AbortController();
  let change = () => {};
  let following: AbortSignal | undefined;
  const service = {
    follow(onChange: () => void, signal: AbortSignal) {
      change = onChange;
      following = signal;
    },
  };
  const { headers, body } = eventsResponse(service, control.signal);
  const reader = body!.getReader();
  const read = async () => new TextDecoder().decode((await reader.read()).value);
  return { headers, control, reader, read, change: () => change(), following: () => following };
}

pureTest("eventsResponse() reports changes, those that nobody has read as one", async () => {
  const { headers, control, reader, read, change } = followed();
  assertEquals(headers.get("Content-Type"), "text/event-stream");
  assertEquals(await read(), "retry: 3000\n\n");
  const reading = read();
  change();
  assertEquals(await reading, "data: changed\n\n");
  for (let count = 0; count < 100; count++) change();
  assertEquals(await read(), "data: changed\n\n");
  const last = reader.read();
  control.abort();
  assertEquals((await last).done, true);
});

pureTest("eventsResponse() follows no longer when the page is gone", async () => {
  const { reader, read, following } = followed();
  // Nobody follows before somebody reads.
  assertEquals(following(), undefined);
  await read();
  assertEquals(following()?.aborted, false);
  await reader.cancel();
  assertEquals(following()?.aborted, true);
});
