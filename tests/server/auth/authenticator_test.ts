import { assertEquals, assertRejects } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { Secret } from "../../../lib/net/secret.ts";
import { Access } from "../../../lib/server/auth/authenticator.ts";

const VISITOR = { address: "10.0.0.1", signal: new AbortController().signal };

/** A clock on which no wait takes any time. */
const NO_WAIT = { now: () => 0, sleep: () => Promise.resolve() };

async function refusal(access: Access, token: string | undefined): Promise<RequestError> {
  return await assertRejects(() => access.admit(token, VISITOR), RequestError);
}

Deno.test("admit() lets everybody in where there is no token", async () => {
  const access = new Access();
  assertEquals(access.isGuarded, false);
  await access.admit(undefined, VISITOR);
  await access.admit("anything", VISITOR);
});

Deno.test("admit() lets in the token, and nothing that is nearly it", async () => {
  const access = new Access(new Secret("open sesame é"), NO_WAIT);
  await access.admit("open sesame é", VISITOR);
  for (const token of ["", "open sesame e", "open sesame é ", "Open sesame é", "open sesame"]) {
    const { code, message } = await refusal(access, token);
    assertEquals([code, message.includes("sesame")], ["unauthorized", false]);
  }
  const { code, message } = await refusal(access, undefined);
  assertEquals([code, message], [
    "unauthorized",
    "Cannot serve without a token: this server needs one",
  ]);
});

Deno.test("expect() changes the token for those who ask from then on", async () => {
  const access = new Access(new Secret("old"), NO_WAIT);
  access.expect(new Secret("new"));
  await access.admit("new", VISITOR);
  assertEquals((await refusal(access, "old")).code, "unauthorized");
});
