/** The folder of a test, with names of what lies in it. */
export class OutputFolder implements AsyncDisposable {
  private constructor(readonly folder: string) {}

  static async make(): Promise<OutputFolder> {
    return new OutputFolder(await Deno.makeTempDir());
  }

  /** Path of the one file that a test makes. */
  get path(): string {
    return `${this.folder}/probe`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** The names of the entries of a folder, in order. */
export async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();
}
