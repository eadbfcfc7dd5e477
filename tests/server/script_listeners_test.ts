import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { createLogger } from "../../lib/base/log.ts";
import { scriptRows } from "../../lib/server/script_listeners.ts";
import { Library } from "../../lib/sources/file/library.ts";
import { parseLiveSource } from "../../lib/sources/live/source_spec.ts";
import { mediaFolder } from "../support/media/media_folder.ts";
import { serverOf } from "../support/peers/relays.ts";
import { pushPort, ScriptPeer } from "../support/peers/script_peer.ts";
import { sessionContext } from "../support/peers/session_context.ts";
import { makeCertificate } from "../support/programs/certificates.ts";
import { tlsTest } from "../support/test_if.ts";

const SOURCES = ["cam=script::8485", "robot=script:robot:8485", "door=script::8486"];

Deno.test("scriptRows() has a row for each source that scripts push, and warns of strangers", async () => {
  const lines: string[] = [];
  const logger = createLogger({ level: "info", write: (line) => void lines.push(line) });
  await using shared = await sessionContext({ library: new Library(undefined), logger });
  const sources = SOURCES.map((source) => parseLiveSource(source));
  const rows = scriptRows(sources, { host: "192.0.2.1", shared });
  assertEquals(rows.map(({ address, flags }) => [address.hostname, address.port, flags.freePort]), [
    ["192.0.2.1", 8485, "--live cam=script::0"],
    ["192.0.2.1", 8486, "--live door=script::0"],
  ]);
  rows[0].onListening?.({ hostname: "127.0.0.1", port: 8485, transport: "tcp" });
  rows[1].onListening?.({ hostname: "192.0.2.1", port: 8486, transport: "tcp" });
  const [listening, other, warning, ...more] = lines;
  assertMatch(listening, / info  Scripts push "cam" to 127\.0\.0\.1:8485\n$/);
  assertMatch(other, / info  Scripts push "door" to 192\.0\.2\.1:8486\n$/);
  assertMatch(warning, / warn  Anybody who reaches 192\.0\.2\.1 can push "door": scripts send no/);
  assertEquals(more, []);
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
