import { assertEquals, assertRejects } from "@std/assert";
import { DescribedResponse } from "../../lib/playback/described_response.ts";
import type { MediaResponse, ResponsePart } from "../../lib/protocol/media_response.ts";
import { DESCRIPTION, END } from "../support/media/test_sink.ts";
import { pureTest } from "../support/pure_test.ts";

async function* response(parts: readonly ResponsePart[]): AsyncGenerator<ResponsePart> {
  yield* parts;
}

async function kindsOf(parts: AsyncIterable<ResponsePart>): Promise<string[]> {
  return (await Array.fromAsync(parts)).map(({ kind }) => kind);
}

pureTest("DescribedResponse.read() knows the description, and gives all parts", async () => {
  const notice: ResponsePart = { kind: "notice", notice: { code: "waiting", message: "" } };
  const parts: ResponsePart[] = [
    notice,
    { kind: "describe", description: DESCRIPTION },
    notice,
    { kind: "end", end: END },
  ];
  const described = await DescribedResponse.read(response(parts));
  assertEquals(described.description, DESCRIPTION);
  assertEquals(await kindsOf(described), ["notice", "describe", "notice", "end"]);
});

pureTest("DescribedResponse.read() throws what ends the response before that", async () => {
  const failing: MediaResponse = {
    async *[Symbol.asyncIterator]() {
      yield* [];
      throw new Error("it is gone");
    },
  };
  await assertRejects(() => DescribedResponse.read(failing), Error, "it is gone");
  await assertRejects(() => DescribedResponse.read(response([])), Error, "before its description");
});

pureTest("DescribedResponse ends the response when its reader leaves", async () => {
  let hasEnded = false;
  const parts: MediaResponse = {
    async *[Symbol.asyncIterator]() {
      try {
        yield { kind: "describe", description: DESCRIPTION };
        yield { kind: "end", end: END };
      } finally {
        hasEnded = true;
      }
    },
  };
  for await (const { kind } of await DescribedResponse.read(parts)) {
    assertEquals([kind, hasEnded], ["describe", false]);
    break;
  }
  assertEquals(hasEnded, true);
});
