import { assertEquals, assertMatch } from "@std/assert";
import { startupWarnings } from "../../lib/server/start.ts";
import { pureTest } from "../support/pure_test.ts";

const CLOSED = { token: true, tls: true, scriptsOpen: false };

pureTest(
  "startupWarnings() says nothing on this machine alone, and nothing where all is closed",
  () => {
    const open = { token: false, tls: false, scriptsOpen: true };
    for (const host of ["127.0.0.1", "127.1.2.3", "::1"]) {
      assertEquals(startupWarnings(host, open), []);
    }
    assertEquals(startupWarnings("0.0.0.0", CLOSED), []);
  },
);

pureTest("startupWarnings() names what is missing, and the flags", () => {
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
    [{ scriptsOpen: true }, /^Any script .* without the token: --classic-open$/],
  ] as const;
  for (const [guards, line] of cases) {
    const said = startupWarnings("192.0.2.1", { ...CLOSED, ...guards });
    assertEquals(said.length, 1);
    assertMatch(said[0], line);
    assertMatch(said[0], / 192\.0\.2\.1 /);
  }
});
