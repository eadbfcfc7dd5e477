/** Stand-in for `@std/cli` 1.0.32 where JSR cannot be reached: the exports this project uses. */
export { type Args, parseArgs, type ParseOptions } from "./parse_args.ts";
