import { assertEquals, assertRejects } from "@std/assert";
import { connect } from "../../../lib/client/client.ts";
import { NewestResponse } from "../../../lib/client/request/newest.ts";
import type { OpenResponse, ResponsePart } from "../../../lib/protocol/media_response.ts";
import { encodeMessage } from "../../../lib/protocol/native/framing.ts";
import { parseControl, parseRequest } from "../../../lib/protocol/native/request.ts";
import { encodeDescription } from "../../../lib/protocol/native/response.ts";
import {
  end,
  frame,
  GREY,
  heard,
  say,
  ScriptedServer,
} from "../../support/peers/scripted_server.ts";
import { pureTest } from "../../support/pure_test.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

/** A response whose parts a test gives one by one. */
class HandResponse implements OpenResponse {
  readonly recycled: number[] = [];
  isAbandoned = false;
  #parts = new TransformStream<ResponsePart, ResponsePart>();
  #writer = this.#parts.writable.getWriter();

  /** Gives a part; resolves when it is read. */
  async give(...parts: ResponsePart[]): Promise<void> {
    for (const part of parts) await this.#writer.write(part);
    // What was read is taken over at the end of the microtasks.
    await new Promise((resolve) => setTimeout(resolve));
  }

  async fail(error: Error): Promise<void> {
    await this.#writer.abort(error);
  }

  async finish(): Promise<void> {
    await this.#writer.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<ResponsePart> {
    return this.#parts.readable[Symbol.asyncIterator]();
  }

  recycle({ timestamp }: { timestamp: number }): void {
    this.recycled.push(timestamp);
  }

  abandon(): void {
    this.isAbandoned = true;
    // It may have ended.
    this.#writer.close().catch(() => {});
  }

  [Symbol.dispose](): void {
    this.abandon();
  }
}

function description(live = true): ResponsePart {
  return { kind: "describe", description: { name: "cam", live, streams: [GREY] } };
}

/** @param timestamp ticks of 40 ms */
function picture(timestamp: number, { keyframe = true } = {}): ResponsePart {
  const frame = { streamId: GREY.id, timestamp, keyframe, data: new Uint8Array(4) };
  return { kind: "frame", frame, dropped: false };
}

function ending(dropped: number): ResponsePart {
  const end = { frames: 0, audioFrames: 0, bytes: 0, dropped, reason: "end" };
  return { kind: "end", end };
}

/** Takes parts in a few words: frames as numbers, with `!` if frames were dropped before. */
function taker(response: NewestResponse): () => Promise<string> {
  const parts = response[Symbol.asyncIterator]();
  return async () => {
    const { done, value: part } = await parts.next();
    if (done) return "done";
    if (part.kind === "frame") return `${part.dropped ? "!" : ""}${part.frame.timestamp}`;
    if (part.kind === "notice") return `${part.notice.code} ${part.notice.dropped}`;
    return part.kind === "end" ? `end ${part.end.dropped}` : part.kind;
  };
}

Deno.test("NewestResponse gives a slow consumer of a live source the newest frame", async () => {
  const clock = new HandClock();
  const source = new HandResponse();
  const take = taker(new NewestResponse(source, { clock }));
  const giving = source.give(description(), picture(0));
  assertEquals([await take(), await take()], ["describe", "0"]);
  await giving;
  await source.give(picture(1), picture(2), picture(3), picture(4));
  assertEquals([await take(), await take()], ["dropped 3", "!4"]);
  await source.give(picture(5), picture(6));
  // Within a second of the notice before.
  assertEquals(await take(), "!6");
  const notice = { code: "dropped", message: "", dropped: 2 };
  clock.pass(1000);
  await source.give({ kind: "notice", notice }, picture(7), ending(2));
  assertEquals([await take(), await take(), await take()], ["dropped 4", "7", "end 6"]);
  await source.finish();
  assertEquals(await take(), "done");
  assertEquals(source.recycled, [1, 2, 3, 0, 5, 4, 6, 7]);
});

Deno.test("NewestResponse keeps what cannot be decoded without", async () => {
  const clock = new HandClock();
  const source = new HandResponse();
  const take = taker(new NewestResponse(source, { clock }));
  const giving = source.give(description(), picture(0), picture(1, { keyframe: false }));
  assertEquals([await take(), await take(), await take()], ["describe", "0", "1"]);
  await giving;
  for (let at = 2; at < 30; at++) {
    await source.give(picture(at, { keyframe: at % 10 === 0 }));
    clock.pass(40);
  }
  assertEquals([await take(), await take(), await take()], ["dropped 18", "!20", "21"]);
  await source.fail(new Error("It is cut"));
  for (let at = 22; at < 30; at++) assertEquals(await take(), `${at}`);
  await assertRejects(take, Error, "It is cut");
});

Deno.test("NewestResponse keeps half a second for a player that buffers", async () => {
  const clock = new HandClock();
  const source = new HandResponse();
  const take = taker(new NewestResponse(source, { clock, smooth: true }));
  const giving = source.give(description(), picture(0));
  assertEquals([await take(), await take()], ["describe", "0"]);
  await giving;
  for (let at = 1; at < 20; at++) {
    await source.give(picture(at));
    clock.pass(100);
  }
  assertEquals([await take(), await take(), await take()], ["dropped 13", "!14", "15"]);
  await source.finish();
});

pureTest("NewestResponse reads a file as it is taken", async () => {
  const source = new HandResponse();
  const take = taker(new NewestResponse(source));
  const giving = source.give(description(false), picture(0), picture(1), picture(2), ending(0));
  assertEquals([await take(), await take(), await take()], ["describe", "0", "1"]);
  assertEquals(source.recycled, [0]);
  assertEquals([await take(), await take()], ["2", "end 0"]);
  await giving;
});

Deno.test("NewestResponse ends the response when its consumer leaves", async () => {
  const source = new HandResponse();
  const parts = new NewestResponse(source)[Symbol.asyncIterator]();
  const giving = source.give(description(), picture(0));
  await parts.next();
  await parts.next();
  await giving;
  await parts.return(undefined);
  assertEquals(source.isAbandoned, true);
});

Deno.test("watch() with late drop asks with credit, and gives the newest frame", async () => {
  const isTaken = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const isSeen = Promise.withResolvers<void>();
  await using server = new ScriptedServer(async (peer, { bytes }) => {
    const { late, credit } = parseRequest(bytes.slice(16));
    const stream = { name: "cam", live: true, streams: [GREY] };
    assertEquals([late, credit], ["drop", true]);
    await say(peer, encodeMessage("describe", encodeDescription(stream)), frame(0));
    for (const [round, numbers] of [[0], [1, 2, 3, 4, 5]].entries()) {
      if (round === 1) {
        await isSeen.promise;
        await say(peer, ...numbers.map((number) => frame(number)));
      }
      let taken: unknown = 0;
      while (taken !== 1 + (numbers.at(-1) ?? 0)) {
        const { kind, payload } = await heard(peer);
        if (kind === "control") taken = parseControl(payload).frames;
      }
      isTaken[round].resolve();
    }
    await isSeen.promise;
    await say(peer, end());
  });
  const { hostname: host, port } = server.address;
  await using watch = connect({ host, port }).watch("cam", { late: "drop" });
  assertEquals((await watch.next()).value?.timestamp, 0);
  await isTaken[0].promise;
  isSeen.resolve();
  await isTaken[1].promise;
  const { value } = await watch.next();
  assertEquals([value?.timestamp, value?.dropped], [5, true]);
});
