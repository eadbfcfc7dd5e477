import { succeeds } from "../../bench/installed.ts";

/** Where users have Python with Debian's packages; then whatever comes first. */
const CANDIDATES = ["/usr/bin/python3", "python3"];

/**
 * Finds every Python that has the given modules, the system's own first.
 *
 * @param modules such as `numpy`, `cv2`
 * @returns names or paths to run; two may be the same installation
 */
export async function findPythons(modules: string[]): Promise<string[]> {
  const found = await Promise.all(CANDIDATES.map((python) => canImport(python, modules)));
  return CANDIDATES.filter((_, index) => found[index]);
}

/**
 * Finds a Python that has the given modules.
 *
 * @returns the name or path to run, `undefined` where there is none
 */
export async function findPython(modules: string[]): Promise<string | undefined> {
  return (await findPythons(modules))[0];
}

function canImport(python: string, modules: string[]): Promise<boolean> {
  return succeeds(python, ["-c", `import ${["sys", ...modules].join(", ")}`]);
}
