import { assertEquals } from "@std/assert";
import { ByteCache } from "../../lib/web/thumbnails.ts";
import { pureTest } from "../support/pure_test.ts";

const item = (size: number) => ({ bytes: new Uint8Array(size) });

pureTest("ByteCache drops the least recently used value", () => {
  const cache = new ByteCache(10);
  cache.set("a", item(4));
  cache.set("b", item(4));
  cache.get("a");
  cache.set("c", item(4));
  assertEquals(["a", "b", "c"].map((key) => cache.get(key) !== undefined), [true, false, true]);
});

pureTest("ByteCache does not count replaced and deleted values", () => {
  const cache = new ByteCache(10);
  cache.set("a", item(9));
  cache.set("a", item(2));
  cache.set("b", item(8));
  assertEquals(cache.get("a")?.bytes.byteLength, 2);
  cache.delete("b");
  cache.set("c", item(8));
  assertEquals(["a", "b", "c"].map((key) => cache.get(key) !== undefined), [true, false, true]);
});

pureTest("ByteCache keeps no value that is larger than the cache", () => {
  const cache = new ByteCache(10);
  cache.set("a", item(4));
  cache.set("b", item(11));
  assertEquals(["a", "b"].map((key) => cache.get(key) !== undefined), [true, false]);
});
