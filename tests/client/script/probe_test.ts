import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { MONOTONIC_CLOCK } from "../../../lib/base/clock.ts";
import { probePeer } from "../../../lib/client/script/probe.ts";
import { latin1 } from "../../support/media/bytes.ts";
import { mediaFolder, pictures } from "../../support/media/media_folder.ts";
import {
  EagerScript,
  framed,
  pickled,
  push,
  usualPictures,
} from "../../support/peers/script_sender.ts";
import {
  say,
  type Script,
  ScriptedServer,
  untilGone,
} from "../../support/peers/scripted_server.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { ListeningClient } from "../../support/programs/listening_client.ts";
import { runInside } from "../../support/programs/run_inside.ts";

const media = mediaFolder();
const usual = usualPictures(media);

/** Probes what listens at an address, and gives the lines that are printed. */
async function probed({ port }: Pick<Deno.NetAddr, "port">, ...flags: string[]) {
  const args = ["--probe", `127.0.0.1:${port}`, ...flags];
  const { status, stdout, stderr } = await runInside(args);
  assertEquals([status, stderr], [0, ""]);
  return stdout.replaceAll(String(port), "PORT").trimEnd().split("\n");
}

Deno.test("--probe tells a script that sends at once", async () => {
  const { jpeg } = await usual();
  await using script = new EagerScript((peer) =>
    say(peer, ...jpeg.map((each) => framed("u64le", each)))
  );
  const [direction, framing, picture, command, ...rest] = await probed(script.address);
  assertEquals(direction, "127.0.0.1:PORT sends as soon as one connects");
  assertEquals(framing, "8-byte length (little-endian), then a JPEG");
  assertMatch(picture, /^64x48, [\d.]+ frames a second \(4 in \d+\.\d s\)$/);
  const where = "--host 127.0.0.1 --port PORT";
  assertEquals(command, `Show it: stream-client ${where} --framing u64le+jpeg`);
  assertEquals(rest, []);
});

Deno.test("--probe tells a script that waits for a request, and which", async () => {
  const { bgr } = await usual();
  const asked: string[] = [];
  const script: Script = async (peer, { bytes }) => {
    asked.push(new TextDecoder().decode(bytes));
    await say(peer, ...bgr.map((each) => framed("u32be", pickled(each))));
  };
  await using server = new ScriptedServer(script);
  const [direction, framing, picture, command] = await probed(server.address);
  assertEquals(direction, "127.0.0.1:PORT waits for a request (get_video)");
  assertEquals(framing, "4-byte length (big-endian), then a pickle");
  assertMatch(picture, /^64x48 bgr24, /);
  assertMatch(command, / --framing u32be\+pickle --request get_video$/);
  const [other] = await probed(server.address, "--request", "START NOW");
  assertEquals(other, "127.0.0.1:PORT waits for a request (START NOW)");
  assertEquals(asked, ["get_video", "START NOW"]);
});

Deno.test("--probe tells a script that waits for a reply to each frame", async () => {
  const { bgr } = await usual();
  await using script = new EagerScript(async (peer) => {
    for (const each of [...bgr, ...bgr]) {
      await say(peer, framed("i32le", pickled(each)));
      await peer.read(new Uint8Array(100));
    }
  });
  const [direction, , picture, command] = await probed(script.address);
  assertEquals(
    direction,
    "127.0.0.1:PORT sends as soon as one connects, and waits for a reply to each frame (ack)",
  );
  // The first, after which it was found out, does not count.
  assertMatch(picture, /\(7 in \d+\.\d s\)$/);
  assertMatch(command, / --framing i32le\+pickle --ack ack$/);
});

Deno.test("--probe tells a script that sends one image and stays", async () => {
  const { jpeg } = await usual();
  await using script = new EagerScript(async (peer) => {
    await say(peer, framed("ascii16", jpeg[0]));
    await untilGone(peer);
  });
  const [, framing, picture] = await probed(script.address);
  assertEquals(framing, "16 digits (ASCII, padded by spaces), then a JPEG");
  assertEquals(picture, "64x48, 1 frame");
});

