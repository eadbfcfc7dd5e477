/** Plays of the page whose source changes its streams. */
import { assert, assertEquals } from "@std/assert";
import { Camera } from "../support/peers/camera.ts";
import { LiveServer } from "../support/peers/changing_source.ts";
import { rawStream, type TestPublisher } from "../support/peers/test_publisher.ts";
import { testPage } from "../support/screens/page.ts";

/** A play of `cam` over a WebSocket, which takes everything. */
class Play implements Disposable {
  readonly closed: Promise<CloseEvent>;
  #socket: WebSocket;
  #messages: { kind: string; [field: string]: unknown }[] = [];
  #news = Promise.withResolvers<void>();

  constructor(host: string) {
    this.#socket = new WebSocket(`ws://${host}/api/play?name=cam&can=h264`);
    this.#socket.binaryType = "arraybuffer";
    let taken = 0;
    this.#socket.addEventListener("message", ({ data }) => {
      if (typeof data === "string") {
        this.#messages.push(JSON.parse(data));
        this.#news.resolve();
        this.#news = Promise.withResolvers();
      } else {
        taken += data.byteLength;
        this.#socket.send(`${taken}`);
      }
    });
    this.closed = new Promise((resolve) => this.#socket.addEventListener("close", resolve));
  }

  /** Waits for a message of a kind. */
  async until(kind: string) {
    while (true) {
      const found = this.#messages.find((message) => message.kind === kind);
      if (found !== undefined) return found;
      await this.#news.promise;
    }
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

async function film(publisher: TestPublisher, width: number, height: number): Promise<Camera> {
  await publisher.describe(rawStream(width, height));
  return new Camera(publisher, () => ({ data: new Uint8Array(width * height).fill(width) }));
}

Deno.test("a play of the page ends when the streams change, and says that another gets them", async () => {
  await using source = await LiveServer.start();
  await using page = await testPage(source.server);
  using first = new Play(page.host);
  await using small = await film(source.publisher, 64, 48);
  assertEquals((await first.until("begin")).live, true);
  await small.stop();
  await using _large = await film(source.publisher, 128, 96);
  assertEquals((await first.until("end")).hasChanged, true);
  assertEquals((await first.closed).code, 1000);
  using second = new Play(page.host);
  await second.until("begin");
  assert((await second.until("stats")).frames !== undefined);
  await source.publisher.finish();
});
