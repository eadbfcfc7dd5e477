import { assertEquals } from "@std/assert";
import { runSession, type SessionConversation } from "../../../lib/server/session/session.ts";
import { Library } from "../../../lib/sources/file/library.ts";
import { sessionContext } from "../../support/peers/session_context.ts";
import { mediaFolder } from "../../support/media/media_folder.ts";

/** Greets the peer, and sends its first line back. */
const greet: SessionConversation = async ({ reader, writer, slot }) => {
  await writer.write(new TextEncoder().encode(slot?.refusal ?? "hello"));
  const line = await reader.peek(3);
  if (line !== undefined) await writer.write(line.slice(0, 3));
};

Deno.test("runSession() holds a conversation in which the server speaks first", async () => {
  await using context = await sessionContext({ library: new Library(mediaFolder().path) });
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  for (const refusal of [undefined, "full"] as const) {
    using peer = await Deno.connect({ port: listener.addr.port });
    const slot = { refusal, yielded: context.signal, serve: () => new DisposableStack() };
    const parts = { ...slot, [Symbol.dispose]() {} };
    const session = runSession(await listener.accept(), context, { slot: parts, converse: greet });
    const greeting = new Uint8Array(16);
    const length = await peer.read(greeting) ?? 0;
    assertEquals(new TextDecoder().decode(greeting.subarray(0, length)), refusal ?? "hello");
    await peer.write(new TextEncoder().encode("bye"));
    await peer.closeWrite();
    assertEquals(await new Response(peer.readable).text(), "bye");
    await session;
  }
});
