import { assertEquals } from "@std/assert";
import { printedBy, textOf } from "./support/programs/machine.ts";

/** Modules as `deno doc --json` describes them. */
interface Documentation {
  nodes: Record<string, { symbols: { name: string; declarations: { kind: string }[] }[] }>;
}

const MODULE = new URL("../mod.ts", import.meta.url).href;

Deno.test("mod.ts exports these, and nothing else", async () => {
  const json = await printedBy(Deno.execPath(), ["doc", "--json", MODULE]);
  const { nodes }: Documentation = JSON.parse(json);
  const exports = nodes[MODULE].symbols.map(({ name, declarations }) =>
    `${declarations[0].kind} ${name}`
  );
  assertEquals(exports.sort(), [
    "class ConnectError",
    "class CutError",
    "class RequestError",
    "function connect",
    "function serve",
    "interface AudioStream",
    "interface Chapter",
    "interface Client",
    "interface ClientListOptions",
    "interface ConnectOptions",
    "interface Cover",
    "interface DataStream",
    "interface Description",
    "interface ImageFields",
    "interface ImageOptions",
    "interface ListEntry",
    "interface Logger",
    "interface MediaFrame",
    "interface MediaServer",
    "interface MediaTags",
    "interface MediaTrack",
    "interface Notice",
    "interface PublishOptions",
    "interface PublishTotals",
    "interface PublishedAudio",
    "interface PublishedStreams",
    "interface PublishedVideo",
    "interface Publisher",
    "interface RequestEvents",
    "interface ServeOptions",
    "interface StreamBase",
    "interface StreamTags",
    "interface VideoFields",
    "interface VideoStream",
    "interface Watch",
    "interface WatchOptions",
    "interface WriteOptions",
    "interface WriteTimes",
    "typeAlias AnyStream",
    "typeAlias EncoderChoice",
    "typeAlias Encoding",
    "typeAlias ErrorCode",
    "typeAlias FieldOrder",
    "typeAlias LatePolicy",
    "typeAlias LogFields",
    "typeAlias LogLevel",
    "typeAlias PublishMode",
    "typeAlias Rational",
    "typeAlias StreamDescription",
  ]);
});

Deno.test("whatever mod.ts exports is documented, and names only what is exported", async () => {
  const env = { NO_COLOR: "1" };
  const { stderr } = await textOf(Deno.execPath(), ["doc", "--lint", MODULE], { env });
  const complaints = stderr.match(/^error\[.*$/gm) ?? [];
  // A type that is one of a list of words is as good as the words.
  const others = complaints.filter((line) => !/ references private type '[A-Z_]+'$/.test(line));
  assertEquals(others, [], stderr);
});
