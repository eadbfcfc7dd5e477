import { assertEquals } from "@std/assert";
import { ByteReader, fromSocket } from "../../../lib/base/byte_reader.ts";
import { ByteWriter } from "../../../lib/base/byte_writer.ts";
import { connect } from "../../../lib/client/connection/connection.ts";
import { requestMedia } from "../../../lib/client/request/native.ts";
import { Connection } from "../../../lib/protocol/native/connection.ts";
import { describe, end, frame, say, ScriptedServer } from "../../support/peers/scripted_server.ts";

const NEVER = new AbortController().signal;

Deno.test("sendKeepAlives() tells the server of the client while a viewer keeps it from reading", async () => {
  const heard = Promise.withResolvers<string[]>();
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, describe(), frame(0));
    const writer = new ByteWriter(peer, { stallTimeout: 20_000, onStall() {} });
    const connection = new Connection(new ByteReader(fromSocket(peer)), writer);
    const kinds: string[] = [];
    while (kinds.length < 2) kinds.push((await connection.receive())?.kind ?? "end");
    heard.resolve(kinds);
    await say(peer, end());
  });
  const { hostname: host, port } = server.address;
  using link = await connect({ host, port }, NEVER);
  const response = requestMedia(link, { command: "get_video" }, { signs: 20 });
  for await (const part of response) {
    // The viewer takes the frame only once the server has heard of the client.
    if (part.kind === "frame") assertEquals(await heard.promise, ["pong", "pong"]);
  }
});
