import { assert, assertEquals, assertFalse, assertMatch, assertThrows } from "@std/assert";
import { UsageError } from "../../../lib/base/errors.ts";
import {
  isExclusive,
  parseLiveSource,
  refuseSameNames,
  type Upstream,
} from "../../../lib/sources/live/source_spec.ts";
import { pureTest } from "../../support/pure_test.ts";

/** The parsed part behind the name. */
function parsed(text: string): unknown[] {
  const { kind, format, input } = parseLiveSource(`name=${text}`);
  return [kind, format, input];
}

pureTest("parseLiveSource() separates format and input", () => {
  assertEquals(parsed("v4l2:/dev/video0"), ["device", "v4l2", "/dev/video0"]);
  assertEquals(parsed("x11grab::0"), ["device", "x11grab", ":0"]);
  assertEquals(parsed("lavfi:testsrc2=size=640x360:rate=30[out0];sine=f=440[out1]"), [
    ...["generator", "lavfi", "testsrc2=size=640x360:rate=30[out0];sine=f=440[out1]"],
  ]);
  assertEquals(parsed("mpegts:udp://239.0.0.1:5000?fifo_size=1000"), [
    ...["network", "mpegts", "udp://239.0.0.1:5000?fifo_size=1000"],
  ]);
  assertEquals(parsed("mjpeg:/tmp/a:b"), ["file", "mjpeg", "/tmp/a:b"]);
});

pureTest("parseLiveSource() takes addresses and paths without a format", () => {
  for (const scheme of ["rtsp", "rtsps", "http", "https", "srt", "udp", "tcp", "rtmp"]) {
    const url = `${scheme}://user:word@host:1/path?a=b`;
    assertEquals(parsed(url), ["network", undefined, url]);
  }
  for (const path of ["/tmp/growing.ts", "folder/it's 5:30.ts", "../a.mkv", "Film.mp4"]) {
    assertEquals(parsed(path), ["file", undefined, path]);
  }
  assertEquals(parsed("file:odd:name.ts"), ["file", undefined, "odd:name.ts"]);
  assertEquals(parsed("file:///tmp/a.ts"), ["file", undefined, "file:///tmp/a.ts"]);
});

pureTest("parseLiveSource() ends the name at the first =", () => {
  assertEquals(parseLiveSource("front door=lavfi:testsrc=size=2x2").name, "front door");
  assertEquals(parseLiveSource(`${"n".repeat(1024)}=/a`).name.length, 1024);
  assertEquals(parseLiveSource(`${"n".repeat(1024)}=script:h:1`).name.length, 1024);
  assertEquals(parseLiveSource(`${"n".repeat(245)}=script::1`).name.length, 245);
});

pureTest("parseLiveSource() refuses malformed sources, in one line", () => {
  const cases: [string, RegExp][] = [
    ["camera", /there is no =/],
    ["=v4l2:/dev/video0", /the name is empty/],
    ["cam=", /the input is empty/],
    ["cam=v4l2:", /the input is empty/],
    ["a\nb=/dev/video0", /control character/],
    ["a\0b=/dev/video0", /control character/],
    ["cam=/dev/\0", /NUL/],
    [`${"n".repeat(1025)}=/a`, /1025 characters, more than 1024/],
    [`${"n".repeat(246)}=script::1`, /246 characters, more than 245/],
  ];
  for (const [text, reason] of cases) {
    const { message } = assertThrows(() => parseLiveSource(text), UsageError);
    assert(reason.test(message), message);
    assert(message.includes("expected NAME=[FORMAT:]INPUT"), message);
    assertFalse(message.includes("\n"), message);
  }
});

pureTest("parseLiveSource() reads sources of other servers", () => {
  const upstreamOf = (input: string) => {
    const { kind, upstream } = parseLiveSource(`name=${input}`);
    return [kind, upstream];
  };
  const cases: [string, Upstream][] = [
    ["stream://host/cam", { host: "host", port: 7777, name: "cam", isEncrypted: false }],
    ["streams://a.b-c:9/x", { host: "a.b-c", port: 9, name: "x", isEncrypted: true }],
    ["STREAM://[::1]:65535/a/b", { host: "::1", port: 65535, name: "a/b", isEncrypted: false }],
    ["stream://[fe80::1]", { host: "fe80::1", port: 7777, name: undefined, isEncrypted: false }],
    ["stream://1.2.3.4/", { host: "1.2.3.4", port: 7777, name: undefined, isEncrypted: false }],
    ["stream://h/%C3%A4%20%3F%2F=1", { host: "h", port: 7777, name: "ä ?/=1", isEncrypted: false }],
  ];
  for (const [input, upstream] of cases) {
    assertEquals(upstreamOf(input), ["relay", upstream], input);
  }
});

pureTest("parseLiveSource() refuses what is no address of a server, in one line", () => {
  const addresses = [
    ...["stream://", "stream:///cam", "stream://h:0/cam", "stream://h:65536/cam", "stream://h:x"],
    ...["stream://h/a?b", "stream://h/a#b", "stream://h/%", "stream://h/%ff", "stream://h/%00"],
    ...["stream://me:word@h/cam", "stream://[h]/cam", "stream://a b/cam", "stream://::1/cam"],
    ...[`stream://h/${"n".repeat(1025)}`],
  ];
  for (const address of addresses) {
    const { message } = assertThrows(() => parseLiveSource(`cam=${address}`), UsageError);
    assertMatch(
      message,
      /^Cannot use --live [^\n]+ expected NAME=stream:\/\/HOST\[:PORT\]\/NAME, or/,
    );
    assertFalse(message.includes("word"), message);
  }
  const formatted = "cam=h264:stream://h/cam";
  assertThrows(() => parseLiveSource(formatted), UsageError, "another server needs no format");
});

pureTest("parseLiveSource() does not repeat a password", () => {
  const { message } = assertThrows(() => parseLiveSource("=rtsp://me:word@host/"), UsageError);
  assertFalse(message.includes("word"), message);
});

pureTest("isExclusive() selects inputs that can be opened only once", () => {
  const once = ["v4l2:/dev/video0", "x11grab::0", "udp://:5000", "mpegts:UDP://h:1", "rtp://h:1"];
  once.push("srt://:5000?mode=listener&latency=9", "tcp://:5000?listen", "http://:80?a=b&listen=1");
  const often = ["lavfi:testsrc", "rtsp://h/a", "http://h/a", "srt://h:1", "/a.ts", "/udp:/a"];
  often.push("srt://h:1?mode=caller", "tcp://h:1?listen=0", "http://h/listen", "/a?listen");
  const told = (input: string) => isExclusive(parseLiveSource(`cam=${input}`));
  assertEquals([once.map(told), often.map(told)], [once.map(() => true), often.map(() => false)]);
});

pureTest("refuseSameNames() refuses a name that is given twice", () => {
  const [a, b] = [parseLiveSource("a=/x"), parseLiveSource("b=/x")];
  refuseSameNames([a, b]);
  assertThrows(() => refuseSameNames([a, b, a]), UsageError, `"a=…" twice`);
});
