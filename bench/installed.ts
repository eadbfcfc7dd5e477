/** Where Debian's Python is, which has Debian's packages; then whatever comes first. */
const PYTHONS = ["/usr/bin/python3", "python3"];

/**
 * Finds out whether a program is there, and says that it can do something.
 *
 * @param args with which it ends soon, with success where it can
 * @param env variables of its environment, besides those of this program's own
 */
export async function succeeds(
  program: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(program, {
      args: [...args],
      env,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** The first line that a program prints, such as its version; `undefined` where it is missing. */
export async function firstLineOf(
  program: string,
  args: readonly string[],
): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(program, {
      args: [...args],
      stdin: "null",
      stderr: "null",
    }).output();
    return success ? new TextDecoder().decode(stdout).split("\n")[0].trim() : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/**
 * Finds a Python that can do something.
 *
 * @param code that fails in one that cannot, such as an `import`
 */
export async function findPython(code: string): Promise<string | undefined> {
  for (const python of PYTHONS) {
    if (await succeeds(python, ["-c", code])) return python;
  }
}
