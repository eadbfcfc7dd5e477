/** Answers of a real server over a network that breaks off: what is silent, sealed, or sought in. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { connect } from "../../../lib/client/connection/connection.ts";
import { requestMedia } from "../../../lib/client/request/native.ts";
import type { ResponsePart } from "../../../lib/client/request/request.ts";
import { ResumingResponse } from "../../../lib/client/request/resuming.ts";
import { Secret } from "../../../lib/net/token.ts";
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

/** Bytes of a raw picture. */
const PICTURE = 64 * 48 * 3 / 2;

async function serve(options = {}) {
  await media.make("clip.mkv", [...pictures(TWO), "-pix_fmt", "yuv420p"]);
  return await testServer({ media: media.path, ...options });
}

/** Asks through a network, and takes an answer of a view; the server may be silent for so long. */
async function view(
  { address: { hostname: host, port } }: Pick<CuttingProxy, "address">,
  request: Partial<MediaRequest>,
  { silence = 5000, onPart }: {
    silence?: number;
    onPart?: (part: ResponsePart, response: ResumingResponse) => void;
  } = {},
) {
  const told: string[] = [];
  using response = new ResumingResponse(
    { command: "get_video", name: "clip.mkv", speed: 0, ...request },
    {
      ask: async (request, signal) => {
        const link = await connect({ host, port }, signal, { connect: 5000, silence });
        const dispose = () => link[Symbol.dispose]();
        return { response: requestMedia(link, request), [Symbol.dispose]: dispose };
      },
      ...{ limits: { first: 99, later: 99 }, seekable: true, signal: NEVER },
      tell: (line) => void told.push(line),
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
  return { timestamps, told };
}

async function through(fates: readonly Fate[]) {
  const server = await serve();
  const stack = new AsyncDisposableStack();
  stack.use(server);
  const proxy = stack.use(new CuttingProxy(server, fates));
  return { proxy, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

Deno.test("an answer goes on where the network lets nothing through any more, or nobody in", async () => {
  await using network = await through(["whole", { stallAfter: 20.5 * PICTURE }, "refused"]);
  const whole = await view(network.proxy, {});
  const cut = await view(network.proxy, {}, { silence: 1000 });
  assertEquals(cut.timestamps, whole.timestamps);
  assertEquals(whole.told, []);
  assertMatch(
    cut.told.join("\n"),
    /^Connection lost at 00:00\.8: the server was silent for 1 s; /m,
  );
  // On a busy machine, a server may be silent for so long by itself.
  assert(network.proxy.connections >= 4);
});

Deno.test("a view that was sought in goes on from where it was", async () => {
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
  // The picture that was shown last is shown again. A picture takes 40 ms.
  assertEquals(moments[0], timestamps[again - 1]);
  assertEquals(moments.at(-1), 1960);
  assertEquals(moments.length, (1960 - Number(moments[0])) / 40 + 1);
});

tlsTest("a recording goes on over TLS, with the token", async () => {
  const folder = await media.folder("keys");
  const certificate = await makeCertificate(folder, "own");
  const token = new Secret("sesame");
  await using server = await serve({ credentials: { certificate, token } });
  // The second breaks off while TLS is agreed on.
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
