import { assertEquals, assertStrictEquals } from "@std/assert";
import {
  DeadlineError,
  FormatError,
  messageOf,
  MissingProgramError,
  ProcessError,
  RequestError,
  TruncatedError,
  UsageError,
} from "../../lib/base/errors.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("errors have their own names and causes", () => {
  const cause = new Error("why");
  const errors = [
    new DeadlineError("late", { cause }),
    new FormatError("odd", { cause }),
    new MissingProgramError("none", { cause }),
    new RequestError("busy", "full", { cause }),
    new UsageError("wrong", { cause }),
  ];
  const names = errors.map((error) => error.name);
  assertEquals(names, [
    ...["DeadlineError", "FormatError", "MissingProgramError", "RequestError", "UsageError"],
  ]);
  for (const error of errors) assertStrictEquals(error.cause, cause);
});

pureTest("TruncatedError has the received and the expected bytes", () => {
  const error = new TruncatedError(16, 5);
  assertStrictEquals(error.message, "Input ended after 5 bytes, expected 16");
  assertEquals([error.expected, error.received], [16, 5]);
});

pureTest("ProcessError joins the child's last lines into one", () => {
  const stderr = "first line\n  second line\r\n\n";
  const error = new ProcessError("ffmpeg", { code: 1, signal: null, stderr });
  assertStrictEquals(error.message, "ffmpeg failed (1): first line; second line");
});

pureTest("ProcessError names the signal, and manages without last words", () => {
  const error = new ProcessError("ffmpeg", { code: 137, signal: "SIGKILL", stderr: " \n" });
  assertStrictEquals(error.message, "ffmpeg was ended by SIGKILL");
});

pureTest("messageOf() gives the text of anything", () => {
  const texts = [new Error("a"), "b", undefined, null, 3, { toString: () => "c" }].map(messageOf);
  assertEquals(texts, ["a", "b", "undefined", "null", "3", "c"]);
});

pureTest("messageOf() passes no advice of Deno on", () => {
  const { NotCapable, PermissionDenied, IsADirectory } = Deno.errors;
  const advice = "run again with the --allow-all flag";
  const texts = [
    new NotCapable(`Requires all access to "/dev/stdin", ${advice}`),
    new NotCapable(`Requires read access to "/x", ${advice}`),
    new PermissionDenied("Permission denied (os error 13): open '/x'"),
    new IsADirectory("Is a directory (os error 21): readfile '/x'"),
  ].map(messageOf);
  assertEquals(texts, [
    "it is a special file of the system, which this program may not open",
    "this program has no permission for that",
    "permission denied",
    "it is a folder",
  ]);
});
