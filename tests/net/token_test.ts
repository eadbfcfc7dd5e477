import { assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { MAX_TOKEN_LENGTH } from "../../lib/net/secret.ts";
import { readToken, takeToken, TOKEN_VARIABLE } from "../../lib/net/token.ts";
import { encodeRequest, parseRequest } from "../../lib/protocol/native/request.ts";

/** A file with a text and a mode. */
async function fileOf(text: string, mode: number): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(path, text);
  await Deno.chmod(path, mode);
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path) };
}

Deno.test("readToken() gives the first line, trimmed", async () => {
  for (const text of ["a b", " a b \n", "a b\r\nsecond\n", "a b\nsecond"]) {
    await using file = await fileOf(text, 0o600);
    const { token, warning } = await readToken(file.path);
    assertEquals([token.reveal(), warning], ["a b", undefined]);
  }
});

Deno.test("readToken() warns of a file that everybody can read", async () => {
  await using file = await fileOf("sesame\n", 0o644);
  const { token, warning = "" } = await readToken(file.path);
  assertEquals(token.reveal(), "sesame");
  assertMatch(warning, /^Everybody on this machine can read ".+": chmod 600 keeps it$/);
  await using group = await fileOf("sesame\n", 0o640);
  assertEquals((await readToken(group.path)).warning, undefined);
});

Deno.test("readToken() refuses a file without a token, and quotes nothing of it", async () => {
  for (const text of ["", "\n", "  \t\nsesame\n"]) {
    await using file = await fileOf(text, 0o600);
    const error = await assertRejects(() => readToken(file.path), Error);
    assertMatch(error.message, /^Cannot use the token in ".+": its first line is empty, expected/);
  }
  await using long = await fileOf("s".repeat(MAX_TOKEN_LENGTH + 1), 0o600);
  const error = await assertRejects(() => readToken(long.path), Error);
  assertMatch(error.message, /: its first line has 4097 characters, expected at most 4096$/);
  await assertRejects(() => readToken(`${long.path}.none`), Error, "no such file, expected");
});

Deno.test("readToken() refuses bytes that are no text, which would all be read as the same", async () => {
  for (const bytes of [[0xe9, 0x80, 0x41], [0xff, 0xfe, 0x73, 0, 0x65, 0], [0x73, 0, 0x65]]) {
    await using file = await fileOf("", 0o600);
    await Deno.writeFile(file.path, Uint8Array.from(bytes));
    const error = await assertRejects(() => readToken(file.path), Error);
    assertMatch(
      error.message,
      /^Cannot use the token in ".+": its first line is no text, expected/,
    );
  }
  await using marked = await fileOf("\uFEFFs\u00e9same\r\n", 0o600);
  assertEquals((await readToken(marked.path)).token.reveal(), "s\u00e9same");
});

Deno.test("takeToken() takes it out of the environment", () => {
  Deno.env.delete(TOKEN_VARIABLE);
  assertEquals(takeToken(), undefined);
  Deno.env.set(TOKEN_VARIABLE, " sesame ");
  assertEquals(takeToken()?.reveal(), "sesame");
  assertEquals(Deno.env.get(TOKEN_VARIABLE), undefined);
  Deno.env.set(TOKEN_VARIABLE, "  ");
  assertThrows(
    () => takeToken(),
    Error,
    "Cannot use STREAM_TOKEN: it is empty, expected the token",
  );
  for (const text of ["", "sesame"]) {
    Deno.env.set(TOKEN_VARIABLE, text);
    assertEquals(takeToken("a file that counts more"), undefined);
    assertEquals(Deno.env.get(TOKEN_VARIABLE), undefined);
  }
});

Deno.test("the longest token that readToken() takes can be sent", async () => {
  await using file = await fileOf("s".repeat(MAX_TOKEN_LENGTH), 0o600);
  const token = (await readToken(file.path)).token.reveal();
  const payload = encodeRequest({ command: "list_media", token });
  assertEquals(parseRequest(payload).token?.length, MAX_TOKEN_LENGTH);
});
