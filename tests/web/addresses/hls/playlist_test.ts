import { assertEquals } from "@std/assert";
import { encodePlaylist } from "../../../../lib/web/addresses/hls/playlist.ts";
import { SegmentWindow } from "../../../../lib/web/addresses/hls/window.ts";
import { pureTest } from "../../../support/pure_test.ts";

const BYTES = new Uint8Array(8);

/** A window with so many segments of each of some runs of streams, 2 seconds each. */
function windowOf(...runs: number[]): SegmentWindow {
  const window = new SegmentWindow({ first: 100 });
  for (const count of runs) {
    window.add({ kind: "init", bytes: BYTES });
    for (let at = 0; at < count; at++) window.add({ kind: "segment", bytes: BYTES, duration: 2 });
  }
  return window;
}

pureTest("encodePlaylist() lists segments, and repeats the query for each file", () => {
  const window = windowOf(2);
  window.end();
  assertEquals(
    encodePlaylist({ ...window.list(), query: "?width=64" }),
    `#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:2
#EXT-X-MEDIA-SEQUENCE:100
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MAP:URI="live-100.mp4?width=64"
#EXTINF:2.000000,
live-100.m4s?width=64
#EXTINF:2.000000,
live-101.m4s?width=64
#EXT-X-ENDLIST
`,
  );
});

pureTest("encodePlaylist() marks changes of the streams", () => {
  const lines = encodePlaylist({ ...windowOf(1, 1).list(), query: "" }).split("\n");
  assertEquals(lines.slice(6, -1), [
    ...[
      '#EXT-X-MAP:URI="live-100.mp4"',
      "#EXTINF:2.000000,",
      "live-100.m4s",
      "#EXT-X-DISCONTINUITY",
    ],
    ...['#EXT-X-MAP:URI="live-101.mp4"', "#EXTINF:2.000000,", "live-101.m4s"],
  ]);
});

pureTest("SegmentWindow lists the newest segments, and keeps a few more", () => {
  const window = windowOf(20);
  const { segments, sequence, isEnded } = window.list();
  assertEquals([sequence, segments.length, isEnded], [114, 6, false]);
  assertEquals(window.file("live-111.m4s"), BYTES);
  assertEquals(window.file("live-110.m4s"), undefined);
  assertEquals(window.file("live-100.mp4"), BYTES);
});

pureTest("SegmentWindow is ready with some seconds, or at its end", () => {
  const window = windowOf(1);
  assertEquals(window.isReady, false);
  window.end();
  assertEquals(window.isReady, true);
  assertEquals(windowOf(2).isReady, true);
  const empty = windowOf();
  empty.end();
  assertEquals(empty.isReady, false);
});

pureTest("SegmentWindow counts the changes before the playlist", () => {
  const window = windowOf(3, 8);
  assertEquals(window.list().discontinuities, 1);
  assertEquals(window.file("live-100.mp4"), BYTES);
  window.add({ kind: "segment", bytes: BYTES, duration: 2 });
  assertEquals(window.list().discontinuities, 1);
  assertEquals(window.file("live-100.mp4"), undefined);
  assertEquals(windowOf(1, 1).list().discontinuities, 0);
});

pureTest("SegmentWindow keeps fewer segments if they are large", () => {
  const window = new SegmentWindow({ first: 0 });
  const bytes = new Uint8Array(15 << 20);
  for (let at = 0; at < 5; at++) window.add({ kind: "segment", bytes, duration: 2 });
  assertEquals(window.list().segments.map(({ file }) => file), ["live-3.m4s", "live-4.m4s"]);
});

pureTest("the target duration is that of the longest segment so far", () => {
  const window = windowOf(1);
  window.add({ kind: "segment", bytes: BYTES, duration: 3.6 });
  for (let at = 0; at < 10; at++) window.add({ kind: "segment", bytes: BYTES, duration: 2 });
  const text = encodePlaylist({ ...window.list(), query: "" });
  assertEquals(text.match(/TARGETDURATION:(\d+)/)?.[1], "4");
});
