import { assert, assertEquals, assertRejects } from "@std/assert";
import { createSecureContext } from "node:tls";
import { TlsSocket } from "../../lib/net/socket.ts";
import { HAS_OPENSSL, makeCertificate } from "../support/programs/certificates.ts";
import { tlsTest } from "../support/test_if.ts";

const folder = await Deno.makeTempDir();
addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

const pair = HAS_OPENSSL ? await makeCertificate(folder, "own") : undefined;
const context = pair && createSecureContext({
  cert: Deno.readTextFileSync(pair.cert),
  key: Deno.readTextFileSync(pair.key),
});

interface Ends extends Disposable {
  server: TlsSocket;
  client: TlsSocket;
}

/** The two ends of one connection, without TLS. */
async function rawEnds(): Promise<[Deno.TcpConn, Deno.TcpConn]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { hostname, port } = listener.addr;
  return await Promise.all([listener.accept(), Deno.connect({ hostname, port })]);
}

async function ends(): Promise<Ends> {
  assert(context !== undefined);
  const [far, near] = await rawEnds();
  const [server, client] = await Promise.all([
    TlsSocket.accept(far, { context, first: new Uint8Array(0) }),
    TlsSocket.connect(near, { rejectUnauthorized: false }),
  ]);
  const close = () => [server, client].forEach((socket) => socket.close());
  return { server, client, [Symbol.dispose]: close };
}

async function writeAll(socket: TlsSocket, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.byteLength;) at += await socket.write(bytes.subarray(at));
}

/** Reads to the end, in pieces of an odd size. */
async function readAll(socket: TlsSocket): Promise<Uint8Array> {
  const bytes: number[] = [];
  const piece = new Uint8Array(10_007);
  while (true) {
    const count = await socket.read(piece);
    if (count === null) return Uint8Array.from(bytes);
    for (let at = 0; at < count; at++) bytes.push(piece[at]);
  }
}

/** Bytes that do not repeat soon. */
function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 2_654_435_761) >>> 13);
}

tlsTest("TlsSocket() carries bytes both ways at once, each way to its end", async () => {
  using both = await ends();
  const [there, back] = [pattern(1_000_003), pattern(700_001).reverse()];
  const send = async (socket: TlsSocket, bytes: Uint8Array) => {
    await writeAll(socket, bytes);
    await socket.closeWrite();
  };
  const [gotThere, gotBack] = await Promise.all([
    readAll(both.server),
    readAll(both.client),
    send(both.client, there),
    send(both.server, back),
  ]);
  assertEquals(gotThere, there);
  assertEquals(gotBack, back);
});

tlsTest("TlsSocket() goes on in one direction when the other has ended", async () => {
  using both = await ends();
  await both.client.closeWrite();
  assertEquals(await both.server.read(new Uint8Array(1)), null);
  const bytes = pattern(500_000);
  const [got] = await Promise.all([
    readAll(both.client),
    writeAll(both.server, bytes).then(() => both.server.closeWrite()),
  ]);
  assertEquals(got, bytes);
});

tlsTest("TlsSocket() takes bytes that were read before", async () => {
  assert(context !== undefined);
  const [far, near] = await rawEnds();
  const connecting = TlsSocket.connect(near, { rejectUnauthorized: false });
  const memory = new Uint8Array(4);
  const count = await far.read(memory) ?? 0;
  const first = memory.subarray(0, count);
  const [server, client] = [await TlsSocket.accept(far, { context, first }), await connecting];
  await client.write(new Uint8Array([1, 2, 3]));
  assertEquals(await server.read(new Uint8Array(10)), 3);
  assertEquals(client.certificate.fingerprint256?.length, 32 * 3 - 1);
  server.close();
  client.close();
});

tlsTest("TlsSocket.close() fails pending operations, and may be called twice", async () => {
  using both = await ends();
  const reading = assertRejects(() => both.server.read(new Uint8Array(1)), Deno.errors.Interrupted);
  both.server.close();
  both.server.close();
  await reading;
  await assertRejects(() => both.server.write(new Uint8Array(1)), Deno.errors.Interrupted);
});

tlsTest("TlsSocket.accept() fails if the peer does not speak TLS or disconnects", async () => {
  assert(context !== undefined);
  for (
    const bytes of [new TextEncoder().encode("GET / HTTP/1.0\r\n\r\n"), new Uint8Array([22, 3, 1])]
  ) {
    const [far, near] = await rawEnds();
    const accepting = assertRejects(
      () => TlsSocket.accept(far, { context, first: new Uint8Array(0) }),
      Error,
    );
    await near.write(bytes);
    near.close();
    await accepting;
  }
});

tlsTest("TlsSocket.connect() fails if the peer does not speak TLS", async () => {
  for (const response of ["", "HTTP/1.0 400 Bad Request\r\n\r\n"]) {
    const [far, near] = await rawEnds();
    const connecting = assertRejects(() => TlsSocket.connect(near, {}), Error);
    await far.read(new Uint8Array(1));
    await far.write(new TextEncoder().encode(response));
    far.close();
    await connecting;
  }
});

tlsTest("TlsSocket.connect() refuses a server that shows something broken", async () => {
  assert(pair !== undefined);
  const rubbish = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  const broken = createSecureContext({
    cert: Deno.readTextFileSync(pair.cert) + rubbish,
    key: Deno.readTextFileSync(pair.key),
  });
  const [far, near] = await rawEnds();
  const accepted = TlsSocket.accept(far, { context: broken, first: new Uint8Array(0) })
    .then((server) => server.close(), () => {});
  const ca = Deno.readTextFileSync(pair.cert);
  await assertRejects(() => TlsSocket.connect(near, { ca, host: "localhost" }), Error);
  await accepted;
});
