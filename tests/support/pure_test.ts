/** Registers a test that gets no permissions, so that the code under test is proven free of I/O. */
export function pureTest(name: string, fn: () => void | Promise<void>): void {
  Deno.test({ name, permissions: "none", fn });
}
