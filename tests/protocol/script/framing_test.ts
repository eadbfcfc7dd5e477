import { assertEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../../lib/base/errors.ts";
import {
  parseScriptLength,
  parseScriptMessage,
  parseScriptRequest,
  SCRIPT_END,
  SCRIPT_MAGIC,
  SCRIPT_MAX_LENGTH,
  SCRIPT_REQUEST_LENGTH,
  scriptRequest,
} from "../../../lib/protocol/script/framing.ts";
import { bytesPickle } from "../../../lib/protocol/script/unpickler.ts";
import { latin1 } from "../../support/media/bytes.ts";
import { numpyPickle, uint32 } from "../../support/media/pickles.ts";
import { pureTest } from "../../support/pure_test.ts";

for (const command of ["get_image", "get_video"] as const) {
  pureTest(`scriptRequest() and parseScriptRequest() agree on ${command}`, () => {
    const request = scriptRequest(command);
    assertEquals(request.byteLength, SCRIPT_REQUEST_LENGTH);
    assertEquals(request.subarray(0, 4), latin1(SCRIPT_MAGIC));
    assertEquals(parseScriptRequest(request), command);
  });
}

pureTest("parseScriptRequest() refuses anything else and quotes it", () => {
  for (const request of ["get_audio", "get_imag", "get_image\n", "GET_IMAGE", ""]) {
    const shown = request.replace("\n", "?");
    assertThrows(() => parseScriptRequest(latin1(request)), FormatError, `"${shown}"`);
  }
});

pureTest("CLASSIC_END is a message that ends", () => {
  assertEquals(parseScriptLength(SCRIPT_END.subarray(0, 4)), SCRIPT_END.byteLength - 4);
  assertEquals(parseScriptMessage(SCRIPT_END.subarray(4)), { kind: "end" });
});

pureTest("parseScriptLength() reads lengths within the limit", () => {
  assertEquals(parseScriptLength(latin1(uint32(1))), 1);
  assertEquals(parseScriptLength(latin1(uint32(SCRIPT_MAX_LENGTH))), SCRIPT_MAX_LENGTH);
  for (const length of [0, -1, SCRIPT_MAX_LENGTH + 1, 2 ** 31 - 1, -(2 ** 31)]) {
    const bytes = latin1(uint32(length));
    assertThrows(() => parseScriptLength(bytes), FormatError, `length ${length}, expected 1 to`);
  }
});

pureTest("parseScriptMessage() turns grey into BGR", () => {
  const data = Uint8Array.of(7, 9);
  const frame = { kind: "frame", width: 2, height: 1, data: Uint8Array.of(7, 7, 7, 9, 9, 9) };
  for (const shape of [[1, 2], [1, 2, 1]]) {
    assertEquals<unknown>(parseScriptMessage(numpyPickle({ shape, data })), frame);
  }
});

pureTest("parseScriptMessage() leaves alpha out", () => {
  const data = Uint8Array.of(1, 2, 3, 255, 4, 5, 6, 128);
  assertEquals<unknown>(parseScriptMessage(numpyPickle({ shape: [2, 1, 4], data })), {
    kind: "frame",
    width: 1,
    height: 2,
    data: Uint8Array.of(1, 2, 3, 4, 5, 6),
  });
});

pureTest("parseScriptMessage() refuses arrays that are not images", () => {
  const refused: [shape: number[], dtype: string, length: number][] = [
    [[6], "u1", 6],
    [[1, 3, 2], "u1", 6],
    [[1, 1, 1, 3], "u1", 3],
    [[0, 2, 3], "u1", 0],
    [[2, 0, 3], "u1", 0],
    [[2, 2, 0], "u1", 0],
    [[], "u1", 1],
    [[1, 2, 3], "i1", 6],
    [[1, 2, 3], "b1", 6],
    [[1, 2, 3], "f4", 24],
    [[1, 2, 3], "u2", 12],
  ];
  for (const [shape, dtype, length] of refused) {
    const pickle = numpyPickle({ shape, dtype, data: new Uint8Array(length) });
    assertThrows(
      () => parseScriptMessage(pickle),
      FormatError,
      `array of shape (${shape.join(", ")}), expected uint8`,
    );
  }
});

pureTest("parseScriptMessage() refuses grey images that are too large as BGR", () => {
  const shape = [1, Math.ceil(SCRIPT_MAX_LENGTH / 3)];
  const pickle = numpyPickle({ shape, data: new Uint8Array(shape[1]) });
  assertThrows(() => parseScriptMessage(pickle), FormatError, "as BGR");
});

pureTest("parseScriptMessage() refuses other bytes than the end, and quotes them", () => {
  assertThrows(() => parseScriptMessage(bytesPickle(latin1("ending"))), FormatError, '"ending"');
  assertThrows(() => parseScriptMessage(bytesPickle(latin1("\x1b[2J"))), FormatError, '"?[2J"');
  assertThrows(() => parseScriptMessage(bytesPickle(latin1(""))), FormatError, "0 bytes");
});

pureTest(
  "parseScriptMessage() refuses values that are neither image nor end, and names them",
  () => {
    const refused = [
      ["N.", "a value of kind none"],
      ["].", "a value of kind list"],
      ["Vend\n.", 'text "end"'],
      ["V\x1b[2J\n.", 'text "?[2J"'],
    ];
    for (const [pickle, found] of refused) {
      const message = `${found}, expected an array or "end"`;
      assertThrows(() => parseScriptMessage(latin1(pickle)), FormatError, message);
    }
  },
);
