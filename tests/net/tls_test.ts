import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { connect } from "../../lib/net/connection.ts";
import { Secret } from "../../lib/net/secret.ts";
import type { Trust } from "../../lib/net/tls.ts";
import { requestList } from "../../lib/protocol/native/client.ts";
import { testServer } from "../support/peers/test_server.ts";
import {
  type CertificatePair,
  makeCertificate,
  openssl,
  OpensslServer,
} from "../support/programs/certificates.ts";
import { tlsTest } from "../support/test_if.ts";

const folder = await Deno.makeTempDir();
addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

const NEVER = new AbortController().signal;
const TOKEN = new Secret("sesame");

function authority(file: string): Trust {
  return { kind: "authority", pem: Deno.readTextFileSync(file), file };
}

function pin(fingerprint: string): Trust {
  return { kind: "fingerprint", fingerprint };
}

/** The error of a client that connects to a server with a certificate; empty if there is none. */
async function errorOf(
  pair: CertificatePair,
  { trust, host = "localhost" }: { trust: Trust; host?: string },
): Promise<string> {
  const certificate = { cert: pair.cert, key: pair.key };
  await using server = await testServer({
    media: folder,
    credentials: { certificate, token: TOKEN },
  });
  const target = { host, port: server.address.port, credentials: { token: TOKEN, trust } };
  try {
    using connection = await connect(target, NEVER);
    assertEquals(await Array.fromAsync(requestList(connection), ({ entries }) => entries), [[]]);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

// Before the others: Deno reads the system's authorities once, and asks for permission then.
Deno.test({
  name: "connect() names the permission that it lacks, and closes the connection",
  permissions: { net: true, sys: false },
  fn: async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const accepting = listener.accept();
    const target = {
      ...{ host: "127.0.0.1", port: listener.addr.port },
      credentials: { trust: { kind: "system" } as const },
    };
    const { message } = await assertRejects(() => connect(target, NEVER), Error);
    assertMatch(
      message,
      /: there is no permission to read .*, expected --allow-sys, or --ca-cert FILE or --tls-fing/,
    );
    using accepted = await accepting;
    assertEquals(await accepted.read(new Uint8Array(1)), null);
  },
});

tlsTest("connect() trusts a certificate that --ca-cert holds, by name or address", async () => {
  const own = await makeCertificate(folder, "own");
  for (const host of ["localhost", "127.0.0.1"]) {
    assertEquals(await errorOf(own, { trust: authority(own.cert), host }), "");
  }
});

tlsTest("connect() trusts what an authority has signed", async () => {
  const issuer = await makeCertificate(folder, "issuer");
  const signed = await makeCertificate(folder, "signed", { issuer });
  assertEquals(await errorOf(signed, { trust: authority(issuer.cert) }), "");
  const other = await makeCertificate(folder, "other");
  assertMatch(
    await errorOf(signed, { trust: authority(other.cert) }),
    /^Cannot trust localhost:\d+: its certificate is not signed by ".+other\.crt"(, or has expired)?, expected/,
  );
  assertMatch(
    await errorOf(signed, { trust: { kind: "system" } }),
    /: its certificate is not signed by anybody this machine trusts(, or has expired)?, expected --ca-cert FILE or --tls-fingerprint$/,
  );
});

tlsTest("connect() verifies the host name, unless a fingerprint is given", async () => {
  const named = await makeCertificate(folder, "named", { names: "DNS:camera.example" });
  assertMatch(
    await errorOf(named, { trust: authority(named.cert) }),
    /: its certificate is for another name, expected that of --host, or --tls-fingerprint$/,
  );
  assertEquals(await errorOf(named, { trust: pin(named.fingerprint) }), "");
  const last = named.fingerprint.endsWith("0") ? "1" : "0";
  assertMatch(
    await errorOf(named, { trust: pin(named.fingerprint.slice(0, -1) + last) }),
    /: its certificate is not the one of --tls-fingerprint, /,
  );
});

tlsTest("connect() refuses an expired certificate, unless its fingerprint is given", async () => {
  const issuer = await makeCertificate(folder, "elder");
  const old = await makeCertificate(folder, "old", { issuer, days: -1 });
  assertMatch(
    await errorOf(old, { trust: authority(issuer.cert) }),
    /: its certificate (has expired, expected a new one|.* or has expired, expected another one)$/,
  );
  assertEquals(await errorOf(old, { trust: pin(old.fingerprint) }), "");
});

tlsTest("connect() refuses a server that lacks the key of its certificate", async () => {
  const { cert, key, fingerprint } = await makeCertificate(folder, "stolen");
  {
    // With the right key, the connection succeeds.
    await using honest = await OpensslServer.start({ cert, key });
    const credentials = { token: TOKEN, trust: pin(fingerprint) };
    using _connection = await connect({ host: "localhost", port: honest.port, credentials }, NEVER);
  }
  await using thief = await OpensslServer.start({ cert, key: await forgeKey(key) });
  for (const trust of [pin(fingerprint), authority(cert)]) {
    const target = { host: "localhost", port: thief.port, credentials: { token: TOKEN, trust } };
    const error = await assertRejects(() => connect(target, NEVER), Error);
    assertMatch(error.message, /^Cannot trust localhost:\d+: /);
  }
});

/** A private key of another certificate, with the public key of this one. */
async function forgeKey(key: string): Promise<string> {
  const [right, forged] = [`${key}.der`, `${key}.forged`];
  await openssl("ec", "-in", key, "-outform", "DER", "-out", right);
  const bytes = await Deno.readFile(right);
  // SEC 1, C.4: a sequence of the version, the private number in 32 bytes, and the public key.
  assertEquals([...bytes.subarray(2, 7)], [2, 1, 1, 4, 32]);
  bytes[20] ^= 1;
  const lines = bytes.toBase64().replaceAll(/.{64}/g, "$&\n");
  const [open, close] = ["BEGIN", "END"].map((edge) => `-----${edge} EC PRIVATE KEY-----`);
  await Deno.writeTextFile(forged, `${open}\n${lines}\n${close}\n`);
  return forged;
}

tlsTest("connect() sends nothing before the certificate is verified", async () => {
  const own = await makeCertificate(folder, "shown");
  const other = await makeCertificate(folder, "expected");
  const certificate = { cert: own.cert, key: own.key };
  await using server = await testServer({ media: folder, credentials: { certificate } });
  const { port } = server.address;
  for (const trust of [pin(other.fingerprint), authority(other.cert)]) {
    const target = { host: "localhost", port, credentials: { token: TOKEN, trust } };
    await assertRejects(() => connect(target, NEVER), Error, "Cannot trust");
  }
  assertEquals(server.lines.filter((line) => /list|unauthorized|bad_request/.test(line)), []);
});

Deno.test("connect() reports a server without TLS", async () => {
  await using server = await testServer({ media: folder });
  const target = {
    ...{ host: "localhost", port: server.address.port },
    credentials: { trust: { kind: "system" } as const },
  };
  const error = await assertRejects(() => connect(target, NEVER), Error);
  assertMatch(
    error.message,
    /^Cannot trust localhost:\d+: it does not speak TLS \(.+\); stream-server does with --tls-cert and --tls-key$/,
  );
});

Deno.test("connect() times out while waiting for TLS", async () => {
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepting = silent.accept();
  const target = {
    ...{ host: "127.0.0.1", port: silent.addr.port },
    credentials: { trust: pin(`sha256:${"0".repeat(64)}`) },
  };
  const error = await assertRejects(
    () => connect(target, NEVER, { connect: 2000, idle: 2000 }),
    Error,
  );
  assertMatch(error.message, /^Cannot connect to 127\.0\.0\.1:\d+: no TLS within 2 s, is that/);
  const controller = new AbortController();
  const reason = new Error("enough");
  const connecting = assertRejects(() => connect(target, controller.signal), Error, "enough");
  controller.abort(reason);
  await connecting;
  (await accepting).close();
});
