import { assertEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../../lib/base/errors.ts";
import {
  parseScriptRequest,
  SCRIPT_END,
  SCRIPT_MAGIC,
  SCRIPT_REQUEST_LENGTH,
} from "../../../lib/protocol/script/request.ts";
import { latin1 } from "../../support/media/bytes.ts";
import {
  parseScriptLength,
  parseScriptMessage,
  scriptRequest,
} from "../../support/peers/script_messages.ts";
import { pureTest } from "../../support/pure_test.ts";

for (const command of ["get_image", "get_video"] as const) {
  pureTest(`parseScriptRequest() reads ${command}`, () => {
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

pureTest("SCRIPT_END is a message that ends", () => {
  assertEquals(parseScriptLength(SCRIPT_END.subarray(0, 4)), SCRIPT_END.byteLength - 4);
  assertEquals(parseScriptMessage(SCRIPT_END.subarray(4)), { kind: "end" });
});
