import { assertEquals } from "@std/assert";
import {
  encodePart,
  MULTIPART_BEGIN,
  MULTIPART_TYPE,
} from "../../../lib/web/addresses/multipart.ts";
import { pureTest } from "../../support/pure_test.ts";

pureTest("encodePart() has a boundary before and behind each picture", () => {
  const jpeg = new TextEncoder().encode("JPEG");
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assertEquals(MULTIPART_TYPE, "multipart/x-mixed-replace; boundary=frame");
  assertEquals(text(MULTIPART_BEGIN), "--frame\r\n");
  assertEquals(
    text(encodePart(jpeg)),
    "Content-Type: image/jpeg\r\nContent-Length: 4\r\n\r\nJPEG\r\n--frame\r\n",
  );
  assertEquals(
    text(encodePart(jpeg, 1.5)),
    "Content-Type: image/jpeg\r\nContent-Length: 4\r\nX-Timestamp: 1.500000\r\n\r\n" +
      "JPEG\r\n--frame\r\n",
  );
});
