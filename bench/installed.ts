/** Debian's Python, which has Debian's packages, then the first on PATH. */
const PYTHONS = ["/usr/bin/python3", "python3"];

/**
 * Whether a program is installed and succeeds.
 *
 * @param args with which it exits soon
 * @param env environment variables, in addition to those of this process
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

/** The first line that a program prints, such as its version; `undefined` if it is missing. */
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
 * Finds a Python that runs a piece of code.
 *
 * @param code that fails if something is missing, such as an `import`
 */
export async function findPython(code: string): Promise<string | undefined> {
  for (const python of PYTHONS) {
    if (await succeeds(python, ["-c", code])) return python;
  }
}
