/** Registers tests that need something of the machine, which are ignored without it, with the reason. */
import { lacking } from "./programs/machine.ts";

/** Registers one test, as `Deno.test()` does. */
type Register = (name: string, fn: (t: Deno.TestContext) => void | Promise<void>) => void;

/** A register of tests that are ignored, and named with the reason, unless a condition holds. */
export function testIf(holds: boolean, reason: string): Register {
  return (name, fn) =>
    Deno.test({ name: holds ? name : `${name} (ignored: ${reason})`, ignore: !holds, fn });
}

/** A register of tests that are ignored unless programs are installed. */
export function testWith(...programs: string[]): Register {
  const missing = lacking(...programs);
  return testIf(missing.length === 0, `no ${missing.join(" and ")}`);
}

/** Registers a test that is ignored except on Linux. */
export const linuxTest = testIf(Deno.build.os === "linux", "only on Linux");

/** Registers a test that is ignored on Windows. */
export const unixTest = testIf(Deno.build.os !== "windows", "not on Windows");

/** Registers a test that is ignored unless openssl is installed. */
export const tlsTest = testWith("openssl");
