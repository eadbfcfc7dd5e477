/** A script that reads slowly gets new frames of a live source: few wait in the system's buffers. */
import { assertLess } from "@std/assert";
import { parseScriptOutput } from "../../../lib/server/script_spec.ts";
import { relayOf, serverOf } from "../../support/peers/relays.ts";
import { rawStream, TestPublisher } from "../../support/peers/test_publisher.ts";
import { testIf } from "../../support/test_if.ts";

const SIZE = { width: 240, height: 180 };

/** Bytes of a frame of BGR: about 40 of them fit into the buffers of Linux. */
const FRAME = SIZE.width * SIZE.height * 3;

/** Milliseconds between two frames. */
const PERIOD = 10;

/** Frames that overflow the buffers, of systems with larger ones too, and those of a second pause. */
const [FULL, PAUSE] = [150, 70];

/** Publishes frames whose first bytes are their numbers, until it is disposed. */
class Numbers implements Disposable {
  sent = 0;
  #publisher: TestPublisher;
  #timer: ReturnType<typeof setInterval>;
  #news = Promise.withResolvers<void>();

  constructor(publisher: TestPublisher) {
    this.#publisher = publisher;
    this.#timer = setInterval(() => this.#send(), PERIOD);
  }

  /** Waits until as many more were sent. */
  async pass(count: number): Promise<void> {
    const goal = this.sent + count;
    while (this.sent < goal) await this.#news.promise;
  }

  #send(): void {
    const data = new Uint8Array(FRAME);
    new DataView(data.buffer).setUint32(0, this.sent);
    this.#publisher.send({ data, timestamp: PERIOD * this.sent++ });
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** Reads a frame without a length, and gives its number. */
async function readNumber(script: Deno.TcpConn): Promise<number> {
  const data = new Uint8Array(FRAME);
  for (let have = 0; have < FRAME;) {
    const read = await script.read(data.subarray(have));
    if (read === null) throw new Error("Cannot read a frame: the server has closed");
    have += read;
  }
  return new DataView(data.buffer).getUint32(0);
}

const linux = testIf(Deno.build.os === "linux", "only Linux has a table of sockets");

linux("a slow script gets few frames that are from before it reads again", async () => {
  const { width, height } = SIZE;
  const framing = `none+raw:${width}x${height}:bgr24`;
  const scripts = [parseScriptOutput(`0=cam,${framing}`)];
  await using origin = await serverOf([]);
  await using server = await relayOf(origin, { scripts });
  const [, port] = server.lines.join("").match(/Scripts get ".*" at 127\.0\.0\.1:(\d+)/) ?? [];
  using publisher = await TestPublisher.begin(origin.address.port, { name: "cam" });
  await publisher.describe(rawStream(width, height, "bgr24"));
  using numbers = new Numbers(publisher);
  using script = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
  await readNumber(script);
  // A write of the server has to wait.
  await numbers.pass(FULL);
  const paused = numbers.sent;
  while (await readNumber(script) < paused);
  await numbers.pass(PAUSE);
  const goesOn = numbers.sent;
  let old = 0;
  while (await readNumber(script) < goesOn) old++;
  assertLess(old, 20);
});
