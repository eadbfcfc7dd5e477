/**
 * Many publishers in one process: `publishers.ts OPTIONS`, with options as JSON. Prints `joined` when
 * all may publish, and sends raw frames with a mark until stdin closes.
 */
import { print } from "../lib/base/log.ts";
import { FRAME_HEADROOM, FRAME_TAILROOM } from "../lib/media/frame.ts";
import { connect } from "../lib/net/connection.ts";
import { Connection } from "../lib/protocol/native/connection.ts";
import { encodeJson } from "../lib/protocol/native/json.ts";
import { encodeRequest } from "../lib/protocol/native/request.ts";
import { MARK_LENGTH, wallClock } from "./camera.ts";

/** Options of the publishers. */
export interface PublishersOptions {
  port: number;
  /** A publisher for each name. */
  names: readonly string[];
  /** Pixels. */
  width: number;
  /** Pixels. */
  height: number;
  /** Frames per second. */
  rate: number;
}

/** Publishes frames of 4:2:0 with a mark, each when it is due. */
async function publish(
  name: string,
  { port, width, height, rate }: PublishersOptions,
  joined: () => void,
): Promise<void> {
  using server = await connect({ host: "127.0.0.1", port }, new AbortController().signal);
  const messages = new Connection(server.reader, server.writer);
  await messages.send("request", encodeRequest({ command: "publish", name }));
  const accepted = Promise.withResolvers<void>();
  const answering = (async () => {
    while (true) {
      const message = await messages.receive();
      if (message === undefined || message.kind === "error") {
        throw new Error(`Cannot publish ${name}: the server refuses it, or has ended`);
      }
      if (message.kind === "accept") accepted.resolve();
      if (message.kind !== "ping") continue;
      const timestamp = Math.round(wallClock() * 1000);
      await messages.send("pong", message.payload, { timestamp });
    }
  })();
  await Promise.race([accepted.promise, answering]);
  await messages.send(
    "describe",
    encodeJson({
      version: 1,
      streams: [{
        ...{ id: 0, type: "video", codec: "rawvideo", pixelFormat: "yuv420p" },
        ...{ timeBase: [1, 1_000_000], width, height },
      }],
    }),
  );
  joined();
  const size = width * height * 3 / 2;
  const memory = new Uint8Array(FRAME_HEADROOM + size + FRAME_TAILROOM).fill(128);
  const data = memory.subarray(FRAME_HEADROOM, FRAME_HEADROOM + size);
  const mark = new DataView(data.buffer, FRAME_HEADROOM, MARK_LENGTH);
  // Not all at once.
  const began = performance.now() + Math.random() * 1000 / rate;
  const sending = (async () => {
    for (let number = 0;; number++) {
      const wait = began + number * 1000 / rate - performance.now();
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, wait)));
      const captured = Math.round(wallClock() * 1000);
      mark.setFloat64(0, captured / 1000, true);
      mark.setFloat64(8, number, true);
      const timestamp = Math.round(number * 1e6 / rate);
      await messages.sendFrame({ streamId: 0, timestamp, keyframe: true, captured, data });
    }
  })();
  await Promise.race([sending, answering]);
}

async function main(options: PublishersOptions): Promise<void> {
  let left = options.names.length;
  const publishing = options.names.map((name) =>
    publish(name, options, () => {
      if (--left === 0) print(Deno.stdout, "joined\n");
    })
  );
  const over = new Response(Deno.stdin.readable).arrayBuffer();
  await Promise.race([over, ...publishing]);
}

if (import.meta.main) {
  await main(JSON.parse(Deno.args[0]));
  // The publishers are still running.
  Deno.exit();
}
