import { assertEquals, assertNotStrictEquals, assertRejects } from "@std/assert";
import { createSocket } from "node:dgram";
import { openDatagramSocket } from "../../lib/net/datagram_socket.ts";
import { ConnectError } from "../../lib/net/errors.ts";
import { sample } from "../support/media/bytes.ts";

/** Never fires. */
const NEVER = new AbortController().signal;

const LOOPBACK = { hostname: "127.0.0.1", port: 0, signal: NEVER };

/** Sends datagrams to a port of this machine, one after the other. */
async function send(port: number, datagrams: readonly Uint8Array[]): Promise<void> {
  const socket = createSocket("udp4");
  for (const datagram of datagrams) {
    await new Promise<void>((resolve, reject) => {
      socket.send(datagram, port, "127.0.0.1", (error) => error ? reject(error) : resolve());
    });
  }
  await new Promise<void>((resolve) => socket.close(() => resolve()));
}

Deno.test("openDatagramSocket() gives datagrams with their sender", async () => {
  for (const hostname of ["127.0.0.1", undefined]) {
    using socket = await openDatagramSocket({ ...LOOPBACK, hostname });
    const [arrived, senders] = [[] as Uint8Array[], new Set<string>()];
    const sent = [sample(1), sample(0), sample(65_507)];
    const done = Promise.withResolvers<void>();
    socket.listen({
      onDatagram(bytes, sender) {
        arrived.push(bytes.slice());
        senders.add(sender);
        if (arrived.length === sent.length) done.resolve();
      },
      onClose: done.reject,
    });
    await send(socket.address.port, sent);
    await done.promise;
    assertEquals(arrived, sent);
    assertEquals(senders.size, 1);
    const [sender] = senders;
    const pattern = hostname === undefined ? /^\[::ffff:127\.0\.0\.1\]:\d+$/ : /^127\.0\.0\.1:\d+$/;
    assertEquals(pattern.test(sender), true, sender);
  }
});

Deno.test("openDatagramSocket() gives bytes that can be copied", async () => {
  using socket = await openDatagramSocket(LOOPBACK);
  const done = Promise.withResolvers<Uint8Array>();
  socket.listen({ onDatagram: done.resolve, onClose: done.reject });
  await send(socket.address.port, [sample(3)]);
  const bytes = await done.promise;
  // A slice of Node's buffers is no copy.
  assertNotStrictEquals(bytes.slice().buffer, bytes.buffer);
});

Deno.test("openDatagramSocket() says that a port is in use", async () => {
  using socket = await openDatagramSocket(LOOPBACK);
  const { port } = socket.address;
  await assertRejects(
    () => openDatagramSocket({ ...LOOPBACK, port }),
    ConnectError,
    `Cannot receive datagrams on UDP 127.0.0.1:${port}: another program uses it, expected a free one`,
  );
});

Deno.test("openDatagramSocket() says why an address cannot be used", async () => {
  await assertRejects(
    () => openDatagramSocket({ ...LOOPBACK, hostname: "192.0.2.1" }),
    ConnectError,
    "Cannot receive datagrams on UDP 192.0.2.1:0: bind EADDRNOTAVAIL",
  );
});

Deno.test("openDatagramSocket() is closed once, by the signal or by disposing", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  using socket = await openDatagramSocket({ ...LOOPBACK, signal });
  const reasons: unknown[] = [];
  const listener = { onDatagram: () => {}, onClose: (reason?: unknown) => reasons.push(reason) };
  socket.listen(listener);
  const stop = new Error("stop");
  controller.abort(stop);
  socket[Symbol.dispose]();
  assertEquals(reasons, [stop]);
  socket.listen(listener);
  assertEquals(reasons, [stop, stop]);
  await assertRejects(() => openDatagramSocket({ ...LOOPBACK, signal }), Error, "stop");

  const other = await openDatagramSocket(LOOPBACK);
  other.listen(listener);
  other[Symbol.dispose]();
  other[Symbol.dispose]();
  assertEquals(reasons, [stop, stop, undefined]);
});
