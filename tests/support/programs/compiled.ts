/** The permissions that `deno compile` stores in an executable; `null` if none is given. */
export type StoredPermissions = Record<string, boolean | readonly string[] | null>;

/** The part of an executable of `deno compile` that is not its runtime. */
export interface Compiled {
  permissions: StoredPermissions;
  /** Name of the module it begins with. */
  entry: string;
  /** Names of the embedded files. */
  files: readonly string[];
  /** Modules that are loaded before the entry. */
  preloaded: readonly string[];
  packages: unknown;
  /** Names the cache of compiled code in the folder for temporary files; `null` without one. */
  codeCache: unknown;
  /** Flags of V8, those that Deno adds among them. */
  v8Flags: readonly string[];
  /** Whether telemetry is on. */
  reports: boolean;
}

/** Marks the beginning of what `deno compile` embeds; a length and JSON follow. */
const MAGIC = new TextEncoder().encode("d3n0l4nd");

/** Bytes of a length: unsigned, little-endian. */
const LENGTH_SIZE = 8;

/**
 * Reads back the settings and the embedded files of an executable that `deno compile` 2.9 has made.
 *
 * @throws {Error} if there is none
 */
export async function readCompiled(path: string): Promise<Compiled> {
  const bytes = await Deno.readFile(path);
  for (let at = find(bytes, MAGIC, 0); at >= 0; at = find(bytes, MAGIC, at + 1)) {
    const settings = readJson(bytes, at + MAGIC.byteLength);
    if (settings === undefined || !("permissions" in settings.value)) continue;
    const stored = settings.value as Record<string, never>;
    const { permissions, entrypoint_key, preload_modules, require_modules } = stored;
    const { tracing_enabled, metrics_enabled } = stored.otel_config as Record<string, boolean>;
    return {
      permissions,
      entry: entrypoint_key,
      files: readFileNames(bytes.subarray(settings.end)),
      preloaded: [...preload_modules, ...require_modules],
      packages: stored.node_modules,
      codeCache: stored.code_cache_key,
      v8Flags: stored.v8_flags,
      reports: tracing_enabled || metrics_enabled,
    };
  }
  throw new Error(`Cannot read "${path}": it holds no settings of deno compile`);
}

/** Reads JSON behind its length. */
function readJson(bytes: Uint8Array, at: number): { value: object; end: number } | undefined {
  if (at + LENGTH_SIZE > bytes.byteLength) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, LENGTH_SIZE);
  const length = Number(view.getBigUint64(0, true));
  const start = at + LENGTH_SIZE;
  if (length > bytes.byteLength - start) return undefined;
  try {
    const text = new TextDecoder().decode(bytes.subarray(start, start + length));
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { value, end: start + length } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The names in the list of the embedded file system, the first JSON array behind the settings. */
function readFileNames(bytes: Uint8Array): string[] {
  const start = bytes.indexOf("[".charCodeAt(0));
  const list = readJson(bytes, start - LENGTH_SIZE);
  if (!Array.isArray(list?.value)) throw new Error("Cannot read the embedded files: no list");
  return list.value.flatMap(namesIn);
}

function namesIn(node: Record<string, { n: string; e?: Record<string, never>[] }>): string[] {
  return Object.values(node).flatMap(({ n, e }) => e ? e.flatMap(namesIn) : [n]);
}

function find(bytes: Uint8Array, what: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(what[0], from); at >= 0; at = bytes.indexOf(what[0], at + 1)) {
    if (what.every((byte, index) => bytes[at + index] === byte)) return at;
  }
  return -1;
}
