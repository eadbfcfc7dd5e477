import { assert, assertEquals, assertMatch } from "@std/assert";
import { Secret } from "../../../lib/net/secret.ts";
import { tokenOf } from "../../../lib/server/http/access.ts";
import { mediaFolder, pictures } from "../../support/media/media_folder.ts";
import { answerTo, basic, statusIn } from "../../support/peers/raw_http.ts";
import { type TestServer, testServer } from "../../support/peers/test_server.ts";
import { pureTest } from "../../support/pure_test.ts";

const media = mediaFolder();

const TOKEN = "a-token-that-nobody-guesses";

async function tokenServer(credentials: Record<string, unknown> = { token: new Secret(TOKEN) }) {
  await media.make("m/photo.png", [...pictures(), "-frames:v", "1"]);
  const http = { hostname: "127.0.0.1", port: 0 };
  return await testServer({ media: media.pathOf("m"), http, credentials });
}

function pageOf({ server }: TestServer): string {
  return server.page ?? "";
}

/** Sends the form of the page, as a browser does. */
async function logIn(server: TestServer, token: string, headers: Record<string, string> = {}) {
  const { origin } = new URL(pageOf(server));
  return await fetch(`${origin}/login`, {
    method: "POST",
    headers: { Origin: origin, "Sec-Fetch-Site": "same-origin", ...headers },
    body: new URLSearchParams({ token }),
    redirect: "manual",
  });
}

/** Headers of a browser that shows the response. */
const SHOWN = { Accept: "text/html,application/xhtml+xml,*/*;q=0.8" };

/** Headers that show a request to come from another site. */
const FOREIGN: readonly Record<string, string>[] = [
  { Origin: "https://evil.example" },
  { Origin: "null" },
  { "Sec-Fetch-Site": "cross-site" },
  { "Sec-Fetch-Site": "same-site" },
  { Host: "" },
];

/** The cookie that a response sets, as browsers send it. */
async function cookieFrom(response: Response): Promise<string> {
  await response.bytes();
  return (response.headers.get("Set-Cookie") ?? "").split(";")[0];
}

/** Status of the list with some headers. */
async function listed(server: TestServer, headers: Record<string, string> = {}): Promise<number> {
  return statusIn(await answerTo(pageOf(server), "/api/list", headers));
}

pureTest("tokenOf() reads Bearer, and the password of Basic", () => {
  assertEquals(tokenOf("Bearer abc.def"), "abc.def");
  assertEquals(tokenOf("bearer  abc "), "abc");
  assertEquals(tokenOf(basic("vlc", "a:b ü")), "a:b ü");
  assertEquals(tokenOf(basic("", "")), "");
  for (
    const wrong of ["", "Bearer", "Bearer a b", "Digest abc", "Basic ?", "Basic /w==", "Basic YQ=="]
  ) {
    assertEquals(tokenOf(wrong), undefined, wrong);
  }
});

Deno.test("the page of a server with a token shows a form, and the token opens it", async () => {
  await using server = await tokenServer();
  const form = await fetch(pageOf(server), { headers: SHOWN });
  assertEquals(form.status, 200);
  assertEquals(form.headers.get("WWW-Authenticate"), null);
  // Otherwise, browsers send "null" as the origin of the form.
  assertEquals(form.headers.get("Referrer-Policy"), "same-origin");
  assertMatch(form.headers.get("Content-Security-Policy") ?? "", /form-action 'self'/);
  const text = await form.text();
  assertMatch(text, /<form method="post" action="\/login">/);
  for (const [, path] of text.matchAll(/href="(\/[^"]+)"/g)) {
    const file = await fetch(new URL(path, pageOf(server)));
    assertEquals(file.status, 200, path);
    await file.bytes();
  }
  assertEquals(await listed(server), 401);
  const welcome = await logIn(server, TOKEN);
  assertEquals([welcome.status, welcome.headers.get("Location")], [303, "/"]);
  const set = welcome.headers.get("Set-Cookie") ?? "";
  assertMatch(
    set,
    /^stream_\d+=[\w-]{43}; Path=\/; Max-Age=604800; HttpOnly; SameSite=Strict$/,
  );
  const cookie = await cookieFrom(welcome);
  assert(!cookie.includes(TOKEN));
  assertEquals(await listed(server, { Cookie: `other=1; ${cookie}` }), 200);
  assertEquals(await listed(server, { Cookie: cookie.slice(0, -1) }), 401);
  assertEquals(await listed(server, { Cookie: `stream_1=${TOKEN}` }), 401);
});

