import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { isKnown, taggedResponse, tagOf } from "../../../lib/web/addresses/conditional.ts";
import { pureTest } from "../../support/pure_test.ts";

const BYTES = new TextEncoder().encode("bytes");

function request(method: string, headers: Record<string, string> = {}): Request {
  return new Request("http://localhost/", { method, headers });
}

pureTest("tagOf() differs if the bytes do", async () => {
  const tag = await tagOf(BYTES);
  assertMatch(tag, /^"[\w-]{22}"$/);
  assertEquals(await tagOf(BYTES.slice()), tag);
  assertNotEquals(await tagOf(BYTES.subarray(1)), tag);
});

pureTest("isKnown() compares with each tag, weak or not, and takes any for a star", () => {
  for (const header of ['"a"', '"b", "a"', 'W/"a"', "*", ' W/"b" , W/"a" ']) {
    assert(isKnown(header, '"a"'), header);
  }
  for (const header of [null, "", "a", '"b"', '"A"', '"a']) assert(!isKnown(header, '"a"'));
});

pureTest("taggedResponse() is empty for those who have the bytes", async () => {
  const options = { headers: { "Content-Type": "text/plain" } };
  const first = await taggedResponse(request("GET"), BYTES, options);
  const tag = first.headers.get("ETag") ?? "";
  assertEquals([first.status, await first.text()], [200, "bytes"]);
  const again = request("GET", { "If-None-Match": tag });
  const second = await taggedResponse(again, BYTES, options);
  assertEquals([second.status, second.body, second.headers.get("ETag")], [304, null, tag]);
});

pureTest("taggedResponse() to HEAD has the headers alone", async () => {
  const options = { headers: {}, tag: '"7"' };
  const { headers, body } = await taggedResponse(request("HEAD"), BYTES, options);
  assertEquals([headers.get("Content-Length"), headers.get("ETag"), body], ["5", '"7"', null]);
});
