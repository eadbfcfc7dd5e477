import { assertStrictEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/core/errors.ts";
import { parseServerFlags, toServerOptions } from "../../lib/server/flags.ts";

/** What a command line makes of the server. */
function optionsOf(...args: string[]) {
  const action = parseServerFlags(args);
  if (action.kind !== "serve") throw new Error("Cannot serve: a text was asked for");
  return toServerOptions(action.flags, undefined);
}

Deno.test({
  name: "toServerOptions() takes the memory for how answers began in megabytes",
  permissions: "none",
  fn() {
    assertStrictEquals(optionsOf().headCacheSize, 128e6);
    assertStrictEquals(optionsOf("--cache", "0").headCacheSize, 0);
    assertStrictEquals(optionsOf("--cache", "1.5").headCacheSize, 1_500_000);
    assertThrows(() => optionsOf("--cache=-1"), UsageError, "--cache");
  },
});
