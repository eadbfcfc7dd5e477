import { assertEquals } from "@std/assert";
import { cookieFor, parseDisplay } from "../../../lib/sinks/window/x11_protocol.ts";
import { pureTest } from "../../support/pure_test.ts";

const LOCAL = 256;
const WILD = 65535;

/** One entry, as the file holds it: numbers of two bytes from the big end. */
function entry(
  family: number,
  ...[address, number, name, data]: readonly [string, string, string, string]
): number[] {
  const two = (value: number) => [value >> 8, value & 0xff];
  const fields = [address, number, name, data].flatMap((text) => {
    const bytes = new TextEncoder().encode(text);
    return [...two(bytes.length), ...bytes];
  });
  return [...two(family), ...fields];
}

const COOKIE = "MIT-MAGIC-COOKIE-1";

/** Content of the cookie that is chosen out of a file. */
function chosen(
  file: readonly number[],
  { number = 0, hostname }: { number?: number; hostname?: string } = {},
): string | undefined {
  const cookie = cookieFor(Uint8Array.from(file), number, hostname);
  return cookie && new TextDecoder().decode(cookie.data);
}

pureTest("parseDisplay() parses host and number", () => {
  assertEquals(parseDisplay(":0"), { host: "", number: 0 });
  assertEquals(parseDisplay(":12.1"), { host: "", number: 12 });
  assertEquals(parseDisplay("unix:1"), { host: "", number: 1 });
  assertEquals(parseDisplay("localhost:10.0"), { host: "localhost", number: 10 });
  for (const unknown of ["", "0", ":", ":x", "/tmp/socket:0", ":0.", "a:b:0"]) {
    assertEquals(parseDisplay(unknown), undefined, unknown);
  }
});

pureTest("cookieFor() chooses by display, and by host if several share the file", () => {
  const file = [
    ...entry(LOCAL, "other", "0", COOKIE, "of other"),
    ...entry(LOCAL, "here", "1", COOKIE, "of 1"),
    ...entry(LOCAL, "here", "0", "XDM-AUTHORIZATION-1", "of another kind"),
    ...entry(LOCAL, "here", "0", COOKIE, "of here"),
  ];
  assertEquals(chosen(file, { hostname: "here" }), "of here");
  assertEquals(chosen(file), "of other");
  assertEquals(chosen(file, { number: 1, hostname: "elsewhere" }), "of 1");
  assertEquals(chosen(file, { number: 2, hostname: "here" }), undefined);
  const wild = [...file, ...entry(WILD, "", "", COOKIE, "of all")];
  assertEquals(chosen(wild, { number: 2, hostname: "here" }), "of all");
});

pureTest("cookieFor() uses a truncated file as far as it can be read", () => {
  const whole = entry(LOCAL, "here", "0", COOKIE, "of here");
  for (let length = 0; length < whole.length; length++) {
    assertEquals(chosen(whole.slice(0, length)), undefined);
    assertEquals(chosen([...whole, ...whole.slice(0, length)]), "of here");
  }
});
