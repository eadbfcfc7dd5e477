import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { ByteReader } from "../../../lib/base/byte_reader.ts";
import { TruncatedError, UsageError } from "../../../lib/base/errors.ts";
import {
  matchWords,
  parseRequestWord,
  peekFirstBytes,
} from "../../../lib/server/session/request_words.ts";
import { SCRIPT_END } from "../../../lib/protocol/script/request.ts";
import { scriptRequest } from "../../support/peers/script_messages.ts";
import type { ServerOptions } from "../../../lib/server/options.ts";
import { Secret } from "../../../lib/net/secret.ts";
import { latin1 } from "../../support/media/bytes.ts";
import { requestMessage } from "../../support/peers/native_client.ts";
import { conversationMedia, testServer } from "../../support/peers/test_server.ts";
import { pureTest } from "../../support/pure_test.ts";

const media = await conversationMedia();

const WORDS = ["1", "ok", "okay", "send frame"];

/** A reader of chunks, one a read; counts the reads, and fails beyond the last chunk. */
function readerOf(...chunks: string[]) {
  const left = chunks.map(latin1);
  const counted = { reads: 0 };
  const reader = new ByteReader({
    read(target, min) {
      let have = 0;
      while (have < min) {
        const chunk = left.shift();
        counted.reads++;
        if (chunk === undefined) throw new Error("Cannot read: it would wait for more");
        target.set(chunk, have);
        have += chunk.byteLength;
        if (chunk.byteLength === 0) break;
      }
      return Promise.resolve(target.subarray(0, have));
    },
    cancel: () => Promise.resolve(),
  });
  return { reader, counted };
}

pureTest("parseRequestWord() takes printable words", () => {
  for (const word of ["1", "ok", "send frame", "get", "{}", "~", "x".repeat(64)]) {
    assertStrictEquals(parseRequestWord(word), word);
  }
  for (const word of ["", " ", " ok", "ok ", "o\nk", "ok\n", "größe", "x".repeat(65), "\x7f"]) {
    assertThrows(() => parseRequestWord(word), UsageError, "expected 1 to 64 printable ASCII");
  }
  for (const word of ["get_image", "get_video"]) {
    assertThrows(() => parseRequestWord(word), UsageError, "may send it anyway");
  }
});

pureTest("matchWords() takes a whole word, with or without an end of line", () => {
  const matches: Record<string, ReturnType<typeof matchWords>> = {
    "1": "whole",
    "ok": "whole",
    "ok\n": "whole",
    "okay\r\n": "whole",
    "send frame": "whole",
    "send frame\r": "whole",
    "okay, then": "whole",
    "get_video": "none",
    "get_image ": "none",
    "ok\r": "part",
    "o": "part",
    "oka": "part",
    "send fram": "part",
    "ok ": "none",
    "ok\n\n": "none",
    "OK": "none",
    "1\0\0\0": "none",
    "1\n\0\0": "none",
    "ok\0\0": "none",
    "\x16\x03\x01": "none",
    "get_": "none",
    "": "part",
  };
  for (const [text, match] of Object.entries(matches)) {
    assertStrictEquals(matchWords(latin1(text), WORDS), match, JSON.stringify(text));
  }
  assertStrictEquals(matchWords(latin1("x".repeat(500)), WORDS), "none");
  assertStrictEquals(matchWords(latin1("ok"), []), "none");
  assertStrictEquals(matchWords(latin1("get_video"), ["get_"]), "none");
});

pureTest("peekFirstBytes() waits for no more than shows what is spoken", async () => {
  const cases: [chunks: string[], isWord: boolean, bytes: string][] = [
    [["1"], true, "1"],
    [["ok"], true, "ok"],
    [["o", "k\n"], true, "ok\n"],
    [["ok\r", "\n"], true, "ok\r\n"],
    [["s", "end", " frame"], true, "send frame"],
    // The native protocol, of which all has come at once, and in parts.
    [["1\0\0\0\x01"], false, "1\0\0\0\x01"],
    [["\x20", "\0", "\0", "\0"], false, "\x20\0\0\0"],
    [["\x16\x03\x01\x02"], false, "\x16\x03\x01\x02"],
    [["g", "et_v"], false, "get_v"],
    [["sen", "t"], false, "sent"],
  ];
  for (const [chunks, isWord, bytes] of cases) {
    const { reader, counted } = readerOf(...chunks);
    const found = await peekFirstBytes(reader, WORDS);
    assertEquals(found, { bytes: latin1(bytes), isWord }, JSON.stringify(chunks));
    assertStrictEquals(counted.reads, chunks.length);
  }
});

