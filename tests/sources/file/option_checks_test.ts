import { assertEquals, assertThrows } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { type Encoding, ENCODINGS } from "../../../lib/media/frame.ts";
import {
  type MediaOptions,
  refuseContradictions,
  refuseCopiedStill,
} from "../../../lib/sources/file/plan.ts";
import { pureTest } from "../../support/pure_test.ts";

const WISHES: MediaOptions = {
  pixelFormat: "bgr24",
  width: 32,
  height: 24,
  fps: 10,
  bitrate: 100_000,
  quality: 50,
};

/** Wishes that each encoding takes; all others are refused. */
const TAKEN: Record<Encoding, readonly (keyof MediaOptions)[]> = {
  raw: ["pixelFormat", "width", "height", "fps"],
  copy: [],
  h264: ["width", "height", "fps", "bitrate"],
  mjpeg: ["width", "height", "fps", "quality"],
};

for (const encoding of ENCODINGS) {
  for (const [field, value] of Object.entries(WISHES)) {
    const isTaken = TAKEN[encoding].includes(field as keyof MediaOptions);
    pureTest(
      `refuseContradictions() ${isTaken ? "takes" : "refuses"} ${encoding} with ${field}`,
      () => {
        const check = () => refuseContradictions({ encoding, [field]: value });
        if (isTaken) return check();
        const error = assertThrows(check, RequestError, `Cannot send ${encoding} with a `);
        assertEquals(error.code, "bad_request");
        assertEquals(
          /, ask for (raw|h264|mjpeg)( or \w+)*$/.test(error.message),
          true,
          error.message,
        );
      },
    );
  }
}

pureTest("refuseContradictions() takes raw for what says nothing", () => {
  refuseContradictions({ pixelFormat: "bgr24" });
  assertThrows(() => refuseContradictions({ quality: 5 }), RequestError, "ask for mjpeg");
});

pureTest("refuseCopiedStill() refuses a copied still of a video, and nothing else", () => {
  const video = { name: "a.mp4", info: { kind: "video" } };
  const image = { name: "a.png", info: { kind: "image" } };
  const still = { encoding: "copy", still: true } as const;
  const error = assertThrows(() => refuseCopiedStill(still, video), RequestError, `"a.mp4"`);
  assertEquals(error.code, "unsupported");
  refuseCopiedStill(still, image);
  refuseCopiedStill({ encoding: "copy" }, video);
  refuseCopiedStill({ encoding: "h264", still: true }, video);
});
