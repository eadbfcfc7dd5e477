/** `--listen`: scripts that connect and push. */
import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { DeadlineError } from "../../../lib/base/errors.ts";
import { ScriptListener } from "../../../lib/client/script/listener.ts";
import { openScript } from "../../../lib/client/request/script.ts";
import { concat, latin1 } from "../../support/media/bytes.ts";
import { mediaFolder } from "../../support/media/media_folder.ts";
import { momentsOf } from "../../support/media/moments.ts";
import { framed, pickledBytes, push, usualPictures } from "../../support/peers/script_sender.ts";
import { say, untilGone } from "../../support/peers/scripted_server.ts";
import { ListeningClient } from "../../support/programs/listening_client.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

const media = mediaFolder();
const usual = usualPictures(media);

const LOOPBACK = { hostname: "127.0.0.1", port: 0 };

/** The usual pictures as JPEGs behind 8-byte lengths. */
async function messages(): Promise<Uint8Array<ArrayBuffer>[]> {
  const { jpeg } = await usual();
  return jpeg.map((each) => framed("u64le", each));
}

/** Reads so many bytes. */
async function hear(peer: Deno.TcpConn, count: number): Promise<string> {
  const bytes = new Uint8Array(count);
  for (let have = 0; have < count;) {
    const read = await peer.read(bytes.subarray(have));
    assert(read !== null, "closed");
    have += read;
  }
  return new TextDecoder().decode(bytes);
}

const WATCH = ["--listen", "0", "--view", "none"];

Deno.test("stream-client --listen says where it waits, and takes one camera to its end", async () => {
  await using client = await ListeningClient.start(WATCH);
  const { port } = client.address;
  await push(client.address, ...await messages());
  const { status, stdout, stderr } = await client.outcome;
  assertEquals([status, stdout], [0, ""], stderr);
  assertEquals(
    stderr.replace(/in .*/, "…"),
    [
      `Waiting for a camera on 127.0.0.1:${port}; for scripts on other machines use --listen ` +
      `0.0.0.0:${port}`,
      "Received 4 frames …",
      "",
    ].join("\n"),
  );
});

Deno.test("stream-client --listen on all addresses has no hint", async () => {
  await using client = await ListeningClient.start(["--listen", "0.0.0.0:0", "--view", "none"]);
  const [line] = await client.until(/^Waiting.*$/m);
  assertEquals(line, `Waiting for a camera on 0.0.0.0:${client.address.port}`);
});

Deno.test("stream-client --listen fails if the camera closes inside a frame", async () => {
  const [first, second] = await messages();
  const path = media.pathOf("cut.mkv");
  await using client = await ListeningClient.start(["--listen", "0", "--output", path]);
  await push(client.address, first, second.subarray(0, 100));
  const { status, stderr } = await client.outcome;
  assertEquals(status, 1);
  assertMatch(
    stderr,
    /\nCannot finish "video" after 1 frame \(00:00\.0\): the connection was cut inside a frame, after 92 of \d+ bytes; what arrived is in/,
  );
});

Deno.test("stream-client --listen --retries goes on with the camera that comes back", async () => {
  const [first, second, third] = await messages();
  const path = media.pathOf("back.mkv");
  const clock = new HandClock();
  const args = ["--listen", "0", "--retries", "1", "--ack", "ok", "--json", "--output", path];
  await using client = await ListeningClient.start(args, { environment: { clock } });
  using before = await Deno.connect(client.address);
  await say(before, first);
  await hear(before, 2);
  await say(before, second.subarray(0, 50));
  before.close();
  await client.until(/Connection lost at 00:00\.0.*; waiting for it to come back \(1 of 1\)\n/);
  clock.pass(3000);
  using after = await Deno.connect(client.address);
  await say(after, second);
  await hear(after, 2);
  clock.pass(200);
  await say(after, third);
  await hear(after, 2);
  after.close();
  const { status, stdout, stderr } = await client.outcome;
  assertEquals(status, 0, stderr);
  const { frames, reconnects } = JSON.parse(stdout);
  assertEquals([frames, reconnects], [3, 1]);
  assertMatch(stderr, /Connected again, going on with the newest: 3\.0 s are missing\n/);
  assertEquals(await momentsOf(path), [0, 3, 3.2]);
});

