import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/base/errors.ts";
import { CLIENT_FLAGS, clientUsage } from "../../lib/client/flags.ts";
import { parseClientFlags, toMediaAction } from "../../lib/client/options.ts";
import { wrongForms } from "../support/programs/flag_forms.ts";
import { pureTest } from "../support/pure_test.ts";

function parse(line: string) {
  return parseClientFlags(line === "" ? [] : line.split(" "));
}

pureTest("clientUsage() has every flag, within 80 columns", () => {
  const usage = clientUsage();
  for (const name of Object.keys(CLIENT_FLAGS)) {
    assertMatch(usage, new RegExp(`^  --${name}\\b`, "m"));
  }
  for (const line of usage.split("\n")) assert(line.length <= 80, line);
});

pureTest("parseClientFlags() refuses every flag in every wrong form", () => {
  for (const args of wrongForms(CLIENT_FLAGS)) {
    const what = JSON.stringify(args);
    const { message } = assertThrows(() => parseClientFlags(args), UsageError, undefined, what);
    assertMatch(message, /^Cannot use [^\n]+$/, what);
  }
});

pureTest("parseClientFlags() opens the menu without flags for media", () => {
  for (const line of ["", "--host robot", "--classic", "--view none --speed max"]) {
    assertEquals(parse(line).kind, "menu", line);
  }
  assertEquals(
    parse("--help --port nonsense --help".replace("--port nonsense ", "")).kind,
    "print",
  );
});

pureTest("toMediaAction() refuses flags that do not fit the kind", () => {
  const action = parse("clip.mp4 --output x.png");
  assert(action.kind === "named");
  const image = toMediaAction(action.flags, "image", "trips/clip.png");
  assertEquals([image.request.command, image.request.name], ["get_image", "trips/clip.png"]);
  const moving = parse("clip.mp4 --loop");
  assert(moving.kind === "named");
  assertThrows(() => toMediaAction(moving.flags, "image", "a.png"), UsageError, "--loop");
});

pureTest("parseClientFlags() takes the short forms of --help and --version", () => {
  assertEquals(parse("-h"), parse("--help"));
  assertEquals(parse("-V"), parse("--version"));
  assertEquals(parse("-V").kind, "version");
  assertMatch(clientUsage(), /^ {2}--help, -h +print/m);
});
