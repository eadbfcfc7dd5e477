import { assert, assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/base/errors.ts";
import type { ClientFlags } from "../../lib/client/flags.ts";
import { parseClientFlags } from "../../lib/client/options.ts";
import { parseWord } from "../../lib/client/words.ts";
import { pureTest } from "../support/pure_test.ts";

function parse(line: string) {
  return parseClientFlags(line.split(" "));
}

const SERVER = { isEncrypted: false, port: undefined };

/** Words, and what they name. */
const WORDS: Record<string, ReturnType<typeof parseWord>> = {
  "clip.mp4": { name: "clip.mp4" },
  "trips/sea.mkv": { name: "trips/sea.mkv" },
  "./clip.mp4": { name: "./clip.mp4" },
  "robot:9000": { server: { ...SERVER, host: "robot", port: 9000 }, name: undefined },
  "robot:9000/": { server: { ...SERVER, host: "robot", port: 9000 }, name: undefined },
  "robot:9000/a/100%.mp4": { server: { ...SERVER, host: "robot", port: 9000 }, name: "a/100%.mp4" },
  "[::1]:9000/cam": { server: { ...SERVER, host: "::1", port: 9000 }, name: "cam" },
  "[::1]": { server: { ...SERVER, host: "::1" }, name: undefined },
  "localhost": { server: { ...SERVER, host: "localhost" }, name: undefined },
  "localhost/cam": { server: { ...SERVER, host: "localhost" }, name: "cam" },
  "10.0.0.5": { server: { ...SERVER, host: "10.0.0.5" }, name: undefined },
  "lab.lan/trips/sea.mkv": { server: { ...SERVER, host: "lab.lan" }, name: "trips/sea.mkv" },
  "stream://robot": { server: { ...SERVER, host: "robot" }, name: undefined },
  "stream://robot/my%20cam": { server: { ...SERVER, host: "robot" }, name: "my cam" },
  "streams://robot:9000/cam": {
    ...{ server: { host: "robot", port: 9000, isEncrypted: true }, name: "cam" },
  },
};

for (const [word, found] of Object.entries(WORDS)) {
  pureTest(`parseWord() recognises "${word}"`, () => assertEquals(parseWord(word), found));
}

/** Command lines and values of their flags. */
const VALUES: Record<string, Partial<ClientFlags>> = {
  "--list --host robot:9000": { host: "robot", port: 9000, tls: false },
  "--list --host [::1]:9000": { host: "::1", port: 9000 },
  "--list --host ::1": { host: "::1", port: 7777 },
  "--list --host streams://robot --port 9000": { host: "robot", port: 9000, tls: true },
  "--list robot:9000": { host: "robot", port: 9000, image: undefined, video: undefined },
  "stream://robot": { host: "robot", port: 7777, tls: false },
  "streams://robot/cam --tls-fingerprint FINGERPRINT": { host: "robot", tls: true },
  "stream://robot/cam --port 9000": { host: "robot", port: 9000 },
  "--classic robot:8485": { host: "robot", port: 8485, classic: true },
  "--publish cam --input x robot:9000": { host: "robot", port: 9000, publish: "cam" },
};

for (const [line, values] of Object.entries(VALUES)) {
  pureTest(`parseClientFlags() finds the server in "${line}"`, () => {
    const action = parse(line.replace("FINGERPRINT", `sha256:${"0f".repeat(32)}`));
    assert("flags" in action);
    for (const [name, value] of Object.entries(values)) {
      assertEquals(action.flags[name as keyof ClientFlags], value, name);
    }
  });
}

pureTest("parseClientFlags() takes the name behind an address for an image or a video", () => {
  for (
    const [line, command, name] of [
      ["--video --view none robot:9000/cam", "get_video", "cam"],
      ["--image stream://robot/my%20cam", "get_image", "my cam"],
      ["cam --video", "get_video", "cam"],
    ]
  ) {
    const action = parse(line);
    assert(action.kind === "media", line);
    assertEquals([action.request.command, action.request.name], [command, name]);
  }
});

pureTest("parseClientFlags() leaves the kind of media open that only a name is given of", () => {
  for (
    const [line, name, host] of [
      ["clip.mp4", "clip.mp4", "localhost"],
      ["trips/sea.mkv", "trips/sea.mkv", "localhost"],
      ["robot:9000/trips/sea.mkv", "trips/sea.mkv", "robot"],
      ["stream://robot/trips/sea.mkv --output x.png", "trips/sea.mkv", "robot"],
    ]
  ) {
    const action = parse(line);
    assert(action.kind === "named", line);
    assertEquals([action.name, action.flags.host], [name, host]);
  }
});

/** Wrong command lines and their error messages. */
const WRONG: Record<string, string> = {
  "--video --host robot:9000 --port 8000":
    'Cannot use --port with "robot:9000": each names the port',
  "--host http://robot:8080 --list":
    'Cannot use "http://robot:8080": stream-client speaks no HTTP, expected stream://robot, with ' +
    "the port of the server behind the host if that is not 7777",
  "--host stream://robot/cam --video":
    'Cannot use --host "stream://robot/cam": it names media as well, expected the address without ' +
    "--host in front",
  "http://robot/clip.mp4":
    'Cannot use "http://robot/clip.mp4": stream-client speaks no HTTP, expected ' +
    "stream://robot/clip.mp4, with the port of the server behind the host if that is not 7777",
  "https://me:word@robot/clip.mp4":
    'Cannot use "https://me:***@robot/clip.mp4": stream-client speaks no HTTP, expected ' +
    "streams://robot/clip.mp4, with the port of the server behind the host if that is not 7777",
  "rtsp://door/1": 'Cannot use "rtsp://door/1": that is no address of a stream-server, expected ' +
    "stream://HOST[:PORT]/NAME, or streams:// for TLS; a server reads rtsp:// by its flag --live",
  "stream://robot:99999/cam":
    'Cannot use "stream://robot:99999/cam": that is no address of a server, expected ' +
    "stream://HOST[:PORT]/NAME, or streams:// for TLS",
  "robot:0/cam": 'Cannot use "robot:0/cam": that is no address of a server, expected ' +
    "stream://HOST[:PORT]/NAME, or streams:// for TLS",
  "robot:9000/cam --host hub": 'Cannot use --host with "robot:9000/cam": each names an address',
  "robot:9000 --port 9000": 'Cannot use --port with "robot:9000": each names the port',
  "robot:9000 --listen 8485": 'Cannot use --listen with "robot:9000": each names an address',
  "robot:9000 hub:9000": 'Cannot use "robot:9000" with "hub:9000": each names a server',
  "a.mp4 b.mp4": 'Cannot use "a.mp4" with "b.mp4": each names media',
  "a.mp4 --video b.mp4": 'Cannot use "a.mp4" with --video b.mp4: each names media',
  "a.mp4 --list": 'Cannot use "a.mp4" with --list: expected only an address without a flag there',
  "a.mp4 --publish cam --input x":
    'Cannot use "a.mp4" with --publish: expected only an address without a flag there',
  "a.mp4 --classic": 'Cannot ask a script for "a.mp4": with --classic it chooses itself',
};

for (const [line, message] of Object.entries(WRONG)) {
  pureTest(`parseClientFlags() refuses the words of "${line}"`, () => {
    assertEquals(assertThrows(() => parse(line), UsageError).message, message);
  });
}
