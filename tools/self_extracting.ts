import { type Program, v8FlagsOf } from "./build_table.ts";

/** The Deno inside a self-extracting program. */
export interface Runtime {
  /** Hash in the name of the unpacked file. */
  hash: string;
  /** Bytes, uncompressed. */
  size: number;
  /** The executable, compressed with gzip. */
  packed: Uint8Array<ArrayBuffer>;
}

/** First bytes of executables of Linux and macOS (64 bit, and universal). */
const EXECUTABLE_MAGIC = ["7f454c46", "cffaedfe", "cafebabe"];

/**
 * Compresses the executable of the running Deno.
 *
 * @throws {Error} if it is a script or a link to one, which does not run by itself, or if this system
 * has no `sh`
 */
export async function packRuntime(
  { path = Deno.execPath(), signal }: { path?: string; signal?: AbortSignal } = {},
): Promise<Runtime> {
  if (Deno.build.os === "windows") {
    throw new Error(
      "Cannot make a self-extracting file on Windows: it needs sh, expected a network or " +
        "DENORT_BIN with the denort of Deno's release",
    );
  }
  const bytes = await Deno.readFile(path, { signal });
  if (!EXECUTABLE_MAGIC.includes(bytes.subarray(0, 4).toHex())) {
    throw new Error(`Cannot pack "${path}": no executable, expected that of Deno itself`);
  }
  return { hash: await hashOf(bytes), size: bytes.byteLength, packed: await pack(bytes, signal) };
}

/**
 * Makes a self-extracting executable: a shell stub, then the bundled program and the runtime.
 *
 * @param program its output is written in place; the caller renames it
 * @param bundle the program as one module
 */
export async function writeSelfExtracting(
  program: Program & { name: string },
  bundle: Uint8Array<ArrayBuffer>,
  { runtime, signal }: { runtime: Runtime; signal?: AbortSignal },
): Promise<void> {
  const packed = await pack(bundle, signal);
  const template = await Deno.readTextFile(new URL("stub.sh", import.meta.url));
  const fill = (stubSize: number) => {
    const values: Record<string, string | number> = {
      NAME: quote(program.name),
      FLAGS: [...v8FlagsOf(program), ...program.permissions].map(quote).join(" "),
      PROGRAM_HASH: programHash,
      PROGRAM_SIZE: bundle.byteLength,
      // `tail -c +N` counts from one. The fixed width keeps the size of the stub constant.
      PROGRAM_OFFSET: String(stubSize + 1).padStart(8, "0"),
      PROGRAM_LENGTH: packed.byteLength,
      RUNTIME_HASH: runtime.hash,
      RUNTIME_SIZE: runtime.size,
      RUNTIME_OFFSET: String(stubSize + 1 + packed.byteLength).padStart(8, "0"),
      RUNTIME_LENGTH: runtime.packed.byteLength,
    };
    const text = template.replaceAll(/@([A-Z_]+)@/g, (_, name) => String(values[name]));
    return new TextEncoder().encode(text);
  };
  const programHash = await hashOf(bundle);
  const stub = fill(fill(0).byteLength);
  const file = await Deno.create(program.output);
  const parts = new Blob([stub, packed, runtime.packed]);
  await parts.stream().pipeTo(file.writable, { signal });
  await Deno.chmod(program.output, 0o755);
}

/** Quotes a word for a shell. */
function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** The first half of a SHA-256, in hexadecimal. */
async function hashOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return digest.subarray(0, 16).toHex();
}

async function pack(
  bytes: Uint8Array<ArrayBuffer>,
  signal?: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream()
    .pipeThrough(new CompressionStream("gzip"), { signal });
  return await new Response(stream).bytes();
}
