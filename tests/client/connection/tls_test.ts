import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { connect } from "../../../lib/client/connection/connection.ts";
import type { Trust } from "../../../lib/client/connection/tls.ts";
import { requestList } from "../../../lib/client/request/native.ts";
import { Secret } from "../../../lib/net/token.ts";
import { testServer } from "../../support/peers/test_server.ts";
import {
  type CertificatePair,
  makeCertificate,
  openssl,
  OpensslServer,
} from "../../support/programs/certificates.ts";
import { tlsTest } from "../../support/test_if.ts";

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

/** What a client that trusts so says of a server with a certificate; nothing where it is content. */
async function complaint(
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
    using link = await connect(target, NEVER);
    assertEquals(await requestList(link), []);
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

tlsTest("connect() trusts a certificate that is itself named, by name or address", async () => {
  const own = await makeCertificate(folder, "own");
  for (const host of ["localhost", "127.0.0.1"]) {
    assertEquals(await complaint(own, { trust: authority(own.cert), host }), "");
  }
});

tlsTest("connect() trusts what an authority has signed", async () => {
  const issuer = await makeCertificate(folder, "issuer");
  const signed = await makeCertificate(folder, "signed", { issuer });
  assertEquals(await complaint(signed, { trust: authority(issuer.cert) }), "");
  const other = await makeCertificate(folder, "other");
  assertMatch(
    await complaint(signed, { trust: authority(other.cert) }),
    /^Cannot trust localhost:\d+: its certificate is not signed by ".+other\.crt"(, or has expired)?, expected/,
  );
  assertMatch(
    await complaint(signed, { trust: { kind: "system" } }),
    /: its certificate is not signed by anybody this machine trusts(, or has expired)?, expected --ca-cert FILE or --tls-fingerprint$/,
  );
});

tlsTest("connect() wants the name, unless a fingerprint says which certificate it is", async () => {
  const named = await makeCertificate(folder, "named", { names: "DNS:camera.example" });
  assertMatch(
    await complaint(named, { trust: authority(named.cert) }),
    /: its certificate is for another name, expected that of --host, or --tls-fingerprint$/,
  );
  assertEquals(await complaint(named, { trust: pin(named.fingerprint) }), "");
  const last = named.fingerprint.endsWith("0") ? "1" : "0";
  assertMatch(
    await complaint(named, { trust: pin(named.fingerprint.slice(0, -1) + last) }),
    /: its certificate is not the one of --tls-fingerprint, /,
  );
});

tlsTest(
  "connect() takes no certificate that has expired, unless it is exactly the one",
  async () => {
    const issuer = await makeCertificate(folder, "elder");
    const old = await makeCertificate(folder, "old", { issuer, days: -1 });
    assertMatch(
      await complaint(old, { trust: authority(issuer.cert) }),
      /: its certificate (has expired, expected a new one|.* or has expired, expected another one)$/,
    );
    assertEquals(await complaint(old, { trust: pin(old.fingerprint) }), "");
  },
);

tlsTest("connect() trusts nobody who shows the right certificate and has not its key", async () => {
  const { cert, key, fingerprint } = await makeCertificate(folder, "stolen");
  {
    // What is to fail below, does so for the key alone.
    await using honest = await OpensslServer.start({ cert, key });
    const credentials = { token: TOKEN, trust: pin(fingerprint) };
    using _link = await connect({ host: "localhost", port: honest.port, credentials }, NEVER);
  }
  await using thief = await OpensslServer.start({ cert, key: await forgeKey(key) });
  for (const trust of [pin(fingerprint), authority(cert)]) {
    const target = { host: "localhost", port: thief.port, credentials: { token: TOKEN, trust } };
    const error = await assertRejects(() => connect(target, NEVER), Error);
    assertMatch(error.message, /^Cannot trust localhost:\d+: /);
  }
});

/** A key that says of itself that it belongs to a certificate, and does not. */
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

tlsTest("connect() sends nothing before it trusts", async () => {
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

Deno.test("connect() says where there is no TLS", async () => {
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

Deno.test("connect() waits only so long for TLS", async () => {
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepting = silent.accept();
  const target = {
    ...{ host: "127.0.0.1", port: silent.addr.port },
    credentials: { trust: pin(`sha256:${"0".repeat(64)}`) },
  };
  const error = await assertRejects(
    () => connect(target, NEVER, { connect: 200, silence: 200 }),
    Error,
  );
  assertMatch(error.message, /^Cannot connect to 127\.0\.0\.1:\d+: no TLS within 0\.2 s, is that/);
  const controller = new AbortController();
  const reason = new Error("enough");
  const connecting = assertRejects(() => connect(target, controller.signal), Error, "enough");
  controller.abort(reason);
  await connecting;
  (await accepting).close();
});
