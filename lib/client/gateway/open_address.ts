import type { Surroundings } from "../surroundings.ts";

/** The program that opens an address in the user's browser, with its first arguments. */
const OPENERS: Partial<Record<typeof Deno.build.os, readonly [string, ...string[]]>> = {
  darwin: ["open"],
  windows: ["cmd", "/c", "start", ""],
};

/**
 * Opens an address in the user's browser, where there is a screen. Where that does not work, the
 * user still has the address to read. The browser may be this very child, and goes on without this
 * program.
 */
export function openAddress(address: string, { screen }: Pick<Surroundings, "screen">): void {
  if (screen === undefined) return;
  const [program, ...args] = OPENERS[Deno.build.os] ?? ["xdg-open"];
  try {
    const child = new Deno.Command(program, {
      args: [...args, address],
      stdin: "null",
      stdout: "null",
      stderr: "null",
      detached: true,
    }).spawn();
    child.unref();
    // It is asked for, so that the system forgets the child when it ends.
    child.status.catch(() => {});
  } catch (error) {
    const { NotFound, NotCapable, PermissionDenied } = Deno.errors;
    if ([NotFound, NotCapable, PermissionDenied].some((kind) => error instanceof kind)) return;
    throw error;
  }
}
