import { assertEquals, assertRejects } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { Secret } from "../../../lib/net/secret.ts";
import { Authenticator } from "../../../lib/server/auth/authenticator.ts";

const PEER = { address: "10.0.0.1", signal: new AbortController().signal };

/** A clock on which no wait takes any time. */
const NO_WAIT = { now: () => 0, sleep: () => Promise.resolve() };

async function refusal(
  authenticator: Authenticator,
  token: string | undefined,
): Promise<RequestError> {
  return await assertRejects(() => authenticator.authenticate(token, PEER), RequestError);
}

Deno.test("authenticate() lets everybody in if there is no token", async () => {
  const authenticator = new Authenticator();
  assertEquals(authenticator.isRequired, false);
  await authenticator.authenticate(undefined, PEER);
  await authenticator.authenticate("anything", PEER);
});

Deno.test("authenticate() accepts the token, and nothing close to it", async () => {
  const authenticator = new Authenticator(NO_WAIT);
  await authenticator.setToken(new Secret("open sesame é"));
  await authenticator.authenticate("open sesame é", PEER);
  for (const token of ["", "open sesame e", "open sesame é ", "Open sesame é", "open sesame"]) {
    const { code, message } = await refusal(authenticator, token);
    assertEquals([code, message.includes("sesame")], ["unauthorized", false]);
  }
  const { code, message } = await refusal(authenticator, undefined);
  assertEquals([code, message], [
    "unauthorized",
    "Cannot serve without a token: this server needs one",
  ]);
});

Deno.test("setToken() replaces the token", async () => {
  const authenticator = new Authenticator(NO_WAIT);
  await authenticator.setToken(new Secret("old"));
  await authenticator.setToken(new Secret("new"));
  await authenticator.authenticate("new", PEER);
  assertEquals((await refusal(authenticator, "old")).code, "unauthorized");
});
