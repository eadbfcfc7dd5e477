import { assertEquals, assertRejects } from "@std/assert";
import type { Clip } from "../../bench/clips.ts";
import { PeerSide } from "../../bench/peer_side.ts";
import type { Peer, Transfer } from "../../bench/transfer.ts";
import { pureTest } from "../support/pure_test.ts";

const CLIP: Clip = {
  ...{ name: "x.mp4", path: "x.mp4", width: 2, height: 2 },
  ...{ frames: 3, seconds: 1, frameSize: 6 },
};

const TRANSFER: Transfer = { connected: 1, flowing: 2, process: 3, processor: 4, bytes: 5 };

function peerOf(transfer: Peer["transfer"]): Peer {
  return { name: "it", missing: () => Promise.resolve(undefined), transfer };
}

pureTest("PeerSide keeps the results of a peer", async () => {
  const { signal } = new AbortController();
  const peer = peerOf(() => Promise.resolve(TRANSFER));
  const side = new PeerSide(peer, { signal, skip: (what) => assertEquals(what, "") });
  await side.run(CLIP);
  await side.run(CLIP);
  assertEquals([side.results, side.hasFailed], [[TRANSFER, TRANSFER], false]);
});

pureTest("PeerSide names a peer that fails once, and does not ask it again", async () => {
  const { signal } = new AbortController();
  const skipped: string[] = [];
  let asked = 0;
  const peer = peerOf(() => {
    asked++;
    return Promise.reject(new Error("Cannot measure it: it broke"));
  });
  const side = new PeerSide(peer, { signal, skip: (what) => skipped.push(what) });
  await side.run(CLIP);
  await side.run(CLIP);
  assertEquals(skipped, ["it with x.mp4: Cannot measure it: it broke"]);
  assertEquals([asked, side.hasFailed], [1, true]);
});

pureTest("PeerSide ends a peer that hangs", async () => {
  const { signal } = new AbortController();
  const skipped: string[] = [];
  const side = new PeerSide(peerOf(hang), {
    ...{ signal, longest: 1 },
    skip: (what) => skipped.push(what),
  });
  await side.run(CLIP);
  assertEquals(skipped, ["it with x.mp4: Cannot measure it: it is not done after 0.001 s"]);
});

pureTest("PeerSide.run() fails with the signal, which says nothing against the peer", async () => {
  const over = new AbortController();
  const skipped: string[] = [];
  const side = new PeerSide(peerOf(hang), {
    signal: over.signal,
    skip: (what) => skipped.push(what),
  });
  const running = side.run(CLIP);
  over.abort(new Error("over"));
  await assertRejects(() => running, Error, "over");
  assertEquals(skipped, []);
});

function hang(_clip: Clip, signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}
