import { assert, assertEquals } from "@std/assert";
import { TlsSocket } from "../../lib/net/socket.ts";
import { mediaFolder } from "../support/media/media_folder.ts";
import { testServer } from "../support/peers/test_server.ts";
import { makeCertificate } from "../support/programs/certificates.ts";
import { mutateBytes } from "./mutate_bytes.ts";
import { Random } from "./random.ts";
import { sessionMedia, SessionTarget, unlessGone } from "./session_target.ts";
import { type Counts, fuzz } from "./target.ts";
import { tlsTest } from "../support/test_if.ts";

const folder = mediaFolder();
const media = await sessionMedia(folder);

/** Peers that talk at once, and conversations of each. */
const PEERS = 4;
const CONVERSATIONS = 25;

Deno.test("runSession() survives whatever is said to it, by several at once", async () => {
  await using target = await SessionTarget.open(media);
  const counts = await Promise.all(
    Array.from({ length: PEERS }, (_, seed) => fuzz(target, { seed, turns: CONVERSATIONS })),
  );
  const sum = (of: keyof Counts) => counts.reduce((all, each) => all + each[of], 0);
  assertEquals(sum("taken") + sum("refused"), PEERS * CONVERSATIONS);
  assert(sum("taken") > 0 && sum("refused") > 0);
  await target.assertWell();
});

/** The first bytes of a peer that begins TLS. */
async function greeting(): Promise<Uint8Array> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { hostname, port } = listener.addr;
  const [accepted, raw] = await Promise.all([
    listener.accept(),
    Deno.connect({ hostname, port }),
  ]);
  const refused = TlsSocket.connect(raw, { servername: "localhost" }).catch((error) => error);
  const bytes = new Uint8Array(4096);
  const count = await accepted.read(bytes) ?? 0;
  accepted.close();
  await refused;
  return bytes.slice(0, count);
}

tlsTest("acceptSecurely() survives greetings that are wrong", async () => {
  const { cert, key } = await makeCertificate(folder.path, "fuzz");
  const credentials = { certificate: { cert, key } };
  const timeouts = { request: 10_000, stall: 10_000, ping: 5000 };
  await using server = await testServer({ media, credentials, timeouts });
  const right = await greeting();
  for (let turn = 0; turn < 60; turn++) {
    const random = new Random(1, turn);
    using peer = await server.connect();
    const wrong = mutateBytes(right, [right], random);
    await unlessGone(async () => {
      await peer.write(wrong.subarray(0, 16_384));
      if (random.once(4)) return;
      await peer.socket.closeWrite();
      await peer.readAll();
    });
  }
  await server.quiet();
  const { hostname, port } = server.address;
  const raw = await Deno.connect({ hostname, port });
  const secure = await TlsSocket.connect(raw, { rejectUnauthorized: false });
  secure.close();
  assert(server.lines.every((line) => !/^\S+ error |TypeError|RangeError/.test(line)));
});
