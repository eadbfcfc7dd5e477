import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { SharedScript } from "../../../lib/client/script/shared_script.ts";
import type { OpenResponse, ResponsePart } from "../../../lib/protocol/media_response.ts";
import { copyFrame, type Description } from "../../../lib/media/frame.ts";
import { mediaFolder } from "../../support/media/media_folder.ts";
import { momentsOf } from "../../support/media/moments.ts";
import { framed, usualPictures } from "../../support/peers/script_sender.ts";
import { GREY, say } from "../../support/peers/scripted_server.ts";
import { testPage } from "../../support/screens/page.ts";

const media = mediaFolder();
const usual = usualPictures(media);

const { signal: never } = new AbortController();

/** A script whose parts a test gives one by one. */
class HandScript {
  #parts: ResponsePart[] = [];
  #news = Promise.withResolvers<void>();
  #failure: Error | undefined;

  /** Gives a part, and waits until it was taken. */
  async give(part: ResponsePart): Promise<void> {
    this.#parts.push(part);
    this.#news.resolve();
    while (this.#parts.length > 0) await Promise.resolve();
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  }

  fail(error: Error): void {
    this.#failure = error;
    this.#news.resolve();
  }

  /** As the response of a connection. */
  get response(): OpenResponse {
    return { [Symbol.asyncIterator]: () => this.#run(), [Symbol.dispose]: () => {} };
  }

  async *#run(): AsyncGenerator<ResponsePart> {
    while (true) {
      const part = this.#parts.shift();
      if (part !== undefined) {
        yield part;
        if (part.kind === "end") return;
      } else if (this.#failure !== undefined) {
        throw this.#failure;
      } else {
        this.#news = Promise.withResolvers();
        await this.#news.promise;
      }
    }
  }
}

function describe(width = 16): ResponsePart {
  const description: Description = {
    name: "video",
    live: true,
    streams: [{ ...GREY, width }],
    data: [{ id: 2, type: "data", codec: "json", timeBase: [1, 25] }],
  };
  return { kind: "describe", description };
}

function frame(timestamp: number, streamId = 0): ResponsePart {
  const data = new Uint8Array(4).fill(timestamp);
  return { kind: "frame", frame: { streamId, timestamp, keyframe: true, data }, dropped: false };
}

const END: ResponsePart = {
  kind: "end",
  end: { frames: 0, audioFrames: 0, bytes: 0, dropped: 0, reason: "end" },
};

/** Names of the parts of a response. */
async function partsOf(response: OpenResponse): Promise<string[]> {
  const parts: string[] = [];
  for await (const part of response) {
    if (part.kind === "describe") {
      const { live, streams: [stream] } = part.description;
      parts.push(`${live ? "live" : "still"} ${stream.type === "video" ? stream.width : 0}`);
    } else if (part.kind === "frame") {
      const { streamId, timestamp } = copyFrame(part.frame);
      parts.push(`${streamId}:${timestamp}`);
    } else if (part.kind === "end") {
      parts.push(`end ${part.end.frames}`);
    }
  }
  return parts;
}

/** Opens scripts in turn, and then none. */
function inTurn(scripts: readonly HandScript[]) {
  let next = 0;
  return async (signal: AbortSignal): Promise<OpenResponse> => {
    const script = scripts[next++];
    if (script !== undefined) return script.response;
    const gone = Promise.withResolvers<never>();
    signal.addEventListener("abort", () => gone.reject(signal.reason), { once: true });
    signal.throwIfAborted();
    return await gone.promise;
  };
}

const VIDEO = { command: "get_video" } as const;

Deno.test("SharedScript gives each viewer the frames from its arrival to the end", async () => {
  const script = new HandScript();
  await using shared = new SharedScript({ open: inTurn([script]), notify: () => {} });
  const early = partsOf(shared.watch(VIDEO, never));
  await script.give(describe());
  await script.give(frame(1));
  const late = partsOf(shared.watch(VIDEO, never));
  const image = partsOf(shared.watch({ command: "get_image" }, never));
  await script.give(frame(2, 2));
  await script.give(frame(2));
  await script.give(describe(32));
  await script.give(frame(3));
  await script.give(END);
  assertEquals(await early, ["live 16", "0:1", "2:2", "0:2", "live 32", "0:3", "end 3"]);
  assertEquals(await late, ["live 16", "2:2", "0:2", "live 32", "0:3", "end 2"]);
  assertEquals(await image, ["still 16", "0:2", "end 1"]);
});

Deno.test("SharedScript tells viewers of a failure, and goes on with the next script", async () => {
  const scripts = [new HandScript(), new HandScript()];
  const lines: string[] = [];
  const notify = (line: string) => void lines.push(line);
  await using shared = new SharedScript({ open: inTurn(scripts), notify });
  const cut = partsOf(shared.watch(VIDEO, never));
  await scripts[0].give(describe());
  scripts[0].fail(new Error("it broke"));
  await assertRejects(() => cut, Error, "it broke");
  assertEquals(lines, ["it broke"]);
  const next = partsOf(shared.watch(VIDEO, never));
  await scripts[1].give(describe());
  await scripts[1].give(frame(7));
  await scripts[1].give(END);
  assertEquals(await next, ["live 16", "0:7", "end 1"]);
});

Deno.test("SharedScript keeps who waits when a script ends without a frame", async () => {
  const scripts = [new HandScript(), new HandScript()];
  await using shared = new SharedScript({ open: inTurn(scripts), notify: () => {} });
  const parts = partsOf(shared.watch(VIDEO, never));
  scripts[0].fail(new Error("no script"));
  await scripts[1].give(describe());
  await scripts[1].give(END);
  assertEquals(await parts, ["live 16", "end 0"]);
});

Deno.test("SharedScript lets viewers leave", async () => {
  const script = new HandScript();
  await using shared = new SharedScript({ open: inTurn([script]), notify: () => {} });
  const left = shared.watch(VIDEO, never);
  const parts = left[Symbol.asyncIterator]();
  await script.give(describe());
  assertEquals((await parts.next()).value?.kind, "describe");
  left[Symbol.dispose]();
  await assertRejects(() => parts.next());
  await script.give(frame(1));
  await script.give(END);
});

Deno.test("the page shows a script that connects, beside a recording", async () => {
  const { jpeg } = await usual();
  const path = media.pathOf("beside.mkv");
  const flags = ["--listen", "0", "--ack", "ok", "--output", path];
  await using page = await testPage(undefined, flags);
  const [, port] = await page.until(/^Waiting for a camera on 127\.0\.0\.1:(\d+)/m);
  const list = await (await page.fetch("/api/list")).json();
  assertEquals([list.server, list.classic], [`127.0.0.1:${port}`, true]);
  using camera = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
  let isSeen = false;
  const seen = Promise.all([
    page.fetch("/api/play?name=video&can=h264"),
    page.fetch("/api/image?name=image"),
  ]).finally(() => isSeen = true);
  let sent = 0;
  while (!isSeen) {
    await say(camera, framed("u64le", jpeg[sent++ % jpeg.length]));
    await camera.read(new Uint8Array(2));
  }
  camera.close();
  const [play, image] = await seen;
  assertEquals([play.status, play.headers.get("X-Live")], [200, "1"]);
  assert((await play.bytes()).byteLength > 1000);
  assertEquals(image.status, 200);
  await image.bytes();
  await page.until(/Received \d+ frames/);
  assert(sent > 1 && (await momentsOf(path)).length > 1);
  const { stderr } = await page.end();
  assertMatch(stderr, /Received \d+ frames in .*; wrote "/);
});
