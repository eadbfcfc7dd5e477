import { assertEquals } from "@std/assert";
import { renderList } from "../../../lib/client/terminal/list_table.ts";
import { pureTest } from "../../support/pure_test.ts";

pureTest("renderList() aligns name, kind, size, duration, codec and picture in columns", () => {
  const text = renderList([
    { name: "a.png", kind: "image", live: false, size: 950, codec: "png", width: 64, height: 48 },
    {
      name: "sub folder/größer.mp4",
      kind: "video",
      live: false,
      size: 1_234_567,
      duration: 62.34,
      codec: "h264+aac",
      width: 1280,
      height: 720,
    },
    { name: "s.wav", kind: "audio", live: false, size: 88_300, duration: 1, codec: "pcm_s16le" },
    { name: "cam", kind: "video", live: true, size: 0, codec: "mjpeg", width: 640, height: 480 },
  ]);
  assertEquals(
    text,
    [
      "NAME                   KIND         SIZE     DURATION  CODEC      PICTURE",
      "a.png                  image        950 B    -         png        64x48",
      "sub folder/größer.mp4  video        1.2 MB   01:02.3   h264+aac   1280x720",
      "s.wav                  audio        88.3 kB  00:01.0   pcm_s16le  -",
      "cam                    video, live  -        -         mjpeg      640x480",
      "",
    ].join("\n"),
  );
});

pureTest("renderList() of no media is a sentence", () => {
  assertEquals(renderList([]), "The server has no media\n");
});

pureTest("renderList() replaces control characters", () => {
  const entry = { kind: "image", live: false, size: 1 } as const;
  const text = renderList([{ ...entry, name: "a\x1b[2J\nb\u202e", codec: "p\x9bng" }]);
  assertEquals(text.split("\n")[1], "a?[2J?b?  image  1 B   -         p?ng   -");
});
