import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { readOrders } from "../../tools/build_orders.ts";
import { TARGETS } from "../../tools/build_table.ts";

function test(name: string, fn: () => void): void {
  Deno.test({ name, permissions: "none", fn });
}

test("readOrders() builds both programs for this system by default", () => {
  assertEquals(readOrders(["--import-map=x.json"]), {
    kind: "build",
    graphFlags: ["--import-map=x.json"],
    names: ["server", "client"],
    targets: [],
  });
});

test("readOrders() takes names and targets, each once", () => {
  const args = ["client", "client", "--target", "x86_64-pc-windows-msvc"];
  const orders = readOrders([...args, "--target=x86_64-pc-windows-msvc"]);
  assertEquals(orders, {
    kind: "build",
    graphFlags: [],
    names: ["client"],
    targets: ["x86_64-pc-windows-msvc"],
  });
});

test("readOrders() gives all targets for --all", () => {
  const orders = readOrders(["--all"]);
  assertEquals(orders.kind === "build" && orders.targets, Object.keys(TARGETS));
});

test("readOrders() refuses other words in one line that names those it takes", () => {
  const wrong = [["sever"], ["--target"], ["--target", "linux"], ["--target="], ["--al"], ["-h"]];
  for (const args of wrong) {
    const orders = readOrders(args);
    assertMatch(orders.kind === "wrong" ? orders.message : "", /^Cannot build [^\n]*: expected /);
  }
  const target = readOrders(["--target", "linux"]);
  assertStringIncludes(target.kind === "wrong" ? target.message : "", "aarch64-apple-darwin");
});

test("readOrders() prints the usage with all targets", () => {
  const orders = readOrders(["server", "--help"]);
  const text = orders.kind === "print" ? orders.text : "";
  for (const target of Object.keys(TARGETS)) assertStringIncludes(text, target);
});
