import { assertEquals, assertRejects } from "@std/assert";
import { ByteReader, fromSocket } from "../../../lib/base/byte_reader.ts";
import { ByteWriter } from "../../../lib/base/byte_writer.ts";
import { FormatError, RequestError } from "../../../lib/base/errors.ts";
import { connect, ServerConnection } from "../../../lib/net/connection.ts";
import { requestList, requestMedia } from "../../../lib/protocol/native/client.ts";
import { Connection } from "../../../lib/protocol/native/connection.ts";
import { encodeMessage } from "../../../lib/protocol/native/framing.ts";
import { parseControl } from "../../../lib/protocol/native/request.ts";
import { encodeDescription, encodeError } from "../../../lib/protocol/native/response.ts";
import {
  describe,
  end,
  frame,
  GREY,
  heard,
  say,
  ScriptedServer,
} from "../../support/peers/scripted_server.ts";
import { pureTest } from "../../support/pure_test.ts";
import { unixTest } from "../../support/test_if.ts";

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

Deno.test("requestMedia() takes a second description only if the request says so", async () => {
  const messages = [describe(), frame(0), describe({ width: 8 }), frame(1, { size: 128 }), end()];
  await using server = new ScriptedServer((peer) => say(peer, ...messages));
  const { hostname: host, port } = server.address;
  const kindsOf = async (redescribe: boolean) => {
    using connection = await connect({ host, port }, NEVER);
    const kinds: string[] = [];
    const request = { command: "get_video", redescribe } as const;
    for await (const { kind } of requestMedia(connection, request)) kinds.push(kind);
    return kinds;
  };
  assertEquals(await kindsOf(true), ["describe", "frame", "describe", "frame", "end"]);
  await assertRejects(() => kindsOf(false), FormatError, "a second description");
});

Deno.test("requestMedia() keeps the memory of frames for whoever asks for that", async () => {
  // Large enough for their memory to be used again.
  const size = 100_000;
  const messages = [describe(), frame(0, { size, value: 1 }), frame(1, { size, value: 2 }), end()];
  await using server = new ScriptedServer((peer) => say(peer, ...messages));
  const { hostname: host, port } = server.address;
  const valuesOf = async (keepsFrames: boolean) => {
    using connection = await connect({ host, port }, NEVER);
    const frames: Uint8Array[] = [];
    const response = requestMedia(connection, { command: "get_video" }, { keepsFrames });
    for await (const part of response) if (part.kind === "frame") frames.push(part.frame.data);
    return frames.map(([first]) => first);
  };
  assertEquals(await valuesOf(true), [1, 2]);
  assertEquals(await valuesOf(false), [2, 2]);
});

Deno.test("requestMedia() tells how much video of a live source it has read, with credit", async () => {
  const told = Promise.withResolvers<unknown[]>();
  await using server = new ScriptedServer(async (peer) => {
    const sound = { ...GREY, id: 1, type: "audio", codec: "pcm_s16le", sampleRate: 1, channels: 1 };
    const description = { name: "grey", live: true, streams: [GREY, sound as typeof GREY] };
    // Before the description: behind frames, the pong could be late.
    let ping = await heard(peer);
    while (ping.kind !== "ping") ping = await heard(peer);
    await say(peer, encodeMessage("pong", ping.payload, { timestamp: 1 }));
    await say(peer, encodeMessage("describe", encodeDescription(description)));
    const numbers: unknown[] = [];
    for (const streamId of [0, 1, 0, 1, 0]) {
      await say(peer, frame(numbers.length, { streamId }));
      if (streamId === 1) continue;
      let message = await heard(peer);
      while (message.kind !== "control") message = await heard(peer);
      const { action, frames, roundTrip } = parseControl(message.payload);
      numbers.push([action, frames, typeof roundTrip]);
    }
    told.resolve(numbers);
    await say(peer, end());
  });
  const { hostname: host, port } = server.address;
  using connection = await connect({ host, port }, NEVER);
  const request = { command: "get_video", late: "drop", credit: true } as const;
  let frames = 0;
  for await (const { kind } of requestMedia(connection, request)) if (kind === "frame") frames++;
  const expected = [1, 2, 3].map((number) => ["taken", number, "number"]);
  assertEquals([frames, await told.promise], [5, expected]);
});

pureTest("requests whose connection is lost give the error that came before", async () => {
  const refusal = encodeMessage("error", encodeError(new RequestError("busy", "full")));
  const lost = () => {
    let rest = refusal;
    const socket = {
      read(target: Uint8Array) {
        const part = rest.subarray(0, target.byteLength);
        rest = rest.subarray(part.byteLength);
        target.set(part);
        return Promise.resolve(part.byteLength || null);
      },
      write: () => Promise.reject(new Deno.errors.BrokenPipe()),
      close() {},
      closeWrite: () => Promise.resolve(),
      setNoDelay() {},
      remoteAddr: { transport: "tcp", hostname: "127.0.0.1", port: 7777 },
    } as const;
    return new ServerConnection(socket, NEVER, { timeouts: { connect: 20_000, idle: 20_000 } });
  };
  {
    using connection = lost();
    const response = requestMedia(connection, { command: "get_video" });
    await assertRejects(() => Array.fromAsync(response), RequestError, "full");
  }
  using connection = lost();
  await assertRejects(() => Array.fromAsync(requestList(connection)), RequestError, "full");
});

// Windows discards what came before a reset.
unixTest("requestMedia() gives what came before the connection was reset", async () => {
  const [asked, reset] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const ping = encodeMessage("ping", new Uint8Array(8));
  await using server = new ScriptedServer(async (peer) => {
    await say(peer, describe(), frame(0), ping, frame(1), ping, end());
    await asked.promise;
    // The control is unread, which makes it a reset.
    server.cut();
    reset.resolve();
  });
  const { hostname: host, port } = server.address;
  using connection = await connect({ host, port }, NEVER);
  const response = requestMedia(connection, { command: "get_video" });
  const kinds: string[] = [];
  for await (const { kind } of response) {
    if (kind === "describe") await response.control?.({ action: "pause" });
    asked.resolve();
    await reset.promise;
    kinds.push(kind);
  }
  assertEquals(kinds, ["describe", "frame", "frame", "end"]);
});
