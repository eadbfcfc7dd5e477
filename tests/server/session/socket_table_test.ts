import { assertEquals, assertStrictEquals } from "@std/assert";
import { MissingProgramError } from "../../../lib/base/errors.ts";
import {
  SOCKET_TABLE,
  SocketTable,
  unreadBytes,
} from "../../../lib/server/session/socket_table.ts";
import { pureTest } from "../../support/pure_test.ts";
import { testIf } from "../../support/test_if.ts";

const LISTENER = "   0: 0100007F:1E61 00000000:0000 0A 00000000:00000000 00:00000000 00000000";
const SERVER = "   1: 0100007F:1E61 0100007F:9C40 01 00000100:00000002 01:00000014 00000000";
const SCRIPT = "   2: 0100007F:9C40 0100007F:1E61 01 00000000:00000010 00:00000000 00000000";
const MAPPED = "   3: 0000000000000000FFFF00000100007F:1E61 " +
  "0000000000000000FFFF00000100007F:9C40 01 00000100:00000002 01:00000014 00000000";
const ELSEWHERE = "   4: 0500000A:1E61 0600000A:9C40 01 00000100:00000002 01:00000014 00000000";

const PORTS = { local: 0x1e61, remote: 0x9c40 };

function unread(...lines: string[]): number | undefined {
  return unreadBytes(lines.join("\n"), PORTS);
}

pureTest("unreadBytes() adds what a peer on this machine has not read", () => {
  assertStrictEquals(unread(LISTENER, SERVER), 0x100);
  assertStrictEquals(unread(LISTENER, SERVER, SCRIPT), 0x110);
  assertStrictEquals(unread(LISTENER, SCRIPT, MAPPED), 0x110);
});

pureTest("unreadBytes() knows no connection that is not there, or not the only one", () => {
  assertStrictEquals(unread(LISTENER, SCRIPT), undefined);
  assertStrictEquals(unread(SERVER, ELSEWHERE), undefined);
  assertStrictEquals(unread(), undefined);
});

const linux = testIf(Deno.build.os === "linux", "only Linux has a table of sockets");

linux("SocketTable reads the table once for all who ask at a time", async () => {
  const reads: string[] = [];
  const table = new SocketTable(() => {
    reads.push("table");
    return Promise.resolve(SERVER);
  });
  assertEquals(await Promise.all([table.unread(PORTS), table.unread(PORTS)]), [0x100, 0x100]);
  assertEquals(reads, ["table"]);
});

linux("SocketTable tells nothing while the table cannot be read, and then goes on", async () => {
  const failure = Promise.reject(new Error("Too many open files"));
  const results = [failure, Promise.resolve(SERVER)];
  const table = new SocketTable(() => results.shift()!);
  assertStrictEquals(await table.unread(PORTS), undefined);
  assertStrictEquals(await table.unread(PORTS), 0x100);
});

linux("SocketTable tells nothing on a system without a table", async () => {
  const table = new SocketTable(() => Promise.reject(new MissingProgramError("no sh")));
  assertStrictEquals(await table.unread(PORTS), undefined);
  assertStrictEquals(await table.unread(PORTS), undefined);
});

linux("the table of this machine tells what a peer has not read", async () => {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  using sender = await Deno.connect({ port: listener.addr.port, hostname: "127.0.0.1" });
  using _receiver = await listener.accept();
  await sender.write(new Uint8Array(1234));
  const ports = { local: sender.localAddr.port, remote: sender.remoteAddr.port };
  assertStrictEquals(await SOCKET_TABLE.unread(ports), 1234);
});
