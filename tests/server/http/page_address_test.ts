import { assertEquals, assertMatch } from "@std/assert";
import type { InterfaceAddress } from "../../../lib/net/interfaces.ts";
import { drawCode, locate } from "../../../lib/server/http/page_address.ts";
import { mediaFolder } from "../../support/media/media_folder.ts";
import { printedBy } from "../../support/programs/machine.ts";
import { pureTest } from "../../support/pure_test.ts";
import { testWith } from "../../support/test_if.ts";

const media = mediaFolder();

const INTERFACES: readonly InterfaceAddress[] = [
  { family: "IPv6", address: "2001:db8::7" },
  { family: "IPv6", address: "fe80::1" },
  { family: "IPv4", address: "127.0.0.1" },
  { family: "IPv4", address: "192.168.1.7" },
  { family: "IPv6", address: "::1" },
  { family: "IPv4", address: "10.0.0.7" },
];

function urlsAt(hostname: string) {
  const { urls, shared } = locate({ hostname, port: 8080 }, {
    scheme: "http",
    interfaces: () => INTERFACES,
  });
  return [...urls, shared];
}

pureTest("locate() names this machine, then each address that others reach", () => {
  const [own, one, other] = ["127.0.0.1", "192.168.1.7", "10.0.0.7"]
    .map((host) => `http://${host}:8080/`);
  assertEquals(urlsAt("0.0.0.0"), [own, one, other, one]);
  assertEquals(urlsAt("::"), [own, one, other, "http://[2001:db8::7]:8080/", one]);
});

pureTest("locate() names the one address that is listened on", () => {
  assertEquals(urlsAt("127.0.0.1"), ["http://127.0.0.1:8080/", undefined]);
  assertEquals(urlsAt("::1"), ["http://[::1]:8080/", undefined]);
  assertEquals(urlsAt("192.168.1.7"), ["http://192.168.1.7:8080/", "http://192.168.1.7:8080/"]);
});

pureTest("locate() finds no other addresses without the permission to look", () => {
  const { urls } = locate({ hostname: "0.0.0.0", port: 443 }, { scheme: "https" });
  assertEquals(urls, ["https://127.0.0.1:443/"]);
});

/** Pixels of a module of a QR code in an image. */
const MODULE = 8;

/** A picture of characters whose halves are light or dark, as a terminal shows them: a PGM. */
function pictureOf(text: string): Uint8Array<ArrayBuffer> {
  const rows = text.trimEnd().split("\n").flatMap((line) =>
    ["\u2588\u2580", "\u2588\u2584"].map((light) =>
      [...line].flatMap((character) => Array(MODULE).fill(light.includes(character) ? 255 : 0))
    )
  );
  const pixels = rows.flatMap((row) => Array(MODULE).fill(row).flat());
  const head = new TextEncoder().encode(`P5 ${rows[0].length} ${rows.length * MODULE} 255\n`);
  return Uint8Array.from([...head, ...pixels]);
}

testWith("zbarimg")("drawCode() draws the URL without colours, as a camera reads it", async () => {
  const url = "https://192.168.100.107:8443/";
  const code = await drawCode(url);
  assertMatch(code, /^[ \n\u2580\u2584\u2588]+$/);
  const picture = await media.write("code.pgm", pictureOf(code));
  assertEquals(await printedBy("zbarimg", ["--quiet", "--raw", picture]), `${url}\n`);
});
