import { assertEquals } from "@std/assert";
import { ByteReader, fromSocket } from "../../../lib/base/byte_reader.ts";
import { ByteWriter } from "../../../lib/base/byte_writer.ts";
import { connect } from "../../../lib/net/connection.ts";
import { requestMedia } from "../../../lib/protocol/native/client.ts";
import { Connection } from "../../../lib/protocol/native/connection.ts";
import { describe, end, frame, say, ScriptedServer } from "../../support/peers/scripted_server.ts";

const NEVER = new AbortController().signal;

Deno.test("requestMedia() sends keep-alives while a slow sink keeps it from reading", async () => {
  const received = Promise.withResolvers<string[]>();
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, describe(), frame(0));
    const writer = new ByteWriter(peer, { stallTimeout: 20_000, onStall() {} });
    const messages = new Connection(new ByteReader(fromSocket(peer)), writer);
    const kinds: string[] = [];
    while (kinds.length < 2) kinds.push((await messages.receive())?.kind ?? "end");
    received.resolve(kinds);
    await say(peer, end());
  });
  const { hostname: host, port } = server.address;
  using connection = await connect({ host, port }, NEVER);
  const response = requestMedia(connection, { command: "get_video" }, { keepAlive: 20 });
  for await (const part of response) {
    // The next part is requested only after the server has received two of them.
    if (part.kind === "frame") assertEquals(await received.promise, ["pong", "pong"]);
  }
});
