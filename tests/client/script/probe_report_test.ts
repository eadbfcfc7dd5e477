import { assertEquals } from "@std/assert";
import { parseProbe } from "../../../lib/client/script/plan.ts";
import {
  findingObject,
  renderFinding,
  type ScriptFinding,
} from "../../../lib/client/script/probe_report.ts";
import { pureTest } from "../../support/pure_test.ts";

const FINDING: ScriptFinding = {
  kind: "script",
  peer: "robot:8485",
  format: { length: "u32be", payload: { kind: "pickle" } },
  width: 640,
  height: 480,
  pixelFormat: "bgr24",
  hasData: false,
  frames: 30,
  seconds: 1.45,
};

pureTest("renderFinding() says direction, framing, size and rate, and the command line", () => {
  assertEquals(
    renderFinding(FINDING, parseProbe("robot:8485")),
    "robot:8485 sends as soon as one connects\n" +
      "4-byte length (big-endian), then a pickle\n" +
      "640x480 bgr24, 20.0 frames a second (30 in 1.4 s)\n" +
      "Show it: stream-client --host robot --port 8485 --framing u32be+pickle\n",
  );
});

pureTest("renderFinding() says what a script that connects waits for", () => {
  const finding = {
    ...FINDING,
    ...{ peer: "10.0.0.9:50000", request: "it's", ack: "ok", hasData: true },
  };
  assertEquals(
    renderFinding(finding, parseProbe("listen:0.0.0.0:8485")),
    "10.0.0.9:50000 connects, and waits for a request (it's), and waits for a reply to each frame " +
      "(ok)\n" +
      "4-byte length (big-endian), then a pickle, with values beside it\n" +
      "640x480 bgr24, 20.0 frames a second (30 in 1.4 s)\n" +
      "Show it: stream-client --listen 0.0.0.0:8485 --framing u32be+pickle --request 'it'\\''s' " +
      "--ack ok\n",
  );
});

pureTest("renderFinding() has no rate of one frame", () => {
  const finding = { ...FINDING, frames: 1, seconds: 0, pixelFormat: undefined };
  const [, , picture] = renderFinding(finding, parseProbe(":8485")).split("\n");
  assertEquals(picture, "640x480, 1 frame");
  assertEquals(findingObject(finding, parseProbe(":8485")).fps, null);
});

pureTest("findingObject() has the fields for programs", () => {
  assertEquals(findingObject(FINDING, parseProbe("robot:8485")), {
    ...{ peer: "robot:8485", protocol: "script", connects: false, request: null, ack: null },
    ...{ framing: "u32be+pickle", width: 640, height: 480, pixelFormat: "bgr24", data: false },
    ...{ frames: 30, fps: 20 },
    command: "stream-client --host robot --port 8485 --framing u32be+pickle",
  });
  const native = { kind: "native", peer: "lab:7777", media: "2 names in its list" } as const;
  const encrypted = { ...parseProbe("lab:7777"), words: ["--ca-cert", "my own.pem"] };
  assertEquals(findingObject(native, encrypted), {
    ...{ peer: "lab:7777", protocol: "native", media: "2 names in its list" },
    command: "stream-client --host lab --port 7777 --ca-cert 'my own.pem' --list",
  });
});
