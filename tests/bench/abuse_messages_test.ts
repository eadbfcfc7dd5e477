import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  largePing,
  longName,
  repeated,
  seekTo,
  unknownControl,
} from "../../bench/abuse_messages.ts";
import { HEADER_LENGTH, parseHeader } from "../../lib/protocol/native/framing.ts";
import { encodeRequest, parseControl, parseRequest } from "../../lib/protocol/native/request.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("largePing(), seekTo() and unknownControl() are messages that servers take", () => {
  assertEquals(parseHeader(largePing()).kind, "ping");
  assertEquals(parseHeader(largePing()).payloadLength, 65_000);
  const controlOf = (message: Uint8Array) => {
    assertEquals(parseHeader(message).kind, "control");
    return parseControl(message.subarray(HEADER_LENGTH));
  };
  const { action, to, id } = controlOf(seekTo(2.5));
  assertEquals([action, to, id], ["seek", 2.5, 1]);
  assertEquals(controlOf(unknownControl()).action, "harm");
});

pureTest("longName() is the longest that a request may have, 4 KB", () => {
  const request = (name: string) => encodeRequest({ command: "get_image", name });
  assertEquals(parseRequest(request(longName())).name, longName());
  assertEquals(new TextEncoder().encode(longName()).byteLength, 4096);
  assertThrows(() => parseRequest(request(`${longName()}.`)), Error, "1024");
});

pureTest("repeated() is a message behind itself, so many times", () => {
  const all = repeated(unknownControl(), 3);
  assertEquals(all.byteLength, 3 * unknownControl().byteLength);
  const second = all.subarray(unknownControl().byteLength);
  assert(parseHeader(second).kind === "control");
});
