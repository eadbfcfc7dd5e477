import { assertEquals } from "@std/assert";
import { PicturePreroll, SoundPreroll } from "../../../lib/sources/file/track.ts";
import { pureTest } from "../../support/pure_test.ts";

/** What is left of packets: moments, with `K` behind those of keyframes. */
function leftOf(preroll: PicturePreroll<Written> | SoundPreroll<Written>, packets: string) {
  const sent = packets.split(" ").flatMap((text) => {
    return preroll.add({ text, keyframe: text.endsWith("K") }, parseFloat(text));
  });
  return [...sent, ...preroll.end()].map(({ text }) => text).join(" ");
}

interface Written {
  text: string;
  keyframe: boolean;
}

pureTest("PicturePreroll.add() begins with the last keyframe before the moment", () => {
  const packets = "-3K -2 -1K -0.5 0.5 0.2 1K 2";
  assertEquals(leftOf(new PicturePreroll(), packets), "-1K -0.5 0.5 0.2 1K 2");
});

pureTest("PicturePreroll.add() needs nothing before a keyframe at the moment itself", () => {
  assertEquals(leftOf(new PicturePreroll(), "-2K -1 0K -0.5 1"), "0K -0.5 1");
});

pureTest("PicturePreroll.add() keeps all where the first picture comes later", () => {
  assertEquals(leftOf(new PicturePreroll(), "1K 2 3"), "1K 2 3");
});

pureTest("PicturePreroll.end() gives the last group where all is before the moment", () => {
  assertEquals(leftOf(new PicturePreroll(), "-3K -2 -1K -0.5"), "-1K -0.5");
});

pureTest("SoundPreroll.add() keeps what ends less than 0.1 s before the moment", () => {
  assertEquals(leftOf(new SoundPreroll(), "-0.3 -0.2 -0.1 -0.05 0 0.05"), "-0.1 -0.05 0 0.05");
  assertEquals(leftOf(new SoundPreroll(), "-9 -0.08 0"), "-9 -0.08 0");
  assertEquals(leftOf(new SoundPreroll(), "0 1 2"), "0 1 2");
});

pureTest("SoundPreroll.end() gives the last packet, which may last beyond the moment", () => {
  assertEquals(leftOf(new SoundPreroll(), "-4 -2"), "-2");
});
