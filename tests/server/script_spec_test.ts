import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/base/errors.ts";
import { parseScriptFormat } from "../../lib/protocol/script/format.ts";
import { parseScriptOutput, refuseSamePorts } from "../../lib/server/script_spec.ts";
import { parseLiveSource } from "../../lib/sources/live/source_spec.ts";
import { pureTest } from "../support/pure_test.ts";

const PICKLES = parseScriptFormat("u64le+pickle");
const JPEGS = parseScriptFormat("u32be+jpeg");
const ROBOT = { hostname: "robot", port: 8485 };

pureTest("parseScriptOutput() reads a port, a name, a framing and a receiver", () => {
  const outputs: Record<string, ReturnType<typeof parseScriptOutput>> = {
    "8486=cam": { name: "cam", format: PICKLES, port: 8486, push: undefined },
    "0=cam": { name: "cam", format: PICKLES, port: 0, push: undefined },
    "8486=cam,u32be+jpeg": { name: "cam", format: JPEGS, port: 8486, push: undefined },
    "=cam,push:robot:8485": { name: "cam", format: PICKLES, port: undefined, push: ROBOT },
    "1=cam,u32be+jpeg,push:robot:8485": { name: "cam", format: JPEGS, port: 1, push: ROBOT },
    "1=cam,push:robot:8485,u32be+jpeg": { name: "cam", format: JPEGS, port: 1, push: ROBOT },
    "=cam,push:[::1]:9": {
      ...{ name: "cam", format: PICKLES, port: undefined },
      push: { hostname: "::1", port: 9 },
    },
    "1=a, b = c.mp4,u32be+jpeg": { name: "a, b = c.mp4", format: JPEGS, port: 1, push: undefined },
    "1=folder/cam.mp4,none+raw:640x480:rgb24": {
      ...{ name: "folder/cam.mp4", port: 1, push: undefined },
      format: parseScriptFormat("none+raw:640x480:rgb24"),
    },
  };
  for (const [text, output] of Object.entries(outputs)) {
    assertEquals(parseScriptOutput(text), output, text);
  }
});

pureTest("parseScriptOutput() refuses anything else, and says what is expected", () => {
  const refused: Record<string, string> = {
    "cam": "expected PORT=NAME[,FRAMING][,push:HOST:PORT], as in 8486=cam,u64le+jpeg",
    "8486": "expected PORT=NAME",
    "8486=": "expected PORT=NAME",
    "-1=cam": "expected PORT=NAME",
    "port=cam": "expected PORT=NAME",
    "65536=cam": "port 65536, expected 0 to 65535",
    "8486=,u32be+jpeg": "no name",
    "=cam": "no port and no push, expected a port in front",
    "=cam,u32be+jpeg": "no port and no push",
    "1=cam,u32be": 'Cannot use framing "u32be"',
    "1=cam,jpeg": "expected one of i32le u64le u32be ascii16 line none",
    "1=cam,u32be+png": "expected one of pickle jpeg",
    "1=cam,u32be+raw:0x480:bgr24": "expected raw:WIDTHxHEIGHT:FORMAT",
    "1=cam,u32be+raw:640x480:gbrpf32le": "gbrpf32le cannot be sent",
    "1=cam,line+jpeg": "expected line+base64",
    "1=cam,": 'Cannot use framing ""',
    "=cam,push:robot": 'no address in "push:robot", expected push:HOST:PORT',
    "=cam,push:robot:0": "expected push:HOST:PORT",
    "=cam,push:robot:65536": "expected push:HOST:PORT",
    "=cam,push::8485": "expected push:HOST:PORT",
    "=cam,push:a:1,push:b:1": 'Cannot use framing "push:a:1"',
  };
  for (const [text, reason] of Object.entries(refused)) {
    assertThrows(() => parseScriptOutput(text), UsageError, reason, text);
  }
});

pureTest("refuseSamePorts() refuses a port that is taken, but not a free one twice", () => {
  const outputs = (...texts: string[]) => texts.map(parseScriptOutput);
  refuseSamePorts(outputs("0=a", "0=b", "1=c", "2=d", "=e,push:h:1", "=f,push:h:1"), {
    mainPort: 7777,
  });
  refuseSamePorts(outputs("0=a"), { mainPort: 0 });
  assertThrows(
    () => refuseSamePorts(outputs("8486=a", "1=b", "8486=c"), { mainPort: 7777 }),
    UsageError,
    'Cannot use --script 8486=c: port 8486 is for "a", expected another one',
  );
  assertThrows(
    () => refuseSamePorts(outputs("7777=a"), { mainPort: 7777 }),
    UsageError,
    "port 7777 is for clients",
  );
});

pureTest("refuseSamePorts() compares the ports of sources that scripts push, too", () => {
  const refuse = (scripts: string[], ...sources: string[]) =>
    refuseSamePorts(scripts.map(parseScriptOutput), {
      mainPort: 7777,
      live: sources.map((source) => parseLiveSource(source)),
    });
  // A script that listens has its port on another machine, and UDP has ports of its own.
  refuse(["1=a"], "b=script::2", "c=script:h:1", "d=script::0", "e=script::0", "f=script+udp::1");
  assertThrows(
    () => refuse(["8485=a"], "cam=script::8485"),
    UsageError,
    'Cannot use --live cam=script::8485: port 8485 is for "a", expected another one',
  );
  assertThrows(() => refuse([], "a=script::1", "b=script::1"), UsageError, 'port 1 is for "a"');
  assertThrows(() => refuse([], "a=script::7777"), UsageError, "port 7777 is for clients");
});
