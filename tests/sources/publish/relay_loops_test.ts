import { assertMatch } from "@std/assert";
import { parseLiveSource } from "../../../lib/sources/live/source_spec.ts";
import { MAX_RELAYS } from "../../../lib/protocol/native/request.ts";
import { watchLive } from "../../support/peers/native_client.ts";
import { refusal, serverOf } from "../../support/peers/relays.ts";
import type { TestServer } from "../../support/peers/test_server.ts";
import { freePort } from "../../support/programs/machine.ts";

// Servers that relay each other, or themselves.

Deno.test("a server that relays itself, or two that relay each other, refuse the loop", async () => {
  const [one, two] = [freePort(), freePort()];
  const serverAt = (port: number, upstream: number) =>
    serverOf([`cam=stream://127.0.0.1:${upstream}/cam`], { port });
  const cases = [[[one, one]], [[one, two], [two, one]]] as const;
  for (const ports of cases) {
    await using stack = new AsyncDisposableStack();
    const servers: TestServer[] = [];
    for (const [port, upstream] of ports) servers.push(stack.use(await serverAt(port, upstream)));
    const said = await refusal(servers[0]);
    assertMatch(said, /^media_error: Cannot read "cam": its server says: .*"cam": a loop, /);
    // Nobody watches any more, so nobody tries again.
    for (const server of servers) await server.logged(/"cam" is stopped/);
    await servers[0].quiet();
  }
});

Deno.test("two that relay each other, asked at once, wait no longer than for a first frame", async () => {
  const ports = [freePort(), freePort()];
  await using stack = new AsyncDisposableStack();
  const servers = await Promise.all(
    ports.map((port, at) => {
      const sources = [parseLiveSource(`cam=stream://127.0.0.1:${ports[1 - at]}/cam`)];
      return serverOf([], { port, live: { sources, linger: 0, firstFrameTimeout: 10_000 } });
    }),
  );
  for (const server of servers) stack.use(server);
  const said = await Promise.all(servers.map(refusal));
  for (const text of said) assertMatch(text, /^media_error: Cannot read "cam": /);
  for (const server of servers) await server.logged(/"cam" is stopped/);
});

Deno.test("made-up ids of relays close no source, and a server may be passed twice", async () => {
  const [one, two] = [freePort(), freePort()];
  const camera = "camera=lavfi:testsrc2=size=64x48:rate=25";
  const cam = `cam=stream://127.0.0.1:${two}/middle`;
  await using first = await serverOf([camera, cam], { port: one });
  await using _second = await serverOf([`middle=stream://127.0.0.1:${one}/camera`], { port: two });
  const via = Array.from({ length: MAX_RELAYS }, (_, at) => `relay-${at}`);
  using viewer = await watchLive(first, { name: "cam", via });
  await viewer.frames(1);
});
