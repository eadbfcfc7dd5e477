import { assert, assertEquals, assertMatch } from "@std/assert";
import { TlsSocket } from "../../../lib/net/socket.ts";
import { Secret } from "../../../lib/net/secret.ts";
import type { Message } from "../../../lib/protocol/native/connection.ts";
import { encodeMessage, MAX_REQUEST_LENGTH } from "../../../lib/protocol/native/framing.ts";
import { encodeControl, encodeRequest } from "../../../lib/protocol/native/request.ts";
import { scriptRequest } from "../../support/peers/script_messages.ts";
import { isTls } from "../../../lib/server/session/session.ts";
import { NativeClient } from "../../support/peers/native_client.ts";
import { conversationMedia, type TestServer, testServer } from "../../support/peers/test_server.ts";
import { HAS_OPENSSL, makeCertificate } from "../../support/programs/certificates.ts";
import { pureTest } from "../../support/pure_test.ts";
import { LeapingTime } from "../../support/time/leaping_time.ts";
import { tlsTest } from "../../support/test_if.ts";

// Sessions of a server that requires a token, or speaks TLS.

const media = await conversationMedia();

const certificate = HAS_OPENSSL ? await makeCertificate(media, "own") : undefined;

const TOKEN = "a-token-that-nobody-guesses";
const credentials = { token: new Secret(TOKEN) };
const IMAGE = { command: "get_image", name: "image.png" } as const;
const COMMANDS = [
  IMAGE,
  { command: "get_video", name: "short.mkv" },
  { command: "list_media" },
] as const;

async function connectTls(server: TestServer): Promise<TlsSocket> {
  const { hostname, port } = server.address;
  return await secured(await Deno.connect({ hostname, port }));
}

async function secured(socket: Deno.TcpConn): Promise<TlsSocket> {
  return await TlsSocket.connect(socket, { rejectUnauthorized: false });
}

Deno.test("runSession() serves every command with the token, and none without it", async () => {
  await using server = await testServer({ media, credentials });
  using peer = await server.connect();
  for (const request of COMMANDS) {
    await peer.ask(request);
    const { kinds, error } = await peer.response();
    assertEquals([kinds, error?.code], [["error"], "unauthorized"]);
  }
  await peer.ask({ ...IMAGE, token: "a-token-that-somebody-guesses" });
  assertEquals((await peer.response()).error?.code, "unauthorized");
  await server.logged(/ warn .* result=unauthorized /, COMMANDS.length + 1);
  for (const request of COMMANDS) {
    await peer.ask({ ...request, token: TOKEN });
    assertEquals((await peer.response()).error, undefined);
  }
  peer.close();
  await server.quiet();
  assertEquals(server.lines.join("").includes("a-token"), false);
});

Deno.test("runSession() quotes no token that it cannot read", async () => {
  await using server = await testServer({ media, credentials });
  using peer = await server.connect();
  for (const token of [123454321, "s3cr3t".repeat(1000), ["s3cr3t"]]) {
    const request = JSON.stringify({ version: 1, command: "list_media", token });
    await peer.write(encodeMessage("request", new TextEncoder().encode(request)));
    const { error } = await peer.response();
    assertEquals(error?.code, "bad_request");
    assertEquals(
      error?.message,
      "Cannot use token (not shown): expected a text of at most 4096 characters",
    );
  }
  assertEquals(/s3cr3t|123454321/.test(server.lines.join("")), false);
});

Deno.test("runSession() refuses scripts if there is a token, unless scripts are open", async () => {
  {
    await using server = await testServer({ media, credentials });
    using peer = await server.connect();
    await peer.write(scriptRequest("get_image"));
    assertEquals((await peer.readAll()).byteLength, 0);
    await server.logged(
      / warn .* refused: scripts know no token; --classic-open lets them in wire=classic result=unauthorized seconds=\S+\n$/,
    );
  }
  await using server = await testServer({ media, credentials, scriptsOpen: true });
  using peer = await server.connect();
  await peer.write(scriptRequest("get_image"));
  assert((await peer.readAll()).byteLength > 64 * 48 * 3);
});

Deno.test("runSession() goes on reading while a wrong token waits for its error", async () => {
  await using server = await testServer({ media, credentials });
  using guesser = await server.connect();
  using friend = await server.connect();
  await guesser.ask({ ...IMAGE, token: "wrong" });
  await guesser.write(encodeMessage("ping", new Uint8Array(1)));
  // It comes at once; the refusal only after its delay.
  assertEquals((await guesser.until("pong")).before, []);
  assertEquals((await guesser.response()).error?.code, "unauthorized");
  await friend.ask({ ...IMAGE, token: TOKEN });
  assertEquals((await friend.response()).frames.length, 1);
});

tlsTest("runSession() says the same over TLS as without it", async () => {
  await using server = await testServer({ media, credentials: { ...credentials, certificate } });
  using client = new NativeClient(await connectTls(server));
  const { frames, end } = await client.request({
    ...{ command: "get_video", name: "short.mkv", speed: 0 },
    token: TOKEN,
  });
  await using plain = await testServer({ media });
  const { hostname, port } = plain.server.address;
  using other = new NativeClient(await Deno.connect({ hostname, port }));
  const expected = await other.request({ command: "get_video", name: "short.mkv", speed: 0 });
  assertEquals(frames, expected.frames);
  assertEquals(end, expected.end);
  assertEquals((await client.request({ command: "list_media" })).error?.code, "unauthorized");
});

