import { assertAlmostEquals, assertEquals } from "@std/assert";
import {
  hiddenBeginning,
  hidesBeginning,
  isForSound,
  whyNotPacket,
  whyNotPackets,
} from "../../../lib/sinks/output/containers.ts";
import { GREY } from "../../support/peers/scripted_server.ts";
import { pureTest } from "../../support/pure_test.ts";

const H264 = { ...GREY, codec: "h264" };
const AAC = {
  ...GREY,
  type: "audio",
  id: 1,
  codec: "aac",
  sampleRate: 48_000,
  channels: 2,
} as const;

pureTest("whyNotPackets() knows what types of files hold, and what they cannot say", () => {
  for (const type of ["mp4", "mov", "mkv", "ts", "nut", "flv"]) {
    assertEquals([whyNotPackets(type, H264), whyNotPackets(type, AAC)], [undefined, undefined]);
  }
  assertEquals(whyNotPackets("webm", AAC), "aac is not stored in .webm");
  assertEquals(whyNotPackets("xyz", H264), "h264 is not stored in .xyz");
  const turned = { ...H264, rotation: 90 } as const;
  assertEquals(whyNotPackets("mp4", turned), undefined);
  assertEquals(whyNotPackets("nut", turned), ".nut does not say which way up they are");
  const reordered = { ...GREY, codec: "mpeg4", decodeDelay: 1 };
  assertEquals(whyNotPackets("mkv", reordered), undefined);
  const why = ".avi keeps no other order than that of showing";
  assertEquals(whyNotPackets("avi", reordered), why);
  assertEquals(whyNotPacket("jpeg", { ...GREY, codec: "mjpeg" }), undefined);
  assertEquals(whyNotPacket("jpeg", { ...GREY, codec: "png" }), "png is not stored in .jpeg");
  assertEquals(["wav", "m4a", "mp4", "xyz"].map(isForSound), [true, true, false, false]);
  assertEquals(["mp4", "mov", "mkv"].map(hidesBeginning), [true, true, false]);
});

pureTest("hiddenBeginning() is that of the picture that is shown at the beginning", () => {
  const at = (first: number, frameRate: typeof GREY.frameRate = [25, 1]) =>
    hiddenBeginning({ ...GREY, frameRate }, first);
  assertEquals([at(0), at(0.4)], [0, 0]);
  assertAlmostEquals(at(-1.13), -0.011, 1e-6);
  assertAlmostEquals(at(-1.2), -0.001, 1e-6);
  // To the millisecond, as Matroska has them.
  assertAlmostEquals(at(-0.03, [30000, 1001]), -0.031, 1e-6);
  assertAlmostEquals(at(-0.033, [30000, 1001]), -0.001, 1e-3);
  assertEquals(hiddenBeginning({ ...GREY, frameRate: undefined }, -1.13), 0);
});
