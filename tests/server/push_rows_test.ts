import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { createLogger } from "../../lib/base/log.ts";
import { pushRows, pushWarnings } from "../../lib/server/push_rows.ts";
import { Library } from "../../lib/sources/file/library.ts";
import { parseLiveSource } from "../../lib/sources/live/source_spec.ts";
import { mediaFolder } from "../support/media/media_folder.ts";
import { serverOf } from "../support/peers/relays.ts";
import { pushPort, ScriptPeer } from "../support/peers/script_peer.ts";
import { sessionContext } from "../support/peers/session_context.ts";
import { makeCertificate } from "../support/programs/certificates.ts";
import { pureTest } from "../support/pure_test.ts";
import { tlsTest } from "../support/test_if.ts";

const sources = [
  ...["cam=script::8485", "robot=script:robot:8485", "door=script::8486"],
  ...["roof=script+udp::9999", "test=lavfi:testsrc"],
].map((source) => parseLiveSource(source));

Deno.test("pushRows() has a row for each source that scripts push", async () => {
  const lines: string[] = [];
  const logger = createLogger({ level: "info", write: (line) => void lines.push(line) });
  await using shared = await sessionContext({ library: new Library(undefined), logger });
  const options = { host: "192.0.2.1", port: 0, defaults: {}, maxClients: 8, live: { sources } };
  const rows = pushRows(options, shared);
  assertEquals(rows.map(({ address, flags }) => [address.hostname, address.port, flags.freePort]), [
    ["192.0.2.1", 8485, "--live cam=script::0"],
    ["192.0.2.1", 8486, "--live door=script::0"],
  ]);
  rows[0].onListening?.({ hostname: "127.0.0.1", port: 8485, transport: "tcp" });
  const [listening, ...others] = lines;
  assertMatch(listening, / info +Scripts push "cam" to 127\.0\.0\.1:8485\n$/);
  assertEquals(others, []);
});

pureTest("pushWarnings() names the sources that strangers can push", () => {
  assertEquals(pushWarnings(sources, "127.0.0.1"), []);
  const warning = (name: string) =>
    `Anybody who reaches 192.0.2.1 can push "${name}": scripts send no token`;
  assertEquals(pushWarnings(sources, "192.0.2.1"), ["cam", "door", "roof"].map(warning));
});

Deno.test("a port for scripts that is taken is named with its source", async () => {
  await using server = await serverOf(["cam=script::0"]);
  const port = await pushPort(server);
  const { message } = await assertRejects(() => serverOf([`cam=script::${port}`]), Error);
  assertEquals(
    message,
    `Cannot listen on 127.0.0.1:${port}: the port is taken, choose another with --live ` +
      "cam=script::PORT, or --live cam=script::0 for a free one",
  );
});

tlsTest("scripts push without TLS to a server that has a certificate", async () => {
  const certificate = await makeCertificate(mediaFolder().path, "server");
  await using server = await serverOf(["cam=script::0?framing=none+raw:2x2:gray"], {
    credentials: { certificate },
  });
  using script = await ScriptPeer.push(server);
  await script.write(new Uint8Array(4));
  await server.logged(/ request begins command=publish name=cam /);
});