tlsTest("runSession() tells who does not speak TLS that it has to", async () => {
  await using server = await testServer({ media, credentials: { certificate } });
  using peer = await server.connect();
  await peer.ask(IMAGE);
  const error = await peer.farewell();
  assertEquals(error?.code, "bad_request");
  assertMatch(
    error?.message ?? "",
    /^Cannot serve without TLS: .* --tls-fingerprint, --ca-cert or --tls$/,
  );
  using script = await server.connect();
  await script.write(scriptRequest("get_image"));
  assertEquals((await script.readAll()).byteLength, 0);
  await server.logged(/ warn .* refused: the peer does not speak TLS\n$/, 2);
});

tlsTest("runSession() serves scripts through TLS", async () => {
  await using server = await testServer({ media, credentials: { certificate } });
  const socket = await connectTls(server);
  await socket.write(scriptRequest("get_image"));
  const length = new Uint8Array(4);
  assertEquals(await socket.read(length), 4);
  socket.close();
});

Deno.test("runSession() logs that a peer speaks TLS and it does not", async () => {
  await using server = await testServer({ media });
  using peer = await server.connect();
  await peer.write(new Uint8Array([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]));
  assertEquals((await peer.farewell())?.code, "bad_request");
  await server.logged(/ warn .* refused: the peer speaks TLS, .* see --tls-cert and --tls-key\n$/);
});

tlsTest("runSession() waits only so long for TLS, and serves others meanwhile", async () => {
  using time = new LeapingTime();
  const timeouts = { request: 60_000, stall: 61_000, ping: 5_000 };
  await using server = await testServer({ media, credentials: { certificate }, timeouts });
  const silent: NativeClient[] = [];
  // Before the first byte, and in the middle of the handshake.
  for (const start of [[], [22, 3, 1, 2, 0], [22, 3]]) {
    const peer = await server.connect();
    silent.push(peer);
    if (start.length > 0) await peer.write(new Uint8Array(start));
  }
  using client = new NativeClient(await connectTls(server));
  assertEquals((await client.request({ command: "list_media" })).error, undefined);
  await time.leap(timeouts.request);
  await server.logged(/ warn .* ended: no TLS within 60 s\n$/, 3);
  for (const peer of silent) peer.close();
});

tlsTest("runSession() gives up a viewer over TLS that stops reading", async () => {
  const timeouts = { request: 10_000, stall: 300, ping: 50 };
  await using server = await testServer({ media, credentials: { certificate }, timeouts });
  using client = new NativeClient(await connectTls(server));
  const request = { command: "get_video", name: "long.mkv", speed: 0, loop: true } as const;
  await client.connection.send("request", encodeRequest(request));
  await server.logged(/ended: The peer took nothing for too long\n$/);
});

tlsTest(
  "runSession() counts a viewer over TLS from its connecting on, and says that all are taken",
  async () => {
    await using server = await testServer({
      media,
      credentials: { certificate },
      maxClients: 1,
    });
    const { hostname, port } = server.address;
    const connecting = await Deno.connect({ hostname, port });
    using client = new NativeClient(await connectTls(server));
    await client.ask({ command: "get_video", name: "long.mkv", speed: 1 });
    await client.until("frame");
    // It had the slot until then, and is told so behind the handshake.
    using former = new NativeClient(await secured(connecting));
    assertEquals((await former.farewell())?.code, "busy");
    await server.logged(/ refused: Cannot wait any longer: all connection slots are taken, /);
    using late = new NativeClient(await connectTls(server));
    assertEquals((await late.request({ command: "list_media" })).error?.code, "busy");
  },
);

tlsTest(
  "runSession() ends a peer over TLS that gives no sign of life, and keeps others",
  async () => {
    using time = new LeapingTime();
    const timeouts = {
      ...{ request: 600_000, stall: 600_000, silence: 600_000 },
      ...{ ping: 50_000, life: 150_000 },
    };
    await using server = await testServer({ media, credentials: { certificate }, timeouts });
    using client = new NativeClient(await connectTls(server));
    const { connection } = client;
    const request = { command: "get_video", name: "long.mkv", speed: 1 } as const;
    await connection.send("request", encodeRequest(request));
    await connection.send("control", encodeControl({ action: "pause" }));
    const until = async (kind: Message["kind"]) => {
      let message: Message | undefined;
      while (message?.kind !== kind) {
        message = await connection.receive();
        assert(message !== undefined);
      }
    };
    await until("describe");
    // Three times as long as it may be silent.
    for (let passed = 0; passed < 3 * timeouts.life; passed += timeouts.ping) {
      await time.leap(timeouts.ping);
      await until("ping");
      await connection.send("pong", new Uint8Array(0));
      // Once this is answered, the server has read that.
      await connection.send("ping", new Uint8Array(0));
      await until("pong");
    }
    await time.leap(timeouts.life + timeouts.ping);
    await server.logged(/ ended: The peer gave no sign of life for 150 s\n$/);
  },
);

tlsTest("runSession() says when TLS cannot be agreed on", async () => {
  await using server = await testServer({ media, credentials: { certificate } });
  using leaver = await server.connect();
  await leaver.write(new Uint8Array([22, 3, 1, 2, 0]));
  leaver.close();
  await server.logged(/ warn .* ended: no TLS could be agreed on: the peer broke off/);
  using other = await server.connect();
  await other.write(new Uint8Array([22, 3, 1, 0, 4, 9, 9, 9, 9, 9]));
  await server.logged(/ warn .* ended: no TLS could be agreed on: /, 2);
});

pureTest("isTls() takes no request for TLS, however long", () => {
  assertEquals(isTls(new Uint8Array([22, 3, 1, 0])), true);
  assertEquals(isTls(new Uint8Array([22, 3, 3, 1])), true);
  for (let length = 12; length <= 12 + MAX_REQUEST_LENGTH; length++) {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, length, true);
    if (isTls(bytes)) throw new Error(`a length of ${length} looks like TLS`);
  }
});