Deno.test("--probe :PORT tells a script that connects, as JSON too", async () => {
  const { jpeg } = await usual();
  await using client = await ListeningClient.start(["--probe", ":0", "--json"]);
  const { port } = client.address;
  await push(client.address, ...jpeg);
  const { status, stdout, stderr } = await client.outcome;
  assertEquals(status, 0, stderr);
  assertMatch(stderr, /other machines use --probe listen:0\.0\.0\.0:\d+\n$/);
  const { peer, fps, ...found } = JSON.parse(stdout);
  assertMatch(peer, /^127\.0\.0\.1:\d+$/);
  assertEquals(typeof fps, "number");
  assertEquals(found, {
    ...{ protocol: "script", connects: true, request: null, ack: null },
    ...{ framing: "none+jpeg", width: 64, height: 48, pixelFormat: null, data: false, frames: 4 },
    command: `stream-client --listen ${port} --framing none+jpeg`,
  });
});

const SERVED = [...pictures({ seconds: 0.4 }), "-c:v", "ffv1", "-pix_fmt", "bgr0"];

Deno.test("--probe tells stream-server, though it answers scripts as well", async () => {
  await media.make("served/a.mkv", SERVED);
  await using server = await testServer({ media: media.pathOf("served") });
  assertEquals(await probed(server.address), [
    "127.0.0.1:PORT is a stream-server",
    "The native protocol, with timestamps",
    "1 name in its list",
    "Show it: stream-client --host 127.0.0.1 --port PORT --list",
  ]);
});

Deno.test("--probe tells stream-server that has nothing for scripts", async () => {
  await using server = await testServer({ media: await media.folder("empty") });
  const [direction, , list] = await probed(server.address);
  assertEquals(direction, "127.0.0.1:PORT is a stream-server");
  assertEquals(list, "0 names in its list");
});

/** What others send at once, and what is said of it. */
const OTHERS: [string, string, RegExp][] = [
  ["SSH", "SSH-2.0-OpenSSH_9.2p1\r\n", /SSH/],
  ["a web server", "HTTP/1.1 400 Bad Request\r\n\r\n", /HTTP/],
  ["TLS", "\x15\x03\x03\0\x02\x02\x46", /TLS/],
  ["nothing", "", /the connection was closed without a frame/],
];

for (const [what, bytes, reason] of OTHERS) {
  Deno.test(`--probe says in one line that ${what} is no script`, async () => {
    await using peer = new EagerScript((peer) => say(peer, latin1(bytes)));
    const { status, stdout, stderr } = await runInside([
      "--probe",
      `127.0.0.1:${peer.address.port}`,
    ]);
    assertEquals([status, stdout], [1, ""]);
    assertMatch(stderr, /^Cannot probe 127\.0\.0\.1:\d+: [^\n]+\n$/);
    assertMatch(stderr, reason);
  });
}

Deno.test("--probe says where nothing listens", async () => {
  const { port } = await gone(new EagerScript(() => Promise.resolve()));
  const { status, stderr } = await runInside(["--probe", `127.0.0.1:${port}`]);
  assertEquals(status, 1);
  assertMatch(stderr, /^Cannot connect to 127\.0\.0\.1:\d+: nothing listens there, [^\n]+\n$/);
});

/** The address of a script that is gone. */
async function gone(script: EagerScript): Promise<Deno.NetAddr> {
  const { address } = script;
  await script[Symbol.asyncDispose]();
  return address;
}

Deno.test("probePeer() gives up on a silent peer", async () => {
  await using peer = new EagerScript((peer) => untilGone(peer));
  const { port } = peer.address;
  const { signal } = new AbortController();
  const options = { clock: MONOTONIC_CLOCK, signal, notify: () => {}, idle: 500 };
  await assertRejects(
    () => probePeer({ hostname: "127.0.0.1", port, listens: false }, options),
    Error,
    `Cannot probe 127.0.0.1:${port}: it sent nothing for 0.5 s, expected a script or stream-server`,
  );
});
