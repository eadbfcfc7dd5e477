import { assertEquals } from "@std/assert";
import { Changes } from "../../lib/base/changes.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("Changes calls back each subscriber until it is disposed", () => {
  const changes = new Changes<[number]>();
  const heard: string[] = [];
  const first = changes.subscribe((change) => heard.push(`first ${change}`));
  const hear = (change: number) => void heard.push(`again ${change}`);
  const twice = [changes.subscribe(hear), changes.subscribe(hear)];
  changes.notify(1);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  twice[0][Symbol.dispose]();
  changes.notify(2);
  assertEquals(heard, ["first 1", "again 1", "again 1", "again 2"]);
  assertEquals(changes.subscribers, 1);
});
