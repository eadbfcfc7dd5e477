import { assertEquals } from "@std/assert";
import { formatBytes, formatDetails, formatTime } from "../../../lib/web/page/dom.js";
import { pureTest } from "../../support/pure_test.ts";

pureTest("formatTime() of the page formats seconds, with hours if there are any", () => {
  const formatted = [0, 9.99, 62, 599.9, 3600, 36_061, -1, NaN, Infinity].map(formatTime);
  assertEquals(formatted, [
    ...["0:00", "0:09", "1:02", "9:59", "1:00:00", "10:01:01", "0:00", "0:00", "0:00"],
  ]);
});

pureTest("formatBytes() of the page formats bytes with a unit after a no-break space", () => {
  const formatted = [0, 999, 999.6, 1000, 69_880, 999_500, 12_839_691, 5e14].map(formatBytes);
  const texts = ["0 B", "999 B", "1.0 kB", "1.0 kB", "69.9 kB", "1.0 MB", "12.8 MB", "500 TB"];
  assertEquals(formatted, texts.map((text) => text.replace(" ", "\u00a0")));
});

pureTest("formatDetails() of the page formats the known properties of an entry only", () => {
  const clip = { kind: "video", live: false, codec: "h264", name: "clip.mp4", size: 1500 } as const;
  assertEquals(
    formatDetails({ ...clip, width: 640, height: 480, duration: 62.4 }),
    "Video · 640×480 · 1.5\u00a0kB",
  );
  assertEquals(formatDetails({ ...clip, kind: "audio", size: 0 }), "Audio");
  assertEquals(
    formatDetails({ ...clip, live: true, duration: 5, width: 64, height: 48 }),
    "Video · 64×48",
  );
});
