import { assertAlmostEquals, assertEquals } from "@std/assert";
import {
  editListStart,
  hasEditList,
  isAudioOnly,
  whyNotCopied,
  whyNotCopiedImage,
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

pureTest("whyNotCopied() knows the codecs, the order and the rotation that types store", () => {
  for (const type of ["mp4", "mov", "mkv", "ts", "nut", "flv"]) {
    assertEquals([whyNotCopied(type, H264), whyNotCopied(type, AAC)], [undefined, undefined]);
  }
  assertEquals(whyNotCopied("webm", AAC), "aac is not stored in .webm");
  assertEquals(whyNotCopied("xyz", H264), "h264 is not stored in .xyz");
  const turned = { ...H264, rotation: 90 } as const;
  assertEquals(whyNotCopied("mp4", turned), undefined);
  assertEquals(whyNotCopied("nut", turned), ".nut does not say which way up they are");
  const reordered = { ...GREY, codec: "mpeg4", decodeDelay: 1 };
  assertEquals(whyNotCopied("mkv", reordered), undefined);
  const why = ".avi keeps no other order than that of showing";
  assertEquals(whyNotCopied("avi", reordered), why);
  assertEquals(whyNotCopiedImage("jpeg", { ...GREY, codec: "mjpeg" }), undefined);
  assertEquals(
    whyNotCopiedImage("jpeg", { ...GREY, codec: "png" }),
    "png is not stored in .jpeg",
  );
  assertEquals(["wav", "m4a", "mp4", "xyz"].map(isAudioOnly), [true, true, false, false]);
  assertEquals(["mp4", "mov", "mkv"].map(hasEditList), [true, true, false]);
});

pureTest("editListStart() is the time of the picture shown at the beginning", () => {
  const at = (first: number, frameRate: typeof GREY.frameRate = [25, 1]) =>
    editListStart({ ...GREY, frameRate }, first);
  assertEquals([at(0), at(0.4)], [0, 0]);
  assertAlmostEquals(at(-1.13), -0.011, 1e-6);
  assertAlmostEquals(at(-1.2), -0.001, 1e-6);
  // To the millisecond, as Matroska has them.
  assertAlmostEquals(at(-0.03, [30000, 1001]), -0.031, 1e-6);
  assertAlmostEquals(at(-0.033, [30000, 1001]), -0.001, 1e-3);
  assertEquals(editListStart({ ...GREY, frameRate: undefined }, -1.13), 0);
});
