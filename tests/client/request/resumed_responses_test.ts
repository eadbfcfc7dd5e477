/** Responses of a real server over a network that stalls and cuts: with TLS, and after a seek. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { connect } from "../../../lib/net/connection.ts";
import { requestMedia } from "../../../lib/protocol/native/client.ts";
import type { ResponsePart } from "../../../lib/protocol/media_response.ts";
import { ReconnectingResponse } from "../../../lib/client/request/request.ts";
import { Secret } from "../../../lib/net/secret.ts";
import { parseCue } from "../../../lib/media/subtitles.ts";
import type { MediaRequest } from "../../../lib/protocol/native/request.ts";
import { mediaFolder, pictures } from "../../support/media/media_folder.ts";
import { CuttingProxy, type Fate } from "../../support/peers/cutting_proxy.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { makeCertificate } from "../../support/programs/certificates.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";
import { HandClock } from "../../support/time/hand_clock.ts";
import { tlsTest } from "../../support/test_if.ts";

const media = mediaFolder();
const TWO = { seconds: 2 };
const NEVER = new AbortController().signal;

/** Bytes of a raw frame. */
const PICTURE = 64 * 48 * 3 / 2;

async function serve(options = {}) {
  await media.make("clip.mkv", [...pictures(TWO), "-pix_fmt", "yuv420p"]);
  return await testServer({ media: media.path, ...options });
}

/** Requests media through a proxy, and takes the whole response. */
async function view(
  { address: { hostname: host, port } }: Pick<CuttingProxy, "address">,
  request: Partial<MediaRequest>,
  { idle = 60_000, onPart }: {
    idle?: number;
    onPart?: (part: ResponsePart, response: ReconnectingResponse) => void;
  } = {},
) {
  const lines: string[] = [];
  using response = new ReconnectingResponse(
    { command: "get_video", name: "clip.mkv", speed: 0, ...request },
    {
      open: async (request, signal) => {
        const connection = await connect({ host, port }, signal, { connect: 60_000, idle });
        const dispose = () => connection[Symbol.dispose]();
        return { ...requestMedia(connection, request), [Symbol.dispose]: dispose };
      },
      ...{ limits: { first: 99, later: 99 }, seekable: true, signal: NEVER },
      notify: (line) => void lines.push(line),
      clock: new HandClock({ skips: true }),
    },
  );
  await response.connect();
  const timestamps: (number | string)[] = [];
  for await (const part of response) {
    if (part.kind === "frame") timestamps.push(part.frame.timestamp);
    if (part.kind === "control") timestamps.push(`to ${part.control.to}`);
    onPart?.(part, response);
  }
  return { timestamps, lines };
}

async function through(fates: readonly Fate[]) {
  const server = await serve();
  const stack = new AsyncDisposableStack();
  stack.use(server);
  const proxy = stack.use(new CuttingProxy(server, fates));
  return { proxy, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

Deno.test("a response resumes after the network stalls, or refuses connections", async () => {
  await using network = await through(["whole", { stallAfter: 20.5 * PICTURE }, "refused"]);
  const whole = await view(network.proxy, {});
  const cut = await view(network.proxy, {}, { idle: 4000 });
  assertEquals(cut.timestamps, whole.timestamps);
  assertEquals(whole.lines, []);
  assertMatch(
    cut.lines.join("\n"),
    /^Connection lost at 00:0\d\.\d: the server was silent for 4 s; /m,
  );
  // On a busy machine, the server itself may be silent for that long.
  assert(network.proxy.connections >= 4);
});

Deno.test("a response resumes at its position after a seek", async () => {
  await using network = await through([{ cutAfter: 30 * PICTURE }]);
  let sought = false;
  const { timestamps } = await view(network.proxy, { speed: 1 }, {
    onPart(part, response) {
      if (part.kind !== "frame" || sought) return;
      sought = true;
      response.control({ action: "seek", to: 0.5, id: 1 });
    },
  });
  assertEquals(network.proxy.connections, 2);
  const first = timestamps.indexOf("to 0.5");
  const again = timestamps.findIndex((each, index) => index > first && typeof each === "string");
  assert(first >= 0 && again > first, String(timestamps));
  const moments = timestamps.slice(again + 1);
  // The last frame is sent again. Frames are 40 ms apart.
  assertEquals(moments[0], timestamps[again - 1]);
  assertEquals(moments.at(-1), 1960);
  assertEquals(moments.length, (1960 - Number(moments[0])) / 40 + 1);
});

Deno.test("a response resumes with the texts that did not come, each of them once", async () => {
  const lines = ["00:00:00,200 one", "00:00:00,200 two", "00:00:00,900 three", "00:00:01,700 four"];
  const srt = lines.map((line, at) => `${at}\n${line.replace(" ", " --> 00:00:01,900\n")}\n\n`);
  const texts = await media.write("texts.srt", srt.join(""));
  await media.make("texts.mkv", [
    ...[...pictures(TWO), "-f", "srt", "-i", texts, "-pix_fmt", "yuv420p", "-c:s", "subrip"],
  ]);
  await using server = await serve();
  // In the description, between and inside of texts, later, and at the end.
  const early = Array.from({ length: 14 }, (_, at) => 300 + 70 * at);
  for (const cutAfter of [...early, 30 * PICTURE, 48 * PICTURE]) {
    await using proxy = new CuttingProxy(server, [{ cutAfter }]);
    const came: string[] = [];
    await view(proxy, { name: "texts.mkv", subtitles: true }, {
      onPart(part) {
        if (part.kind === "frame" && part.frame.streamId === 2) {
          came.push(parseCue(part.frame.data).text);
        }
      },
    });
    assertEquals([proxy.connections, came], [2, ["one", "two", "three", "four"]], `${cutAfter}`);
  }
});

tlsTest("a response resumes over TLS, with the token", async () => {
  const folder = await media.folder("keys");
  const certificate = await makeCertificate(folder, "own");
  const token = new Secret("sesame");
  await using server = await serve({ credentials: { certificate, token } });
  // The second is cut during the TLS handshake.
  const fates = [{ cutAfter: 20 * PICTURE }, { cutAfter: 100 }, { cutAfter: 20 * PICTURE }];
  await using proxy = new CuttingProxy(server, fates);
  const clock = new HandClock({ skips: true });
  const args = ["--video", "clip.mkv", "--view", "none", "--speed", "max", "--json"];
  const trust = ["--tls-fingerprint", certificate.fingerprint];
  const { status, stdout, stderr } = await runInside([...args, ...trust, ...at(proxy)], {
    environment: { clock, token: () => token },
  });
  assertEquals(status, 0, stderr);
  const { frames, reconnects } = JSON.parse(stdout);
  assertEquals([frames, reconnects, proxy.connections], [50, 2, 4]);
});
