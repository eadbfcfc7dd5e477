import {
  assertEquals,
  assertGreater,
  assertMatch,
  assertNotEquals,
  assertRejects,
} from "@std/assert";
import {
  type Client,
  connect,
  type EncoderChoice,
  type LogLevel,
  RequestError,
  serve,
} from "../../mod.ts";
import { makeCertificate } from "../support/programs/certificates.ts";
import { linuxTest, tlsTest } from "../support/test_if.ts";
import { freePort, mediaChildren } from "../support/programs/machine.ts";
import { mediaFolder, pictures } from "../support/media/media_folder.ts";
import { watchAll } from "../support/peers/module_client.ts";

const media = mediaFolder();

/** A video of ten seconds of 64 × 48. */
function clip(): Promise<string> {
  return media.make("clip.mkv", [...pictures({ seconds: 10 }), "-c:v", "ffv1"]);
}

async function firstTime(client: Client, name: string): Promise<number | undefined> {
  await using watch = client.watch(name);
  return (await watch.next()).value?.time;
}

Deno.test("serve() serves a folder on any free port, twice in one process", async () => {
  await clip();
  await using first = await serve({ media: media.path });
  await using second = await serve();
  assertNotEquals(first.address.port, second.address.port);
  assertEquals(await firstTime(connect(first.address), "clip.mkv"), 0);
  assertEquals(await connect(second.address).list(), []);
  const missing = await assertRejects(
    () => firstTime(connect(second.address), "clip.mkv"),
    RequestError,
  );
  assertEquals(missing.code, "not_found");
});

linuxTest("a server that is disposed leaves no port and no child process", async () => {
  await clip();
  const server = await serve({ media: media.path, live: { cam: "lavfi:testsrc=size=64x48" } });
  await using file = connect(server.address).watch("clip.mkv");
  await using live = connect(server.address).watch("cam");
  await Promise.all([file.next(), live.next()]);
  await Promise.all([server[Symbol.asyncDispose](), server[Symbol.asyncDispose]()]);
  await server[Symbol.asyncDispose]();
  await server.finished;
  assertEquals(await mediaChildren(), []);
  const { host: hostname, port } = server.address;
  using _free = Deno.listen({ hostname, port });
});

Deno.test("serve() serves live sources, and logs to the logger", async () => {
  const lines: [LogLevel, string][] = [];
  const logger = { log: (level: LogLevel, message: string) => void lines.push([level, message]) };
  const live = { cam: "lavfi:testsrc=size=64x48:rate=50" };
  await using server = await serve({ live, liveLinger: 0, logger });
  const frames = await watchAll(connect(server.address).watch("cam", { pixelFormat: "gray" }), 2);
  assertEquals(frames.map(({ size }) => size), [64 * 48, 64 * 48]);
  assertEquals(lines.some(([level, line]) => level === "info" && /^ffmpeg /i.test(line)), true);
});

Deno.test("serve() serves on if the logger throws", async () => {
  let calls = 0;
  const log = () => {
    calls++;
    throw new Error("the log is full");
  };
  await using server = await serve({ logger: { log } });
  const started = calls;
  assertEquals(await connect(server.address).list(), []);
  assertGreater(calls, started);
});

Deno.test("drain() lets a response finish, and takes no more clients", async () => {
  await clip();
  await using server = await serve({ media: media.path });
  const client = connect(server.address);
  await using watch = client.watch("clip.mkv", { duration: 0.2, speed: 0 });
  await watch.next();
  const drained = server.drain({ grace: 60 });
  await assertRejects(() => client.list());
  assertEquals((await watchAll(watch)).length, 4);
  await drained;
});

Deno.test("drain() cuts what takes longer than the grace period", async () => {
  await using server = await serve({ live: { cam: "lavfi:testsrc=size=64x48:rate=50" } });
  await using watch = connect({ ...server.address, retries: 0 }).watch("cam");
  await watch.next();
  await server.drain({ grace: 0 });
  await assertRejects(() => watchAll(watch), Error, "the server was shut down");
});

Deno.test("serve() takes publishers as the options say", async () => {
  const options = { publish: "token", publishToken: "for-cameras" } as const;
  await using server = await serve(options);
  const video = { width: 2, height: 2, pixelFormat: "gray" };
  const stranger = () => connect(server.address).publish("cam", { video });
  assertEquals((await assertRejects(stranger, RequestError)).code, "unauthorized");
  const camera = connect({ ...server.address, token: "for-cameras" });
  await using _publisher = await camera.publish("cam", { video });
  const [entry] = await connect(server.address).list();
  assertEquals([entry.name, entry.published], ["cam", true]);
  await using closed = await serve({ publish: "none" });
  const refused = () => connect(closed.address).publish("cam", { video });
  const { message } = await assertRejects(refused, RequestError);
  assertMatch(
    message,
    /: this server takes nothing, start it with publish local or publish token;/,
  );
});

