import { assert, assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../lib/base/errors.ts";
import { clientUsage } from "../../../lib/client/flags.ts";
import { parseClientFlags } from "../../../lib/client/options.ts";
import {
  parseProbe,
  type ProbePeer,
  type ScriptSettings,
  toScriptSettings,
} from "../../../lib/client/script/plan.ts";
import { pureTest } from "../../support/pure_test.ts";

function parse(line: string) {
  return parseClientFlags(line.split(" "));
}

/** What a command line asks a script for. */
function askedBy(line: string): string {
  const action = parse(line);
  assert(action.kind !== "print");
  return action.kind === "media"
    ? `${action.request.command} ${action.flags.classic ? "script" : "server"}`
    : action.kind;
}

const ASKED: Record<string, string> = {
  "--classic": "menu",
  "--classic --image": "get_image script",
  "--framing u64le+jpeg": "get_video script",
  "--framing u64le+jpeg --image": "get_image script",
  "--framing u64le+jpeg --video": "get_video script",
  "--request go --host robot": "get_video script",
  "--ack": "get_video script",
  "--ack --video": "get_video script",
  "--listen 8485": "get_video script",
  "--listen 8485 --classic": "get_video script",
  "--listen 0.0.0.0:8485 --output x.mkv": "get_video script",
  "--listen 8485 --image --output x.png": "get_image script",
  "--listen 8485 --view browser": "get_video script",
  "--listen 8485 --retries 3 --json --view none": "get_video script",
  "--probe robot:8485": "probe",
  "--probe :8485 --json --request go": "probe",
  "--probe robot:8485 --tls": "probe",
  "--video": "get_video server",
};

for (const [line, asked] of Object.entries(ASKED)) {
  pureTest(
    `parseClientFlags() asks by "${line}" for: ${asked}`,
    () => assertEquals(askedBy(line), asked),
  );
}

const JPEG = { length: "u64le", payload: { kind: "jpeg" } } as const;

const SETTINGS: Record<string, ScriptSettings> = {
  "--classic": { format: undefined, request: undefined, ack: undefined },
  "--framing u64le+jpeg": { format: JPEG, request: undefined, ack: undefined },
  "--framing none+raw:640x480:bgr24": {
    format: {
      length: "none",
      payload: { kind: "raw", width: 640, height: 480, pixelFormat: "bgr24" },
    },
    request: undefined,
    ack: undefined,
  },
  "--request go": { format: undefined, request: "go", ack: undefined },
  "--request go --ack": { format: undefined, request: "go", ack: "go" },
  "--ack": { format: undefined, request: undefined, ack: "ack" },
  "--ack ok": { format: undefined, request: undefined, ack: "ok" },
  "--ack none": { format: undefined, request: undefined, ack: "none" },
};

for (const [line, settings] of Object.entries(SETTINGS)) {
  pureTest(`toScriptSettings() reads "${line}"`, () => {
    const action = parse(line);
    assert(action.kind !== "print" && action.kind !== "version");
    assertEquals(toScriptSettings(action.flags), settings);
  });
}

const PEERS: Record<string, ProbePeer> = {
  "robot:8485": { hostname: "robot", port: 8485, listens: false },
  "10.0.0.7:1": { hostname: "10.0.0.7", port: 1, listens: false },
  "[::1]:8485": { hostname: "::1", port: 8485, listens: false },
  ":8485": { hostname: "127.0.0.1", port: 8485, listens: true },
  ":0": { hostname: "127.0.0.1", port: 0, listens: true },
  "listen:0.0.0.0:8485": { hostname: "0.0.0.0", port: 8485, listens: true },
  "listen:8485": { hostname: "127.0.0.1", port: 8485, listens: true },
  "listen:[::]:8485": { hostname: "::", port: 8485, listens: true },
};

for (const [text, peer] of Object.entries(PEERS)) {
  pureTest(`parseProbe() reads "${text}"`, () => assertEquals(parseProbe(text), peer));
}

const BY_SCRIPT = "the script connects to this program, without encryption or a token";
const PROBED =
  "expected HOST:PORT of a script that listens, or :PORT, or listen:ADDRESS:PORT, for " +
  "one that connects";

/** Command lines that are refused, and how. */
const REFUSED: Record<string, string> = {
  "--listen 8485 --host robot": `Cannot use --host with --listen: ${BY_SCRIPT}`,
  "--listen 8485 --host localhost": `Cannot use --host with --listen: ${BY_SCRIPT}`,
  "--listen 8485 --port=7777": `Cannot use --port with --listen: ${BY_SCRIPT}`,
  "--listen 8485 --tls": `Cannot use --tls with --listen: ${BY_SCRIPT}`,
  "--listen 8485 --token-file t": `Cannot use --token-file with --listen: ${BY_SCRIPT}`,
  "--listen 8485 --list": "Cannot use --list with --listen: scripts cannot be asked for it",
  "--listen 8485 --publish cam --input x":
    "Cannot use --listen with --publish: the client either sends or receives",
  "--listen 8485 --start 2": "Cannot use --start with --listen: scripts cannot be asked for it",
  "--listen 8485 --video cam": 'Cannot ask a script for "cam": with --listen it chooses itself',
  "--listen robot:port":
    'Cannot use --listen "robot:port": expected a port from 0 to 65535, as in 8080, or an address ' +
    "and a port, as in 0.0.0.0:8080 or [::1]:8080",
  "--framing u64le+jpeg --size 64x":
    "Cannot use --size with --framing: scripts cannot be asked for it",
  "--framing u64le+jpeg --list": "Cannot use --list with --framing: scripts cannot be asked for it",
  "--framing jpeg":
    'Cannot use framing "jpeg": no length "jpeg", expected one of i32le u64le u32be ' +
    "ascii16 line none",
  "--request go --encoding h264":
    "Cannot use --encoding with --request: scripts cannot be asked for it",
  "--ack --list": "Cannot use --list with --ack: scripts cannot be asked for it",
  "--probe robot": `Cannot use --probe "robot": ${PROBED}`,
  "--probe robot:0": `Cannot use --probe "robot:0": ${PROBED}`,
  "--probe robot:65536": `Cannot use --probe "robot:65536": ${PROBED}`,
  "--probe robot:8485 --port 1": "Cannot use --port with --probe: it names the address itself",
  "--probe robot:8485 --video": "Cannot use --video with --probe: it only says what is sent",
  "--probe robot:8485 --listen 1": "Cannot use --listen with --probe: it only says what is sent",
  "--probe robot:8485 --output x": "Cannot use --output with --probe: it only says what is sent",
  "--probe :8485 --tls":
    "Cannot use --tls with --probe :8485: a script that connects does not encrypt",
  "--probe robot:8485 --publish cam --input x":
    "Cannot use --probe with --publish: the client either sends or receives",
};

for (const [line, message] of Object.entries(REFUSED)) {
  pureTest(`parseClientFlags() refuses "${line}"`, () => {
    assertEquals(assertThrows(() => parse(line), UsageError).message, message);
  });
}

pureTest("clientUsage() has a section for scripts", () => {
  const [, section = ""] = clientUsage().match(/^Scripts:\n((?: .*\n)+)/m) ?? [];
  const names = [...section.matchAll(/^ {2}--(\w+)/gm)].map(([, name]) => name);
  assertEquals(names, ["classic", "framing", "request", "ack", "listen", "probe"]);
});
