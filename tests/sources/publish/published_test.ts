import { assertEquals, assertRejects } from "@std/assert";
import type { Description } from "../../../lib/media/frame.ts";
import { PublishedRun } from "../../../lib/sources/publish/publication.ts";
import { PublishedSource, type Publisher } from "../../../lib/sources/publish/published.ts";
import { pureTest } from "../../support/pure_test.ts";

const SHARED = { fourcc: "", timeBase: [1, 1000], extradata: new Uint8Array(0) } as const;

/** The description of one stream of video. */
function description(codec: string): Description {
  const video = { ...SHARED, id: 0, type: "video", codec, width: 2, height: 2 } as const;
  return { name: "", live: true, streams: [{ ...video, pixelFormat: "gray" }] };
}

/** A run of video. */
function runOf(codec: string): PublishedRun {
  return new PublishedRun(description(codec), { maxPixels: 100 });
}

/** A frame, as a run accepts it. */
function frameOf(run: PublishedRun, timestamp: number) {
  const data = new Uint8Array(4);
  return run.accept({ streamId: 0, timestamp, keyframe: false, data });
}

/** A publisher that keeps what it is asked for. */
class KeepingPublisher implements Publisher {
  readonly onDemand = true;
  readonly asked: string[] = [];

  ask(action: string): void {
    this.asked.push(action);
  }

  onViewers(): void {}

  recycle(): void {}

  evict(): void {}
}

function sourceOf(): PublishedSource {
  const logger = { log: () => {} };
  return new PublishedSource("cam", { linger: 0, logger, onRemove: () => {} });
}

pureTest("PublishedSource.push() does not wait for a run that nobody opens any more", async () => {
  using source = sourceOf();
  const publisher = new KeepingPublisher();
  source.attach(publisher);
  const watching = new AbortController();
  source.describe(publisher, runOf("rawvideo"));
  await source.open(watching.signal);
  // The next run is there before the broadcast opens it, and then the last viewer leaves.
  const next = runOf("rawvideo");
  source.describe(publisher, next);
  await source.push(publisher, frameOf(next, 0));
  const stuck = source.push(publisher, frameOf(next, 1));
  watching.abort();
  await stuck;
  await source.push(publisher, frameOf(next, 2));
  assertEquals(publisher.asked, ["pause", "resume", "pause"]);
});

pureTest("PublishedSource.open() asks for nothing if nobody watches any more", async () => {
  using source = sourceOf();
  const publisher = new KeepingPublisher();
  source.attach(publisher);
  await assertRejects(() => source.open(AbortSignal.abort(new Error("left"))), Error, "left");
  assertEquals([publisher.asked, source.isWatched], [["pause"], false]);
});

pureTest("PublishedRun.accept() marks keyframes of raw video and JPEG alone by itself", () => {
  const keyframes = ["rawvideo", "mjpeg", "h264", "ffv1", "gif"].map((codec) => {
    return frameOf(runOf(codec), 0).keyframe;
  });
  assertEquals(keyframes, [true, true, false, false, false]);
});