Deno.test("serve() refuses wrong options in one line", async () => {
  await using taken = await serve();
  const missing = media.pathOf("missing");
  const wrong: [options: Parameters<typeof serve>[0], message: string][] = [
    [{ port: 70_000 }, "Cannot use port 70000: expected an integer from 0 to 65535"],
    [{ maxClients: 0 }, "Cannot use maxClients 0: expected an integer from 1 to 100000"],
    [{ liveLinger: -1 }, "Cannot use liveLinger -1: expected a number from 0 to 86400"],
    [{ startCacheSize: -1 }, "Cannot use startCacheSize -1: expected a number from 0 to"],
    [{ http: { host: "::1", port: 65_536 } }, "Cannot use http.port 65536: expected an integer"],
    [{ metrics: { host: "::1", port: -1 } }, "Cannot use metrics.port -1: expected an integer"],
    [{ image: "none.png" }, 'Cannot find "none.png": no such media'],
    [{ token: "" }, "Cannot use the option token: it is empty, expected the token"],
    [{ encoder: "x" as EncoderChoice }, 'Cannot use encoder "x": expected one of auto, libx264,'],
    [{ publish: "token" }, 'Cannot use publish "token" alone: expected publishToken with it'],
    [{ publishToken: "x" }, "Cannot use publishToken alone: expected publish"],
    [{ live: { "a=b": "x" } }, 'Cannot serve live source "a=b": expected a name without ='],
    [
      { live: { cam: "" } },
      'Cannot use the option live "cam: ": the input is empty, expected { NAME: "[FORMAT:]INPUT" }',
    ],
    [
      { live: { cam: "stream://" } },
      'the option live "cam: stream://": that is no address of a server, expected { NAME: "stream:',
    ],
    [{ live: { cam: "nonsense:/dev/null" } }, 'FFmpeg knows no format "nonsense"'],
    [
      { media: missing },
      `Cannot serve "${missing}": no such folder, name one with the option media`,
    ],
    [{ port: taken.address.port }, "the port is taken, choose another with the option port"],
  ];
  for (const [options, message] of wrong) {
    const { message: found } = await assertRejects(() => serve(options), Error);
    assertEquals(found.includes(message), true, found);
    assertEquals(/\n| --\w/.test(found), false, found);
  }
});

Deno.test("serve() serves the page, and says by its option if its port is taken", async () => {
  const http = { host: "127.0.0.1", port: 0 };
  await using server = await serve({ http });
  const response = await fetch(`${server.page}api/list`);
  assertEquals((await response.json()).entries, []);
  const port = Number(new URL(server.page ?? "").port);
  const taken = { ...http, port };
  await assertRejects(() => serve({ http: taken }), Error, "choose another with the option http");
  await using other = await serve();
  assertEquals(other.page, undefined);
});

Deno.test("serve() serves metrics, and says by its option if their port is taken", async () => {
  const metrics = { host: "127.0.0.1", port: freePort() };
  await using _server = await serve({ metrics });
  const response = await fetch(`http://127.0.0.1:${metrics.port}/readyz`);
  await response.body?.cancel();
  assertEquals(response.status, 200);
  await assertRejects(() => serve({ metrics }), Error, "choose another with the option metrics");
});

Deno.test("the warnings of serve() name its options", async () => {
  const warnings: string[] = [];
  const logger = {
    log: (level: LogLevel, message: string) => void (level === "warn" && warnings.push(message)),
  };
  await using _server = await serve({ host: "0.0.0.0", logger });
  const line = warnings.find((warning) => warning.startsWith("Anybody who reaches 0.0.0.0"));
  assertMatch(line ?? "", /no token and no TLS; see the option token, the option tls$/);
});

tlsTest("serve() trusts servers of streams:// inputs by the authority in liveCaCert", async () => {
  const { cert, key } = await makeCertificate(media.path, "hub");
  const hub = await serve({ tls: { cert, key }, live: { cam: "lavfi:testsrc=size=64x48" } });
  await using _hub = hub;
  const live = { cam: `streams://localhost:${hub.address.port}/cam` };
  await using trusting = await serve({ live, liveCaCert: cert });
  await using watch = connect(trusting.address).watch("cam");
  assertEquals((await watch.next()).value?.stream.type, "video");
  await using strange = await serve({ live });
  await assertRejects(
    () => connect(strange.address).watch("cam").next(),
    RequestError,
    "expected the option liveCaCert",
  );
  const missing = media.pathOf("missing.pem");
  await assertRejects(() => serve({ live, liveCaCert: missing }), Error, "missing.pem");
});

tlsTest("reload() reads the certificate again", async () => {
  const { cert, key, fingerprint } = await makeCertificate(media.path, "own");
  await using server = await serve({ tls: { cert, key } });
  assertEquals(server.fingerprint, fingerprint);
  const renewed = await makeCertificate(media.path, "own");
  await server.reload();
  assertEquals(server.fingerprint, renewed.fingerprint);
  const client = connect({ ...server.address, tlsFingerprint: renewed.fingerprint });
  assertEquals(await client.list(), []);
});
