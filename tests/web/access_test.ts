import { assertEquals } from "@std/assert";
import { Access } from "../../lib/web/access.ts";
import { pureTest } from "../support/pure_test.ts";

const HERE = { hostname: "127.0.0.1", port: 8080 };
const EVERYWHERE = { hostname: "0.0.0.0", port: 8080 };
const TOKEN = "Zm9vYmFyYmF6cXV4MTIzNA";

/** The decision about a request: `enter`, `welcome`, or the status of the refusal. */
function verdict(
  access: Access,
  headers: Record<string, string> = {},
  { method = "GET", path = "/" } = {},
): string | number {
  const all: Record<string, string> = { host: "localhost:8080", ...headers };
  const url = new URL(path, "http://localhost:8080");
  const found = access.judge({ method, url, header: (name) => all[name] ?? null });
  return found.kind === "refused" ? found.status : found.kind;
}

pureTest("Access.judge() allows only GET and HEAD", () => {
  const access = new Access(HERE, undefined);
  const results = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]
    .map((method) => verdict(access, {}, { method }));
  assertEquals(results, ["enter", "enter", 405, 405, 405, 405]);
});

pureTest("Access.judge() takes only names of this machine", () => {
  const access = new Access(HERE, undefined);
  for (
    const host of ["localhost:8080", "127.0.0.1:8080", "LOCALHOST:1", "[::1]:8080", "127.9.9.9"]
  ) {
    assertEquals(verdict(access, { host }), "enter", host);
  }
  for (const host of ["evil.example", "localhost.evil.example:8080", "", "192.168.0.2", "a]b"]) {
    assertEquals(verdict(access, { host }), 403, host);
  }
});

pureTest("Access.judge() takes the name of the address, and any name if there is a token", () => {
  const named = new Access({ hostname: "robot", port: 8080 }, undefined);
  assertEquals(verdict(named, { host: "Robot:8080" }), "enter");
  assertEquals(verdict(named, { host: "robot.example" }), 403);
  const cookie = `stream_8080=${TOKEN}`;
  const any = new Access(EVERYWHERE, TOKEN);
  assertEquals(verdict(any, { host: "robot:8080", cookie }), "enter");
  assertEquals(verdict(any, { host: "robot:8080" }), 401);
});

pureTest("Access.judge() refuses other sites, but lets them link to the page", () => {
  const access = new Access(HERE, undefined);
  const site = (name: string, dest = "empty") => ({
    "sec-fetch-site": name,
    "sec-fetch-dest": dest,
  });
  const list = { path: "/api/list" };
  assertEquals(verdict(access, site("same-origin"), list), "enter");
  assertEquals(verdict(access, site("none"), list), "enter");
  assertEquals(verdict(access, site("cross-site"), list), 403);
  assertEquals(verdict(access, site("same-site"), list), 403);
  assertEquals(verdict(access, site("cross-site", "document"), list), 403);
  assertEquals(verdict(access, site("cross-site", "document")), "enter");
  assertEquals(verdict(access, site("cross-site", "iframe")), 403);
});

pureTest("Access.judge() lets pages of this host show pictures, and nothing else", () => {
  const access = new Access(HERE, undefined);
  const site = (name: string, destination: string, referer = "http://localhost:80/") => ({
    ...{ "sec-fetch-site": name, "sec-fetch-dest": destination, referer },
  });
  for (const path of ["/stream/cam.mjpg", "/snapshot/cam.jpg"]) {
    assertEquals(verdict(access, site("same-site", "image"), { path }), "enter");
    assertEquals(verdict(access, site("same-site", "empty"), { path }), 403);
    assertEquals(verdict(access, site("cross-site", "image"), { path }), 403);
    for (const referer of ["", "null", "http://evil.example/localhost", "http://localhost.evil/"]) {
      assertEquals(verdict(access, site("same-site", "image", referer), { path }), 403);
    }
  }
  for (const path of ["/media/photo.jpg", "/api/image", "/"]) {
    assertEquals(verdict(access, site("same-site", "image"), { path }), 403);
  }
});

pureTest("Access.judge() refuses WebSockets of other sites", () => {
  const access = new Access(HERE, undefined);
  const play = { path: "/api/play" };
  assertEquals(verdict(access, { origin: "http://localhost:8080" }, play), "enter");
  assertEquals(verdict(access, { origin: "http://127.0.0.1:8080" }, play), 403);
  assertEquals(verdict(access, { origin: "https://evil.example" }, play), 403);
  assertEquals(verdict(access, { origin: "null" }, play), 403);
});

pureTest("Access.judge() requires the token if there is one", () => {
  const access = new Access(EVERYWHERE, TOKEN);
  const given = (token: string) => verdict(access, {}, { path: `/?token=${token}` });
  assertEquals(given(TOKEN), "welcome");
  for (
    const wrong of ["", TOKEN.slice(1), `${TOKEN}x`, TOKEN.toLowerCase(), `x${TOKEN.slice(1)}`]
  ) {
    assertEquals(given(wrong), 401, wrong);
  }
  assertEquals(verdict(access, {}, { path: `/api/list?token=${TOKEN}` }), 401);
  const kept = (cookie: string) => verdict(access, { cookie }, { path: "/api/list" });
  assertEquals(kept(`other=1; stream_8080=${TOKEN}`), "enter");
  assertEquals(kept(`stream_8081=${TOKEN}`), 401);
  assertEquals(kept("stream_8080=x"), 401);
});

pureTest("Access.judge() sets a cookie that scripts and other sites cannot read", () => {
  const access = new Access(EVERYWHERE, TOKEN);
  const url = new URL(`http://localhost:8080/?token=${TOKEN}`);
  const header = (name: string) => name === "host" ? "localhost:8080" : null;
  assertEquals(access.judge({ method: "GET", url, header }), {
    kind: "welcome",
    cookie: `stream_8080=${TOKEN}; Path=/; HttpOnly; SameSite=Strict`,
    isCrossSite: false,
  });
});
