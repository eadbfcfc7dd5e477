/** Wireshark's view of connections, by its program for the command line. */
import { assertEquals } from "@std/assert";
import { type CapturedConnection, writePcap } from "../media/pcap.ts";
import { textOf } from "./machine.ts";
import { pathOf } from "./running_program.ts";

/** Path of the dissector under test. */
const DISSECTOR = pathOf("docs/wireshark/stream.lua");

/** The user and group `nobody` of Debian. */
const NOBODY = 65534;

/** The beginning of the text of each message. */
const TITLE = /^Stream Protocol, /;

/** A packet with at least one message. */
export interface Packet {
  /** Number of its connection in the capture. */
  connection: number;
  /** A line for each message that is complete with it. */
  lines: string[];
  /** Values of the fields that were asked for, in the order of the messages. */
  fields: Record<string, string[]>;
}

/** Options of {@linkcode dissect}. */
export interface DissectOptions extends TsharkOptions {
  /** Names of fields. */
  fields?: readonly string[];
  /** A display filter. @default "stream" */
  filter?: string;
  /** Further arguments. */
  args?: readonly string[];
}

/** Dissects a capture of connections; packets without messages are left out. */
export async function dissect(
  connections: readonly CapturedConnection[],
  { fields = [], filter = "stream", args = [], keys }: DissectOptions = {},
): Promise<Packet[]> {
  const shown = ["tcp.stream", "stream", ...fields].flatMap((name) => ["-e", name]);
  const command = ["-Y", filter, "-T", "json", ...shown, ...args];
  const printed = await tshark(connections, command, { keys });
  const packets: { _source: { layers: Record<string, string[]> } }[] = JSON.parse(printed);
  return packets.map(({ _source: { layers } }) => ({
    connection: Number(layers["tcp.stream"][0]),
    lines: (layers.stream ?? []).map((text) => text.replace(TITLE, "")),
    fields: Object.fromEntries(fields.map((name) => [name, layers[name] ?? []])),
  }));
}

/** The lines of a connection in the order of its messages. */
export function linesOf(packets: readonly Packet[], connection = 0): string[] {
  return packets.filter((packet) => packet.connection === connection).flatMap(({ lines }) => lines);
}

/** All values of a field of a connection, in the order of its messages. */
export function valuesOf(packets: readonly Packet[], field: string, connection = 0): string[] {
  return packets.filter((packet) => packet.connection === connection)
    .flatMap(({ fields }) => fields[field]);
}

/** Options of {@linkcode tshark}. */
export interface TsharkOptions {
  /** Path of a log of the keys of TLS sessions. */
  keys?: string;
}

/** Runs tshark with the dissector over a capture of connections, and gives what it prints. */
export async function tshark(
  connections: readonly CapturedConnection[],
  args: readonly string[],
  { keys }: TsharkOptions = {},
): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "stream_tshark_" });
  try {
    const [capture, dissector, keyLog] = ["x.pcap", "stream.lua", "keys"].map((name) =>
      `${folder}/${name}`
    );
    await Deno.writeFile(capture, writePcap(connections));
    await Deno.copyFile(DISSECTOR, dissector);
    const command = ["-n", "-r", capture, "-X", `lua_script:${dissector}`, ...args];
    if (keys !== undefined) {
      await Deno.writeFile(keyLog, await Deno.readFile(keys));
      command.push("-o", `tls.keylog_file:${keyLog}`);
    }
    // Another user has to be able to read all of it.
    await Deno.chmod(folder, 0o755);
    for await (const { name } of Deno.readDir(folder)) await Deno.chmod(`${folder}/${name}`, 0o644);
    const env = { HOME: folder, WIRESHARK_CONFIG_DIR: folder, LC_ALL: "C.UTF-8" };
    const { code, stdout, stderr } = await textOf("tshark", command, { env, ...unprivileged() });
    assertEquals([code, stderr], [0, ""]);
    return stdout;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** As root, Wireshark 4.4 and later load no scripts. */
function unprivileged(): { uid?: number; gid?: number } {
  return Deno.uid() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
}
