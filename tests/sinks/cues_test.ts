import { assertEquals } from "@std/assert";
import { Cues } from "../../lib/sinks/cues.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("Cues gives each text of a time once, and forgets what is over", () => {
  const cues = new Cues();
  cues.add({ text: "one", start: 1, end: 3 });
  cues.add({ text: "two", start: 2, end: 4 });
  assertEquals([0.9, 1, 2, 3].map((time) => cues.at(time)), ["", "one", "one\ntwo", "two"]);
  assertEquals([4, 1].map((time) => cues.at(time)), ["", ""]);
  cues.add({ text: "three", start: 5, end: 6 });
  cues.add({ text: "three", start: 5, end: 6 });
  assertEquals(cues.at(5), "three");
  cues.clear();
  assertEquals(cues.at(5), "");
});
