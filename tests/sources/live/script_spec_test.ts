import { assertEquals, assertFalse, assertMatch, assertThrows } from "@std/assert";
import { UsageError } from "../../../lib/base/errors.ts";
import { isScriptInput, type ScriptInput } from "../../../lib/sources/live/script_spec.ts";
import { isPushed, parseLiveSource } from "../../../lib/sources/live/source_spec.ts";
import { pureTest } from "../../support/pure_test.ts";

pureTest("parseLiveSource() reads scripts", () => {
  const jpeg = { length: "u64le", payload: { kind: "jpeg" } } as const;
  const raw = { kind: "raw", width: 640, height: 480, pixelFormat: "bgr24" } as const;
  const cases: [string, ScriptInput][] = [
    ["script:robot:8485", { transport: "tcp", host: "robot", port: 8485 }],
    ["script:10.0.0.5:1", { transport: "tcp", host: "10.0.0.5", port: 1 }],
    ["script:[fe80::1]:65535", { transport: "tcp", host: "fe80::1", port: 65_535 }],
    ["SCRIPT::8485", { transport: "tcp", port: 8485 }],
    ["script::0", { transport: "tcp", port: 0 }],
    ["script+udp::9999", { transport: "udp", port: 9999 }],
    ["script:robot:8485?framing=u64le+jpeg&request=get&ack=ok", {
      ...{ transport: "tcp", host: "robot", port: 8485 },
      ...{ format: jpeg, request: "get", ack: "ok" },
    }],
    ["script::8485?ack=none", { transport: "tcp", port: 8485, ack: "none" }],
    ["script::8485?framing=none+raw:640x480:bgr24", {
      ...{ transport: "tcp", port: 8485, format: { length: "none", payload: raw } },
    }],
    ["script:a:1?request=a+b%20=%26%0A", {
      ...{ transport: "tcp", host: "a", port: 1, request: "a+b =&\n" },
    }],
  ];
  for (const [input, script] of cases) {
    assertEquals(parseLiveSource(`cam=${input}`), { name: "cam", kind: "script", input, script });
  }
});

pureTest("parseLiveSource() refuses malformed scripts, in one line with the forms", () => {
  const cases: [string, RegExp][] = [
    ["script:", /that is no script and port/],
    ["script:8485", /that is no script and port/],
    ["script:robot", /that is no script and port/],
    ["script:robot:", /that is no script and port/],
    ["script://robot:8485", /that is no script and port/],
    ["script:::1:8485", /that is no script and port/],
    ["script:robot:8485/path", /that is no script and port/],
    ["script+tcp::8485", /that is no script and port/],
    ["script:robot:65536", /there is no port 65536/],
    ["script:robot:0", /a script has no port 0/],
    ["script:0.0.0.0:8485", /0\.0\.0\.0 is every address/],
    ["script:[::]:8485", /:: is every address/],
    ["script+udp:robot:9999", /needs no host/],
    ["script+udp::9999?ack=ok", /datagrams have no options/],
    ["script:robot:8485?", /there is no option ""/],
    ["script:robot:8485?speed=2", /there is no option "speed"/],
    ["script:robot:8485?Ack=ok", /there is no option "Ack"/],
    ["script:robot:8485?ack=ok&ack=ok", /ack stands there twice/],
    ["script:robot:8485?request=", /request is empty/],
    ["script:robot:8485?request", /request is empty/],
    ["script:robot:8485?request=%", /request has a % that begins no percent-encoding/],
    [`script:robot:8485?ack=${"a".repeat(257)}`, /ack has 257 characters, more than 256/],
  ];
  for (const [input, reason] of cases) {
    const { message } = assertThrows(() => parseLiveSource(`cam=${input}`), UsageError);
    assertMatch(message, reason);
    assertMatch(message, /^Cannot use --live "[^\n]*, expected NAME=script:HOST:PORT or [^\n]+$/);
  }
});

pureTest("parseLiveSource() refuses a framing that is none", () => {
  const parse = () => parseLiveSource("cam=script::8485?framing=u64+jpeg");
  const { message } = assertThrows(parse, UsageError);
  assertMatch(message, /^Cannot use framing "u64\+jpeg": no length "u64", expected one of i32le /);
});

pureTest("isPushed() selects scripts that connect to the server", () => {
  const inputs = ["script::8485", "script:robot:8485", "script+udp::9999", "udp://:9999"];
  const pushed = inputs.map((input) => isPushed(parseLiveSource(`cam=${input}`)));
  assertEquals(pushed, [true, false, false, false]);
});

pureTest("isScriptInput() leaves other inputs to FFmpeg", () => {
  for (const input of ["script.mkv", "v4l2:script:", "./script:a", "scripts:a"]) {
    assertFalse(isScriptInput(input), input);
  }
});
