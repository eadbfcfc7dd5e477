import { assertEquals, assertMatch } from "@std/assert";
import { relayWarnings, startupWarnings } from "../../../lib/server/auth/credentials.ts";
import { parseLiveSource } from "../../../lib/sources/live/source_spec.ts";
import { pureTest } from "../../support/pure_test.ts";

const PROTECTED = { token: true, tls: true, scriptsOpen: false };

pureTest(
  "startupWarnings() is empty for a loopback address, and if everything is protected",
  () => {
    const open = { token: false, tls: false, scriptsOpen: true };
    for (const host of ["127.0.0.1", "127.1.2.3", "::1"]) {
      assertEquals(startupWarnings(host, open), []);
    }
    assertEquals(startupWarnings("0.0.0.0", PROTECTED), []);
  },
);

pureTest("startupWarnings() tells of a token for publishing that can be read", () => {
  const open = { token: true, tls: false, scriptsOpen: false, publishToken: true };
  const [, publishing] = startupWarnings("192.0.2.1", open);
  assertMatch(publishing, /^Anybody on the way .* the token for publishing: there is no TLS; see/);
});

pureTest("startupWarnings() names the missing protection and its flags", () => {
  const cases = [
    [
      { token: false, tls: false },
      /can watch: there is no token and no TLS; see --token-file, --tls-cert and --tls-key$/,
    ],
    [{ token: false }, /can watch: there is no token; see --token-file$/],
    [
      { tls: false },
      /can read the token and what is sent: there is no TLS; see --tls-cert and --tls-key$/,
    ],
    [
      { token: false, scriptsOpen: false, publishToken: true },
      /can watch: there is no token; see --token-file$/,
    ],
    [{ scriptsOpen: true }, /^Any script .* without the token: --classic-open$/],
  ] as const;
  for (const [missing, line] of cases) {
    const warnings = startupWarnings("192.0.2.1", { ...PROTECTED, ...missing });
    assertEquals(warnings.length, 1);
    assertMatch(warnings[0], line);
    assertMatch(warnings[0], / 192\.0\.2\.1 /);
  }
});

pureTest("relayWarnings() names the sources whose token goes unencrypted", () => {
  const inputs = ["a=stream://10.0.0.1/a", "b=streams://10.0.0.1/b", "c=stream://localhost/c"];
  const sources = [...inputs, "d=rtsp://10.0.0.1/d"].map((text) => parseLiveSource(text));
  const [line, ...others] = relayWarnings(sources, { relayTokenFile: "token" });
  assertMatch(
    line,
    /^Anybody on the way to 10\.0\.0\.1 can read the token for "a": .*; see streams:/,
  );
  assertEquals(others, []);
  assertEquals(relayWarnings(sources, {}), []);
});
