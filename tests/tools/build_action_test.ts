import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type BuildAction, readBuildAction } from "../../tools/build_action.ts";
import { TARGETS } from "../../tools/build_table.ts";
import { pureTest } from "../support/pure_test.ts";

function read(args: string[], hasRuntime = false): BuildAction {
  return readBuildAction(args, { hasRuntime });
}

pureTest("readBuildAction() builds both programs for this system by default", () => {
  assertEquals(read(["--import-map=x.json"]), {
    kind: "build",
    graphFlags: ["--import-map=x.json"],
    names: ["server", "client"],
    targets: [],
  });
});

pureTest("readBuildAction() takes names and targets, each once", () => {
  const args = ["client", "client", "--target", "x86_64-pc-windows-msvc"];
  const action = read([...args, "--target=x86_64-pc-windows-msvc"]);
  assertEquals(action, {
    kind: "build",
    graphFlags: [],
    names: ["client"],
    targets: ["x86_64-pc-windows-msvc"],
  });
});

pureTest("readBuildAction() gives all targets for --all", () => {
  const action = read(["--all"]);
  assertEquals(action.kind === "build" && action.targets, Object.keys(TARGETS));
});

pureTest("readBuildAction() refuses other words in one line that names those it takes", () => {
  const wrong = [["sever"], ["--target"], ["--target", "linux"], ["--target="], ["--al"], ["-h"], [
    "--import-map",
  ]];
  for (const args of wrong) {
    const action = read(args);
    assertMatch(action.kind === "wrong" ? action.message : "", /^Cannot build [^\n]*: expected /);
  }
  const target = read(["--target", "linux"]);
  assertStringIncludes(target.kind === "wrong" ? target.message : "", "aarch64-apple-darwin");
});

pureTest("readBuildAction() prints the usage with all targets", () => {
  const action = read(["server", "--help"]);
  const text = action.kind === "print" ? action.text : "";
  for (const target of Object.keys(TARGETS)) assertStringIncludes(text, target);
});

pureTest("readBuildAction() refuses values of flags that take none", () => {
  for (const argument of ["--all=no", "--help=1", "--all="]) {
    const message = `Cannot use "${argument}": ${argument.split("=")[0]} takes no value`;
    assertEquals(read([argument]), { kind: "wrong", message });
  }
});

pureTest("readBuildAction() takes the runtime of DENORT_BIN for one target only", () => {
  assertEquals(read(["--all"], true).kind, "wrong");
  assertEquals(read(["--target", "x86_64-apple-darwin"], true).kind, "build");
  assertEquals(read([], true).kind, "build");
});
