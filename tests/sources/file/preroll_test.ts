import { assertEquals } from "@std/assert";
import { AudioPreroll, VideoPreroll } from "../../../lib/sources/file/track.ts";
import { pureTest } from "../../support/pure_test.ts";

/** The packets that are sent: their times, with `K` behind those of keyframes. */
function leftOf(preroll: VideoPreroll<Written> | AudioPreroll<Written>, packets: string) {
  const sent = packets.split(" ").flatMap((text) => {
    return preroll.add({ text, keyframe: text.endsWith("K") }, parseFloat(text));
  });
  return [...sent, ...preroll.end()].map(({ text }) => text).join(" ");
}

interface Written {
  text: string;
  keyframe: boolean;
}

pureTest("VideoPreroll.add() begins with the last keyframe before the start", () => {
  const packets = "-3K -2 -1K -0.5 0.5 0.2 1K 2";
  assertEquals(leftOf(new VideoPreroll(), packets), "-1K -0.5 0.5 0.2 1K 2");
});

pureTest("VideoPreroll.add() needs nothing before a keyframe at the start itself", () => {
  assertEquals(leftOf(new VideoPreroll(), "-2K -1 0K -0.5 1"), "0K -0.5 1");
});

pureTest("VideoPreroll.add() keeps all if the first frame comes later", () => {
  assertEquals(leftOf(new VideoPreroll(), "1K 2 3"), "1K 2 3");
});

pureTest("VideoPreroll.end() returns the last group if all is before the start", () => {
  assertEquals(leftOf(new VideoPreroll(), "-3K -2 -1K -0.5"), "-1K -0.5");
});

pureTest("AudioPreroll.add() keeps packets that end less than 0.1 s before the start", () => {
  assertEquals(leftOf(new AudioPreroll(), "-0.3 -0.2 -0.1 -0.05 0 0.05"), "-0.1 -0.05 0 0.05");
  assertEquals(leftOf(new AudioPreroll(), "-9 -0.08 0"), "-9 -0.08 0");
  assertEquals(leftOf(new AudioPreroll(), "0 1 2"), "0 1 2");
});

pureTest("AudioPreroll.end() returns the last packet, which may last beyond the start", () => {
  assertEquals(leftOf(new AudioPreroll(), "-4 -2"), "-2");
});

pureTest("prerolls name each packet that they drop, and no other", () => {
  const dropped: Written[] = [];
  const drop = (packet: Written) => void dropped.push(packet);
  for (
    const [preroll, packets] of [
      [new VideoPreroll(drop), "-2K -1 -0.5K -0.2 0.5 1K"],
      [new AudioPreroll(drop), "-0.3 -0.2 -0.1 -0.05 0 0.05"],
    ] as const
  ) {
    dropped.splice(0);
    const left = leftOf(preroll, packets);
    assertEquals([...dropped.map(({ text }) => text), left].join(" "), packets);
    assertEquals(dropped.length, 2);
  }
});