Deno.test("a wrong token in the form is refused, logged and counted, and delays the next", async () => {
  await using server = await tokenServer();
  const refused = await logIn(server, "a-guess");
  assertEquals([refused.status, refused.headers.get("Set-Cookie")], [403, null]);
  assertMatch(await refused.text(), /<p role="alert">That is not the token of this server</);
  await server.logged(/ warn .*: it is not the right one result=unauthorized /);
  assertEquals(server.lines.join("").includes("a-guess"), false);
  // Attempts of one address are checked one after the other, and few may wait.
  const attempts = await Promise.all(Array.from({ length: 8 }, () => logIn(server, "a-guess")));
  const texts = await Promise.all(attempts.map((response) => response.text()));
  assertEquals(new Set(attempts.map(({ status }) => status)), new Set([403, 503]));
  assert(texts.some((text) => text.includes("too many wait for a look at their token")));
});

Deno.test("programs send the token with each request", async () => {
  await using server = await tokenServer();
  assertEquals(await listed(server, { Authorization: `Bearer ${TOKEN}` }), 200);
  assertEquals(await listed(server, { Authorization: basic("vlc", TOKEN) }), 200);
  const shut = await answerTo(pageOf(server), "/api/list");
  assertEquals(statusIn(await answerTo(pageOf(server), "/")), 401);
  assertMatch(shut, /\r\nwww-authenticate: Basic realm="stream-server", charset="UTF-8"\r\n/);
  assertMatch(
    shut,
    /"detail":"Cannot serve without the token: [^"\n]+","code":"unauthorized"\}/,
  );
  // A browser would show a dialog of its own.
  const browser = await answerTo(pageOf(server), "/api/list", { "User-Agent": "Mozilla/5.0" });
  assertEquals([statusIn(browser), /www-authenticate/i.test(browser)], [401, false]);
  assertEquals(await listed(server, { Authorization: "Digest x" }), 401);
  assertEquals(await listed(server, { Authorization: "Bearer a-guess" }), 401);
  await server.logged(/ result=unauthorized /);
});

Deno.test("the form is taken from the page's own origin only", async () => {
  await using server = await tokenServer();
  const { origin } = new URL(pageOf(server));
  const foreign: Record<string, string>[] = [
    { Origin: "https://evil.example" },
    { Origin: "null" },
    { Origin: origin.replace("http:", "https:") },
    { Origin: origin, "Sec-Fetch-Site": "cross-site" },
  ];
  for (const headers of foreign) {
    const response = await logIn(server, TOKEN, headers);
    assertEquals([response.status, response.headers.get("Set-Cookie")], [403, null]);
    await response.bytes();
  }
  const bare = await answerTo(pageOf(server), "/login", { "Content-Length": "0" }, "POST");
  assertEquals(statusIn(bare), 403);
  assertEquals(statusIn(await answerTo(pageOf(server), "/login")), 303);
});

Deno.test("logins end when the token changes, and not before", async () => {
  const tokenFile = await media.write("token", `${TOKEN}\n`);
  await using server = await tokenServer({ tokenFile });
  const cookie = await cookieFrom(await logIn(server, TOKEN));
  await server.server.reload();
  assertEquals(await listed(server, { Cookie: cookie }), 200);
  await media.write("token", "another-one\n");
  await server.server.reload();
  assertEquals(await listed(server, { Cookie: cookie }), 401);
});

Deno.test("a link on another site opens the page with the login that the browser has", async () => {
  await using server = await tokenServer();
  const { host, origin } = new URL(pageOf(server));
  const link = { ...SHOWN, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document" };
  const first = await answerTo(pageOf(server), "/", link);
  assertMatch(first, new RegExp(`content="0; url=${origin}/"`));
  const again = await answerTo(pageOf(server), "/", {
    ...{ ...SHOWN, Host: host },
    "Sec-Fetch-Site": "same-origin",
  });
  assertMatch(again, /<form /);
});

for (const credentials of [undefined, { token: new Secret(TOKEN) }]) {
  const kind = credentials === undefined ? "without" : "with";
  Deno.test(`other sites and foreign names get nothing of a server ${kind} a token`, async () => {
    await using server = await tokenServer(credentials ?? {});
    const own: Record<string, string> = credentials ? { Authorization: `Bearer ${TOKEN}` } : {};
    const { host, port } = new URL(pageOf(server));
    assertEquals(await listed(server, own), 200);
    assertEquals(await listed(server, { ...own, Host: `localhost:${port}` }), 200);
    // The address of this machine in its network.
    assertEquals(await listed(server, { ...own, Host: `192.0.2.7:${port}` }), 200);
    assertEquals(await listed(server, { ...own, Origin: `http://${host}` }), 200);
    for (const headers of FOREIGN) {
      assertEquals(await listed(server, { ...own, ...headers }), 403, JSON.stringify(headers));
    }
    const upgrade = {
      ...{ Upgrade: "websocket", Connection: "Upgrade", Origin: "https://evil.example" },
      ...{ "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==" },
    };
    const socket = await answerTo(pageOf(server), "/api/play?name=photo.png", {
      ...own,
      ...upgrade,
    });
    assertEquals(statusIn(socket), 403);
    // A name that an attacker can point at this machine, unless the token protects it.
    const rebound = await listed(server, { ...own, Host: `evil.example:${port}` });
    assertEquals(rebound, credentials === undefined ? 403 : 200);
  });
}
