import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { readCertificate } from "../../lib/net/certificate.ts";
import { makeCertificate, openssl } from "../support/programs/certificates.ts";
import { tlsTest } from "../support/test_if.ts";

const folder = await Deno.makeTempDir();
addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

tlsTest("readCertificate() gives the fingerprint that openssl gives", async () => {
  const pair = await makeCertificate(folder, "good");
  const { fingerprint, warnings } = await readCertificate(pair);
  assertEquals([fingerprint, warnings], [pair.fingerprint, []]);
});

tlsTest("readCertificate() warns of one that is not good now", async () => {
  const pair = await makeCertificate(folder, "aging");
  const day = 86_400_000;
  const late = await readCertificate(pair, Date.now() + 3 * day);
  assertMatch(late.warnings[0], /^The certificate in ".+aging\.crt" has expired: /);
  const early = await readCertificate(pair, Date.now() - day);
  assertMatch(early.warnings[0], /^The certificate in ".+aging\.crt" is not yet good: /);
});

tlsTest("readCertificate() warns of a key that everybody can read", async () => {
  const pair = await makeCertificate(folder, "open");
  await Deno.chmod(pair.key, 0o644);
  const { warnings } = await readCertificate(pair);
  assertEquals(warnings.length, 1);
  assertMatch(
    warnings[0],
    /^Everybody on this machine can read ".+open\.key": chmod 600 keeps it$/,
  );
});

tlsTest("readCertificate() refuses certificates that fail the handshake", async () => {
  const pair = await makeCertificate(folder, "chain");
  const rubbish = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  await Deno.writeTextFile(pair.cert, rubbish, { append: true });
  await assertRejects(
    () => readCertificate(pair),
    Error,
    `Cannot use "${pair.cert}": it is broken, expected a certificate and its issuers' in PEM`,
  );
  const [cert, key] = [`${folder}/odd.crt`, `${folder}/odd.key`];
  await openssl("ecparam", "-name", "secp256k1", "-genkey", "-noout", "-out", key);
  await openssl("req", "-x509", "-key", key, "-out", cert, "-subj", "/CN=odd");
  await assertRejects(
    () => readCertificate({ cert, key }),
    Error,
    `Cannot use the key in "${key}": TLS here knows none of kind secp256k1, expected rsa, `,
  );
});

tlsTest("readCertificate() says which file cannot be used, and why", async () => {
  const [one, two] = [await makeCertificate(folder, "one"), await makeCertificate(folder, "two")];
  const locked = `${folder}/locked.key`;
  await openssl("ec", "-in", one.key, "-aes128", "-passout", "pass:x", "-out", locked);
  const none = `${folder}/none`;
  const cases = [
    [
      { cert: none, key: one.key },
      /^Cannot read the certificate in ".+none": no such file, expected a file in PEM$/,
    ],
    [{ cert: one.cert, key: none }, /^Cannot read the key in ".+none": no such file/],
    [
      { cert: one.key, key: one.key },
      /^Cannot use ".+one\.key": it is broken, expected a certificate and its issuers' in PEM$/,
    ],
    [
      { cert: one.cert, key: one.cert },
      /^Cannot use ".+one\.crt": it is broken, expected a private key without a passphrase in PEM$/,
    ],
    [
      { cert: one.cert, key: locked },
      /^Cannot use ".+locked\.key": .+ without a passphrase in PEM$/,
    ],
    [
      { cert: one.cert, key: two.key },
      /^Cannot use the key in ".+two\.key": it is another certificate's, expected that of ".+one\.crt"$/,
    ],
  ] as const;
  for (const [files, reason] of cases) {
    const error = await assertRejects(() => readCertificate(files), Error);
    assertMatch(error.message, reason);
  }
});
