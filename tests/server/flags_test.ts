import { assertEquals, assertMatch, assertStrictEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/base/errors.ts";
import { parseServerFlags, SERVER_FLAGS, toServerOptions } from "../../lib/server/flags.ts";
import { wrongForms } from "../support/programs/flag_forms.ts";
import { pureTest } from "../support/pure_test.ts";

/** Server options of a command line. */
function optionsOf(...args: string[]) {
  const action = parseServerFlags(args);
  if (action.kind !== "serve") throw new Error("Cannot serve: a text was asked for");
  return toServerOptions(action.flags, undefined);
}

pureTest("toServerOptions() takes the size of the start-up cache in megabytes", () => {
  assertStrictEquals(optionsOf().startCacheSize, 128e6);
  assertStrictEquals(optionsOf("--cache", "0").startCacheSize, 0);
  assertStrictEquals(optionsOf("--cache", "1.5").startCacheSize, 1_500_000);
  assertThrows(() => optionsOf("--cache=-1"), UsageError, "--cache");
});

pureTest("parseServerFlags() refuses every flag in every wrong form", () => {
  for (const args of wrongForms(SERVER_FLAGS)) {
    const what = JSON.stringify(args);
    const { message } = assertThrows(() => parseServerFlags(args), UsageError, undefined, what);
    assertMatch(message, /^Cannot use [^\n]+$/, what);
  }
});

pureTest("parseServerFlags() does not mistake the opposite of a flag for the flag", () => {
  assertThrows(
    () => parseServerFlags(["--no-media=/x"]),
    UsageError,
    'Cannot use "--no-media=/x": no such flag, did you mean --media?',
  );
  assertThrows(
    () => parseServerFlags(["--no-loop-live="]),
    UsageError,
    'Cannot use "--no-loop-live=": no such flag, leave out --loop-live instead',
  );
  assertThrows(
    () => parseServerFlags(["--no-live=cam=lavfi:testsrc"]),
    UsageError,
    'Cannot use "--no-live=cam=lavfi:testsrc": no such flag',
  );
});

pureTest("parseServerFlags() takes flags about other servers only with sources of them", () => {
  const [plain, encrypted] = ["--live=a=stream://h/a", "--live=a=streams://h/a"];
  for (const source of [plain, encrypted]) {
    const { credentials } = optionsOf(source, "--live-token-file", "t");
    assertStrictEquals(credentials?.relayTokenFile, "t");
  }
  const { credentials } = optionsOf(encrypted, "--live-ca-cert", "c");
  assertStrictEquals(credentials?.relayAuthorityFile, "c");
  const wrong = [
    ["--live-token-file=t"],
    ["--live=a=rtsp://h/a", "--live-token-file=t"],
    [plain, "--live-ca-cert=c"],
  ];
  for (const args of wrong) {
    assertThrows(() => parseServerFlags(args), UsageError, "expected --live NAME=stream");
  }
});

pureTest("toServerOptions() takes who may publish, and the token for it", () => {
  const plain = optionsOf();
  assertStrictEquals(plain.publish, "local");
  assertStrictEquals(plain.maxPublishers, 64);
  const token = optionsOf("--publish", "token", "--publish-token-file", "t", "--max-publishers=3");
  assertStrictEquals(token.credentials?.publishTokenFile, "t");
  assertStrictEquals(token.maxPublishers, 3);
  for (const args of [["--publish", "token"], ["--publish-token-file", "t"], ["--publish=all"]]) {
    assertThrows(() => parseServerFlags(args), UsageError, "--publish");
  }
});

pureTest(
  "toServerOptions() takes what is sent to scripts, and the words that they may send",
  () => {
    const { scripts, requestWords } = optionsOf(
      ...["--script", "8486=cam", "--script==b.mp4,u32be+jpeg,push:robot:8485"],
      ...["--classic-request", "ok", "--classic-request=send frame"],
    );
    assertEquals(scripts?.map(({ name, port }) => [name, port]), [["cam", 8486], [
      "b.mp4",
      undefined,
    ]]);
    assertEquals(requestWords, ["ok", "send frame"]);
    assertEquals([optionsOf().scripts, optionsOf().requestWords], [[], []]);
  },
);

pureTest(
  "parseServerFlags() refuses two scripts at one port, and framings that there are not",
  () => {
    const refused: [args: string[], reason: string][] = [
      [["--script", "1=a", "--script", "1=b"], 'port 1 is for "a"'],
      [["--port", "9000", "--script", "9000=a"], "port 9000 is for clients"],
      [["--script", "8486=a,u64+jpeg"], "expected one of i32le u64le u32be ascii16 line none"],
      [["--classic-request", "get_video"], "expected another word"],
    ];
    for (const [args, reason] of refused) {
      assertThrows(() => parseServerFlags(args), UsageError, reason);
    }
  },
);

pureTest("toServerOptions() takes an encoder and a method of decoding", () => {
  const { encoder, hwaccel } = optionsOf("--encoder", "h264_qsv", "--hwaccel=d3d11va");
  assertEquals([encoder, hwaccel], ["h264_qsv", "d3d11va"]);
  assertEquals([optionsOf().encoder, optionsOf().hwaccel], ["libx264", "none"]);
  assertThrows(
    () => parseServerFlags(["--encoder=hevc_qsv"]),
    UsageError,
    'Cannot use --encoder "hevc_qsv": expected auto, libx264, h264_vaapi, ',
  );
});