pureTest("peekFirstBytes() waits for four bytes if there are no words", async () => {
  const { reader } = readerOf("1", "\0\0", "\0\x01");
  assertEquals(await peekFirstBytes(reader), { bytes: latin1("1\0\0\0\x01"), isWord: false });
});

pureTest("peekFirstBytes() reports a peer that leaves before", async () => {
  assertStrictEquals(await peekFirstBytes(readerOf("").reader, WORDS), undefined);
  await assertRejects(() => peekFirstBytes(readerOf("sen", "").reader, WORDS), TruncatedError);
  await assertRejects(() => peekFirstBytes(readerOf("x", "").reader, WORDS), TruncatedError);
});

/** A server that takes the words for requests. */
function serve(options: Partial<ServerOptions> = {}) {
  return testServer({
    media,
    defaults: { video: "short.mkv" },
    requestWords: WORDS,
    ...options,
  });
}

Deno.test("runSession() answers a word as it answers get_video, to the byte", async () => {
  await using server = await serve();
  const responses: Uint8Array[] = [];
  const requests = ["get_video", "1", "ok", "ok\n", "okay\r\n", "send frame"];
  for (const request of requests) {
    using peer = await server.connect();
    await peer.write(latin1(request));
    responses.push(await peer.readAll());
  }
  assertEquals(responses[0].subarray(-SCRIPT_END.length), SCRIPT_END);
  for (const response of responses) assertEquals(response, responses[0]);
  await server.logged(/request ends command=get_video wire=classic name=short.mkv result=done /, 6);
});

Deno.test("runSession() reads a word that comes byte by byte, and what follows it", async () => {
  await using server = await serve({ requestWords: ["send frame"] });
  using peer = await server.connect();
  for (const byte of latin1("send frame")) await peer.write(Uint8Array.of(byte));
  await peer.write(latin1("received"));
  assertEquals((await peer.readAll()).subarray(-SCRIPT_END.length), SCRIPT_END);
});

Deno.test("runSession() serves native peers and TLS's refusal beside words", async () => {
  await using server = await serve();
  {
    using peer = await server.connect();
    for (const byte of requestMessage({ command: "get_image" })) {
      await peer.write(Uint8Array.of(byte));
    }
    assertStrictEquals((await peer.response()).frames.length, 1);
  }
  {
    using peer = await server.connect();
    await peer.write(Uint8Array.of(22, 3, 1, 2));
    assertStrictEquals((await peer.farewell())?.code, "bad_request");
  }
  {
    using peer = await server.connect();
    await peer.write(scriptRequest("get_image"));
    assertEquals((await peer.readAll()).subarray(-SCRIPT_END.length), SCRIPT_END);
  }
});

Deno.test("runSession() takes words for requests only if it is told so", async () => {
  await using server = await serve({ requestWords: [] });
  using peer = await server.connect();
  // As long as the header of a native message.
  await peer.write(latin1("send frame, and more"));
  assertStrictEquals((await peer.farewell())?.code, "bad_request");
});

Deno.test("runSession() refuses words if a token is required, unless scripts may do without", async () => {
  const credentials = { token: new Secret("word") };
  {
    await using server = await serve({ credentials });
    using peer = await server.connect();
    await peer.write(latin1("ok"));
    assertStrictEquals((await peer.readAll()).byteLength, 0);
    await server.logged(/refused: scripts know no token/);
  }
  await using server = await serve({ credentials, scriptsOpen: true });
  using peer = await server.connect();
  await peer.write(latin1("ok"));
  assertEquals((await peer.readAll()).subarray(-SCRIPT_END.length), SCRIPT_END);
});
