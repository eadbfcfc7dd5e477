/** What `explain` of a server says of peers that leave, say nothing, or come together. */
import { assertEquals, assertMatch } from "@std/assert";
import { DEFAULT_TIMEOUTS, type ServerOptions } from "../../../lib/server/options.ts";
import { mediaFolder, pictures } from "../../support/media/media_folder.ts";
import { watchLive } from "../../support/peers/native_client.ts";
import { refusal, relayOf, serverOf } from "../../support/peers/relays.ts";
import { ScriptPeer } from "../../support/peers/script_peer.ts";
import { LONG_TIMEOUTS, type TestServer, testServer } from "../../support/peers/test_server.ts";
import { freePort } from "../../support/programs/machine.ts";
import { PATIENCE } from "../../support/time/patience.ts";

const media = mediaFolder();

/** A server, and the lines that explain its conversations. */
async function explaining(
  options: Partial<ServerOptions> = {},
): Promise<{ server: TestServer; lines: string[] }> {
  const lines: string[] = [];
  const explain = (line: string) => void lines.push(line);
  const server = await testServer({ media: media.path, explain, ...options });
  return { server, lines };
}

/** Connects, sends some bytes, and reads until the server ends it or the peer has enough. */
async function visit(
  { address: { hostname, port } }: TestServer,
  bytes: Uint8Array,
  { leaves }: { leaves: boolean },
): Promise<void> {
  using peer = await Deno.connect({ hostname, port });
  if (bytes.byteLength > 0) await peer.write(bytes);
  while (!leaves && await peer.read(new Uint8Array(100)) !== null);
}

/** Events and the words before the state, without columns. */
function eventsOf(lines: readonly string[]): string[] {
  return lines.map((line) => line.replace(/^\S+ +\S+ s +/, "").replaceAll(/ +/g, " "));
}

Deno.test("explain tells a cut from a timeout", async () => {
  const heard: string[] = [];
  const begun = new Uint8Array([32, 0, 0, 0, 1, 0, 0]);
  for (
    const { bytes, ...visitor } of [
      { bytes: begun, leaves: true, request: DEFAULT_TIMEOUTS.request },
      { bytes: new Uint8Array(0), leaves: false, request: 50 },
    ]
  ) {
    const timeouts = { ...DEFAULT_TIMEOUTS, request: visitor.request };
    const { server: started, lines } = await explaining({ timeouts });
    await using server = started;
    await visit(server, bytes, visitor);
    await server.logged(/ disconnected\n$/);
    heard.push(...eventsOf(lines));
  }
  assertEquals(heard, [
    "-- connected without TLS waiting",
    "-- cut Input ended after 7 bytes, expected 16 ended",
    "-- connected without TLS waiting",
    "-- timed out no request within 0.05 s ended",
  ]);
});

Deno.test("explain tells peers apart, and lets none of them forge a line", async () => {
  await media.make("p.png", [...pictures(), "-frames:v", "1"]);
  const { server: started, lines } = await explaining({
    timeouts: { ...LONG_TIMEOUTS, ping: PATIENCE },
  });
  await using server = started;
  {
    using one = await server.connect();
    using other = await server.connect();
    for (const [client, name] of [[one, "p.png"], [other, "x\n\x1b[2J"], [one, "p.png"]] as const) {
      await client.request({ command: "get_image", name }).catch(() => {});
    }
  }
  await server.logged(/ disconnected\n$/, 2);
  const peers = [...new Set(lines.map((line) => line.match(/^127\.0\.0\.1:\d+(?= )/)?.[0] ?? ""))];
  assertEquals(peers.length, 2);
  const [one, other] = peers.map((peer) => lines.filter((line) => line.startsWith(`${peer} `)));
  const shown = ["<- request", "-> describe", "-> frame", "-> end"];
  assertEquals(one.map((line) => line.match(/(--|->|<-) +\w+/)?.[0].replace(/ +/, " ")), [
    ...["-- connected", ...shown, ...shown, "-- closed"],
  ]);
  assertMatch(other.join("\n"), /<- {2}request .* get_image "x\?\?\[2J"/);
  for (const line of lines) assertMatch(line, /^\P{Cc}+$/u);
});

Deno.test("explain shows the conversations with peers that the server connects to", async () => {
  using script = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const lines: Record<"source" | "relay", string[]> = { source: [], relay: [] };
  await using source = await serverOf(
    [`cam=script:127.0.0.1:${script.addr.port}?framing=u64le+raw:8x4:bgr24&request=go`],
    { explain: (line) => void lines.source.push(line) },
  );
  await using relay = await relayOf(source, { explain: (line) => void lines.relay.push(line) });
  {
    using viewer = await watchLive(relay, { name: "cam", encoding: "copy" });
    using peer = new ScriptPeer(await script.accept());
    await peer.send(new Uint8Array(8 * 4 * 3));
    await viewer.frames(1);
  }
  const peerOf = { source: script.addr.port, relay: source.address.port };
  for (
    const [server, words] of [
      ["source", /-> request 2 bytes "go", as text waiting/],
      ["source", /<- frame 104 bytes 8x4 bgr24: 8-byte length .*then .* streaming/],
      ["relay", /-> request \d+ bytes get_video "cam".* waiting/],
      ["relay", /<- frame \d+ bytes stream 0, video at 0.000 s.* streaming/],
    ] as const
  ) {
    const own = lines[server].filter((line) => line.startsWith(`127.0.0.1:${peerOf[server]} `));
    assertMatch(eventsOf(own).join("\n"), words, server);
  }
});

Deno.test("explain says that nothing listens, without the advice for users of a client", async () => {
  const port = freePort();
  const lines: string[] = [];
  const explain = (line: string) => void lines.push(line);
  await using server = await serverOf([`cam=script:127.0.0.1:${port}`], { explain });
  await refusal(server);
  const own = lines.filter((line) => line.startsWith(`127.0.0.1:${port} `));
  assertEquals(
    eventsOf(own)[1],
    `-- failed Cannot connect to 127.0.0.1:${port}: nothing listens there ended`,
  );
});
