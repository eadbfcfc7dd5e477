import { assertEquals } from "@std/assert";
import { addressOf, formatAddress, parseAddress } from "../../../lib/web/page/route.js";
import { pureTest } from "../../support/pure_test.ts";

/** Each address, and what it means. */
const ADDRESSES = [
  ["#/", { view: undefined, name: "", folder: "" }],
  ["#/folder/trips/2024", { view: undefined, name: "", folder: "trips/2024" }],
  ["#/play/trips/sea.mkv", { view: "play", name: "trips/sea.mkv", folder: "trips" }],
  ["#/play/trips/sea.mkv?in=", { view: "play", name: "trips/sea.mkv", folder: "" }],
  ["#/image/a%3Fb%23%20%25.png?in=c%3F", { view: "image", name: "a?b# %.png", folder: "c?" }],
  ["#/play/", { view: "play", name: "", folder: "" }],
] as const;

pureTest("parseAddress() and formatAddress() of the page are inverse", () => {
  for (const [hash, address] of ADDRESSES) {
    assertEquals(parseAddress(hash), address);
    assertEquals(formatAddress(address), hash);
  }
});

pureTest("parseAddress() of the page takes typed addresses, and leaves anchors alone", () => {
  assertEquals(parseAddress(""), { view: undefined, name: "", folder: "" });
  assertEquals(parseAddress("#/play/trips%2Fsea.mkv")?.folder, "trips");
  assertEquals(parseAddress("#/play/100%")?.name, "100%");
  for (const anchor of ["#library-title", "#/other/a"]) {
    assertEquals(parseAddress(anchor), undefined);
  }
});

pureTest("addressOf() of the page names the folder only if the entry is not in it", () => {
  const entry = { kind: "audio", name: "trips/sea.flac" } as const;
  assertEquals(addressOf(entry), "#/play/trips/sea.flac");
  assertEquals(addressOf(entry, "trips"), "#/play/trips/sea.flac");
  assertEquals(addressOf(entry, ""), "#/play/trips/sea.flac?in=");
  assertEquals(addressOf({ kind: "image", name: "\ud800.png" }), "#/image/%EF%BF%BD.png");
});
