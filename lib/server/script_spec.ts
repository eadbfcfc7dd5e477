/** Values of `--script`: what is sent to scripts that receive without asking, and how. */
import { FormatError, UsageError } from "../base/errors.ts";
import { bitsPerPixel } from "../ffmpeg/pixel_formats.ts";
import type { Address } from "../net/address.ts";
import { parseScriptFormat, type ScriptFormat } from "../protocol/script/format.ts";
import { isPushed, type LiveSource } from "../sources/live/source_spec.ts";

/** Media that scripts get without a request. */
export interface ScriptOutput {
  /** Name of a file or a live source. */
  name: string;
  format: ScriptFormat;
  /** TCP port for scripts that connect; 0 for any free one. Absent if it is only pushed. */
  port?: number;
  /** A script that listens. */
  push?: Address;
}

/** Framing of scripts that name none: `struct.pack("Q", len(data)) + data`, with a pickled array. */
const DEFAULT_FORMAT: ScriptFormat = { length: "u64le", payload: { kind: "pickle" } };

const FORM = "expected PORT=NAME[,FRAMING][,push:HOST:PORT], as in 8486=cam,u64le+jpeg";

/**
 * Parses a value of `--script`: `8486=cam`, `8486=cam,u64le+jpeg`, `=cam,push:robot:8485`. A name
 * with a comma needs a framing behind it.
 *
 * @throws {UsageError} for anything else
 */
export function parseScriptOutput(text: string): ScriptOutput {
  const [, digits, rest] = text.match(/^(\d{0,5})=([^]+)$/) ?? [];
  if (digits === undefined) throw new UsageError(`Cannot use --script "${text}": ${FORM}`);
  const parts = rest.split(",");
  let push: Address | undefined;
  let format: ScriptFormat | undefined;
  while (parts.length > 1 && format === undefined) {
    const last = parts.pop() ?? "";
    if (last.startsWith("push:") && push === undefined) push = parsePush(last, text);
    else format = parseFraming(last);
  }
  if (parts.length > 1 && push === undefined && parts.at(-1)?.startsWith("push:")) {
    push = parsePush(parts.pop() ?? "", text);
  }
  const name = parts.join(",");
  const port = digits === "" ? undefined : Number(digits);
  if (name === "") throw new UsageError(`Cannot use --script "${text}": no name, ${FORM}`);
  if (port === undefined && push === undefined) {
    throw new UsageError(
      `Cannot use --script "${text}": no port and no push, expected a port in front, 0 for any ` +
        "free one, or push:HOST:PORT behind",
    );
  }
  if (port !== undefined && port > 65535) {
    throw new UsageError(`Cannot use --script "${text}": port ${port}, expected 0 to 65535`);
  }
  return { name, format: format ?? DEFAULT_FORMAT, port, push };
}

/**
 * @param options the port of other clients, and the live sources, of which some have a port
 * @throws {UsageError} if two outputs or pushed sources have the same port, or that of other clients
 */
export function refuseSamePorts(
  outputs: readonly ScriptOutput[],
  { mainPort, live = [] }: { mainPort: number; live?: readonly LiveSource[] },
): void {
  const ports = [
    ...outputs.map(({ name, port = 0 }) => ({ name, port, shown: `--script ${port}=${name}` })),
    ...live.filter(isPushed).map(({ name, script: { port } }) => {
      return { name, port, shown: `--live ${name}=script::${port}` };
    }),
  ];
  const taken = new Map([[mainPort, "clients"]]);
  for (const { name, port, shown } of ports) {
    const other = port === 0 ? undefined : taken.get(port);
    if (other !== undefined) {
      throw new UsageError(
        `Cannot use ${shown}: port ${port} is for ${other}, expected another one`,
      );
    }
    taken.set(port, `"${name}"`);
  }
}

function parseFraming(text: string): ScriptFormat {
  let format: ScriptFormat;
  try {
    format = parseScriptFormat(text);
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause;
    throw new UsageError(cause.message, { cause });
  }
  const { payload } = format;
  if (payload.kind !== "raw" || bitsPerPixel(payload.pixelFormat) !== undefined) return format;
  throw new UsageError(
    `Cannot use framing "${text}": ${payload.pixelFormat} cannot be sent, expected a format of ` +
      "whole numbers, as bgr24",
  );
}

function parsePush(text: string, output: string): Address {
  const [, bracketed, plain, digits] =
    text.match(/^push:(?:\[([0-9a-fA-F:.]+)\]|([\w.-]+)):(\d{1,5})$/) ?? [];
  const hostname = bracketed ?? plain;
  const port = Number(digits);
  if (hostname !== undefined && port >= 1 && port <= 65535) return { hostname, port };
  throw new UsageError(
    `Cannot use --script "${output}": no address in "${text}", expected push:HOST:PORT, as in ` +
      "push:robot:8485 or push:[::1]:8485",
  );
}
