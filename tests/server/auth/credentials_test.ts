import { assertEquals } from "@std/assert";
import { Credentials } from "../../../lib/server/auth/credentials.ts";
import { mediaFolder } from "../../support/media/media_folder.ts";

const folder = mediaFolder();

Deno.test("Credentials.reload() reads once more for all who ask while it reads", async () => {
  const tokenFile = await folder.write("token", "sesame\n");
  const told: string[] = [];
  const logger = { log: (_level: string, message: string) => void told.push(message) };
  const credentials = await Credentials.open({ tokenFile }, logger);
  const first = credentials.reload();
  await Promise.resolve();
  await Promise.all([first, ...Array.from({ length: 99 }, () => credentials.reload())]);
  const times = () => told.filter((line) => line === "read the token again").length;
  assertEquals(times(), 2);
  await credentials.reload();
  assertEquals(times(), 3);
});

Deno.test("Credentials.reload() reads what other servers require again", async () => {
  const relayTokenFile = await folder.write("other", "first\n");
  const told: string[] = [];
  const logger = { log: (_level: string, message: string) => void told.push(message) };
  const credentials = await Credentials.open({ relayTokenFile }, logger);
  const shown = () => credentials.relayCredentials({ isEncrypted: false }).token?.reveal();
  assertEquals(shown(), "first");
  await folder.write("other", "second\n");
  await credentials.reload();
  assertEquals(shown(), "second");
  await Deno.remove(relayTokenFile);
  await credentials.reload();
  assertEquals(shown(), "second");
  assertEquals(told.filter((line) => /is kept|nothing to read/.test(line)).length, 1);
  assertEquals(credentials.relayCredentials({ isEncrypted: false }).trust, undefined);
  assertEquals(credentials.relayCredentials({ isEncrypted: true }).trust?.kind, "system");
});

Deno.test("Credentials.reload() reads the token for publishing again", async () => {
  const publishTokenFile = await folder.write("publish", "one\n");
  const told: string[] = [];
  const logger = { log: (_level: string, message: string) => void told.push(message) };
  const credentials = await Credentials.open({ publishTokenFile }, logger);
  const options = { address: "127.0.0.1", signal: new AbortController().signal };
  await credentials.publishAuthenticator.authenticate("one", options);
  await folder.write("publish", "two\n");
  await credentials.reload();
  assertEquals(told.at(-1), "read the token for publishing again");
  await credentials.publishAuthenticator.authenticate("two", options);
  assertEquals(credentials.authenticator.isRequired, false);
});
