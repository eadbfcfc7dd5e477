import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { connect, ConnectError, RequestError, serve } from "../../mod.ts";
import { mediaFolder, pictures } from "../support/media/media_folder.ts";
import { clientOf } from "../support/peers/module_client.ts";
import { ScriptedServer } from "../support/peers/scripted_server.ts";
import { makeCertificate } from "../support/programs/certificates.ts";
import { freePort } from "../support/programs/machine.ts";
import { tlsTest } from "../support/test_if.ts";

const media = mediaFolder();

Deno.test("list() names the media of the server", async () => {
  await media.make("a.png", [...pictures(), "-frames:v", "1"]);
  await using server = await serve({ media: media.path, live: { cam: "lavfi:testsrc" } });
  const entries = await connect(server.address).list();
  const [live, file] = entries;
  assertEquals(entries.map(({ name }) => name), ["cam", "a.png"]);
  assertEquals([live.live, file.live], [true, false]);
  const { kind, width, height } = file;
  assertEquals([kind, width, height], ["image", 64, 48]);
});

Deno.test("connect() refuses wrong options in one line", () => {
  const wrong = [
    [{ port: 0 }, "Cannot use port 0: expected an integer from 1 to 65535"],
    [{ port: 7777.5 }, "Cannot use port 7777.5: expected an integer from 1 to 65535"],
    [{ host: "lab:7777" }, 'host "lab:7777": expected a name without a port; set the option port'],
    [{ host: "" }, 'Cannot use host "": expected a name without a port'],
    [{ retries: -1 }, "Cannot use retries -1: expected a number from 0 to Infinity"],
    [{ token: " " }, "Cannot use the option token: it is empty, expected the token"],
    [{ caCert: "/etc/ca.pem" }, "Cannot use caCert: there is no certificate in it, expected one"],
    [{ tlsFingerprint: "abc" }, 'Cannot use tlsFingerprint "abc": expected sha256: and 64'],
  ] as const;
  for (const [options, message] of wrong) {
    assertThrows(() => connect(options), TypeError, message);
  }
  const both = {
    caCert: "-----BEGIN CERTIFICATE-----",
    tlsFingerprint: `sha256:${"0".repeat(64)}`,
  };
  assertThrows(() => connect(both), TypeError, "Cannot use caCert with tlsFingerprint");
});

Deno.test("a missing or wrong token is unauthorized, and the advice names the option", async () => {
  await using server = await serve({ token: "open-sesame" });
  const missing = await assertRejects(() => connect(server.address).list(), RequestError);
  assertEquals(missing.code, "unauthorized");
  assertMatch(missing.message, /; set the option token$/);
  const guessing = connect({ ...server.address, token: "open-barley" });
  const wrong = await assertRejects(() => guessing.watch("x").next(), RequestError);
  assertEquals(wrong.code, "unauthorized");
  assertMatch(wrong.message, /; look at the option token, and ask/);
  assertEquals(await connect({ ...server.address, token: "open-sesame" }).list(), []);
});

Deno.test("list() fails without a server, in words of the options", async () => {
  const address: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: freePort() };
  const error = await assertRejects(() => clientOf({ address }).list(), ConnectError);
  assertMatch(error.message, /name it with the options host and port$/);
  const signal = AbortSignal.abort(new Error("enough"));
  await assertRejects(() => clientOf({ address }).list({ signal }), Error, "enough");
});

Deno.test("list() tries again as often as retries says", async () => {
  let connections = 0;
  await using server = new ScriptedServer(() => void connections++);
  const failed = () => clientOf(server, { retries: 1 }).list();
  await assertRejects(failed, Error, "tried again once; is that stream-server?");
  assertEquals(connections, 2);
});

tlsTest("connect() trusts a certificate by fingerprint or authority, and no other", async () => {
  const { cert, key, fingerprint } = await makeCertificate(media.path, "own");
  const caCert = await Deno.readTextFile(cert);
  await using server = await serve({ tls: { cert, key } });
  assertEquals(server.fingerprint, fingerprint);
  const { port } = server.address;
  const to = (options: Parameters<typeof connect>[0]) => connect({ port, ...options }).list();
  assertEquals(await to({ tlsFingerprint: fingerprint }), []);
  assertEquals(await to({ caCert }), []);
  const fails = async (options: Parameters<typeof connect>[0], words: RegExp) => {
    const { message } = await assertRejects(() => to(options), ConnectError);
    assertMatch(message, words);
    assert(!message.includes("--tls-fingerprint") && !message.includes("--ca-cert"), message);
  };
  await fails({ tls: true }, /not signed by anybody .*, expected the option caCert or tlsFing/);
  await fails(
    { tlsFingerprint: `sha256:${"0".repeat(64)}` },
    /its certificate is not the one of tlsFingerprint, /,
  );
  const { cert: other } = await makeCertificate(media.path, "other");
  await fails(
    { caCert: await Deno.readTextFile(other) },
    /its certificate is not signed by "caCert"/,
  );
});