Deno.test("stream-client --listen --retries waits on when another program connects", async () => {
  const [first, second] = await messages();
  const args = [...WATCH, "--retries", "2", "--json"];
  await using client = await ListeningClient.start(args);
  await push(client.address, latin1("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  await client.until(/HTTP.*; waiting for it to come back \(1 of 2\)\n/);
  await push(client.address, first, second.subarray(0, 100));
  await client.until(/Connection lost.*; waiting for it to come back \(1 of 2\)\n/);
  await push(client.address, latin1("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  await client.until(/HTTP.*; waiting for it to come back \(2 of 2\)\n/);
  await push(client.address, second);
  const { status, stdout, stderr } = await client.outcome;
  assertEquals(status, 0, stderr);
  assertEquals(JSON.parse(stdout).frames, 2);
});

Deno.test("stream-client --listen takes one camera at a time, and says so now and then", async () => {
  const [first, second] = await messages();
  const clock = new HandClock();
  const args = [...WATCH, "--ack", "ok"];
  await using client = await ListeningClient.start(args, { environment: { clock } });
  using camera = await Deno.connect(client.address);
  await say(camera, first);
  await hear(camera, 2);
  for (let count = 0; count < 3; count++) {
    using other = await Deno.connect(client.address);
    await untilGone(other);
  }
  clock.pass(5000);
  using last = await Deno.connect(client.address);
  await untilGone(last);
  await say(camera, second);
  camera.close();
  const { status, stderr } = await client.outcome;
  assertEquals(status, 0, stderr);
  assertEquals(stderr.match(/Closed 127\.0\.0\.1:\d+: another script is sending\n/g)?.length, 2);
  assertMatch(stderr, /Received 2 frames/);
});

Deno.test("stream-client --listen counts seconds from the camera's connection on", async () => {
  const [first, second] = await messages();
  const clock = new HandClock();
  const args = [...WATCH, "--ack", "ok", "--json"];
  await using client = await ListeningClient.start(args, { environment: { clock } });
  clock.pass(7000);
  using camera = await Deno.connect(client.address);
  await say(camera, first);
  await hear(camera, 2);
  clock.pass(500);
  await say(camera, second);
  camera.close();
  const { status, stdout, stderr } = await client.outcome;
  assertEquals(status, 0, stderr);
  const { seconds, fps } = JSON.parse(stdout);
  assertEquals([seconds, fps], [0.5, 4]);
});

Deno.test("stream-client --listen waits on when what connects sends nothing", async () => {
  await using client = await ListeningClient.start(WATCH);
  await push(client.address);
  await client.until(/127\.0\.0\.1:\d+ has left without sending anything\n/);
  await push(client.address, ...await messages());
  const { status, stderr } = await client.outcome;
  assertEquals(status, 0, stderr);
});

Deno.test("stream-client --listen sends the request first, and a word after each frame", async () => {
  const [first, second] = await messages();
  const args = [...WATCH, "--request", "go", "--ack"];
  await using client = await ListeningClient.start(args);
  using camera = await Deno.connect(client.address);
  assertEquals(await hear(camera, 2), "go");
  await say(camera, first);
  assertEquals(await hear(camera, 2), "go");
  await say(camera, second);
  assertEquals(await hear(camera, 2), "go");
  camera.close();
  assertEquals((await client.outcome).status, 0);
});

Deno.test("stream-client --listen sends nothing by itself to a camera that goes on", async () => {
  const [first, second] = await messages();
  await using client = await ListeningClient.start(WATCH);
  using camera = await Deno.connect(client.address);
  await say(camera, first, second);
  await camera.closeWrite();
  assertEquals(await camera.read(new Uint8Array(1)), null);
  assertEquals((await client.outcome).status, 0);
});

Deno.test("stream-client --listen says in one line what a foreign peer sends", async () => {
  await using client = await ListeningClient.start(WATCH);
  await push(client.address, latin1("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  const { status, stderr } = await client.outcome;
  assertEquals(status, 1);
  assertMatch(stderr, /\nCannot get anything from what connected: [^\n]*HTTP[^\n]*\n$/);
});

/** The pickle of `{"image": jpeg, "seen": 1}`. */
function pickledValues(jpeg: Uint8Array): Uint8Array {
  const size = new Uint8Array(new Uint32Array([jpeg.byteLength]).buffer);
  return concat("\x80\x03}(X\x05\0\0\0imageB", size, jpeg, "X\x04\0\0\0seenK\x01u.");
}

Deno.test("stream-client --data waits for the values of a script that begins without", async () => {
  const { jpeg: [picture] } = await usual();
  await using client = await ListeningClient.start(["--listen", "0", "--data", "-"]);
  const payloads = [pickledBytes(picture), pickledValues(picture)];
  await push(client.address, ...payloads.map((payload) => framed("u64le", payload)));
  const { status, stdout, stderr } = await client.outcome;
  assertEquals(status, 0, stderr);
  assertEquals(JSON.parse(stdout).value, { seen: 1 });
});

Deno.test("stream-client --framing says what helps when the script sends another one", async () => {
  await using client = await ListeningClient.start([...WATCH, "--framing", "u64le+pickle"]);
  await push(client.address, ...await messages());
  const { status, stderr } = await client.outcome;
  assertEquals(status, 1);
  assertMatch(
    stderr,
    /\nCannot get anything [^\n]*; leave out --framing, and what the script sends is recognised\n$/,
  );
});

Deno.test("stream-client --listen ends while it waits", async () => {
  await using client = await ListeningClient.start(WATCH);
  client.stop();
  // What the signal throws has no line of its own.
  const { stderr } = await client.outcome;
  assert(!/Cannot/.test(stderr), stderr);
});

Deno.test("stream-client --listen --image takes the first picture as it is", async () => {
  const { jpeg } = await usual();
  const path = media.pathOf("first.jpg");
  await using client = await ListeningClient.start(["--listen", "0", "--image", "--output", path]);
  await push(client.address, ...await messages());
  const { status, stderr } = await client.outcome;
  assertEquals(status, 0, stderr);
  assertEquals(await Deno.readFile(path), jpeg[0]);
});

Deno.test("ScriptListener says why an address cannot be used", async () => {
  const options = { flag: "listen", notify: () => {} };
  await using listener = new ScriptListener({ ...options, address: LOOPBACK });
  const { hostname, port } = listener.address;
  assertThrows(
    () => new ScriptListener({ ...options, address: { hostname, port } }),
    Error,
    `Cannot wait for a script on 127.0.0.1:${port}: another program listens there, expected ` +
      "another address or port in --listen",
  );
});

Deno.test("ScriptListener may be disposed twice, and closes who has not been taken", async () => {
  const listener = new ScriptListener({ address: LOOPBACK, flag: "listen", notify: () => {} });
  const { hostname, port } = listener.address;
  using camera = await Deno.connect({ hostname, port });
  await listener[Symbol.asyncDispose]();
  await listener[Symbol.asyncDispose]();
  await untilGone(camera);
});

Deno.test("a script that connects and sends nothing is closed, and another one is taken", async () => {
  const lines: string[] = [];
  const notify = (line: string) => void lines.push(line);
  await using listener = new ScriptListener({
    ...{ address: LOOPBACK, flag: "listen", notify, idle: 2000 },
  });
  const { hostname, port } = listener.address;
  const { signal } = new AbortController();
  const [message] = await messages();
  using silent = await Deno.connect({ hostname, port });
  const next = listener.next(signal);
  await untilGone(silent);
  using camera = await Deno.connect({ hostname, port });
  await say(camera, message);
  using connection = await next;
  assertEquals(connection.peer.port, (camera.localAddr as Deno.NetAddr).port);
  assertMatch(lines[1], /^127\.0\.0\.1:\d+ is closed: it has sent nothing$/);
});

Deno.test("a silent script is cut by the idle timeout", async () => {
  const options = { address: LOOPBACK, flag: "listen", notify: () => {}, idle: 2000 };
  await using listener = new ScriptListener(options);
  const { hostname, port } = listener.address;
  const { signal } = new AbortController();
  const [first, second] = await messages();
  using camera = await Deno.connect({ hostname, port });
  await say(camera, first, second.subarray(0, 40));
  using connection = await listener.next(signal);
  const target = { host: hostname, port, accept: () => Promise.resolve(connection) };
  using response = await openScript({ command: "get_video" }, target, { signal });
  await assertRejects(
    () => Array.fromAsync(response),
    DeadlineError,
    "the script was silent for 2 s",
  );
});

Deno.test("a script that drips is cut when its frame takes too long", async () => {
  const options = { address: LOOPBACK, flag: "listen", notify: () => {} };
  await using listener = new ScriptListener(options);
  const { hostname, port } = listener.address;
  const { signal } = new AbortController();
  using camera = await Deno.connect({ hostname, port });
  const [first] = await messages();
  await say(camera, first.subarray(0, 40));
  const target = { host: hostname, port, accept: (signal: AbortSignal) => listener.next(signal) };
  const limits = { signal, frameTimeout: 100 };
  using response = await openScript({ command: "get_video" }, target, limits);
  await assertRejects(
    () => Array.fromAsync(response),
    DeadlineError,
    "no whole frame came for 0.1 s",
  );
  await untilGone(camera);
});
