import { assertAlmostEquals, assertEquals } from "@std/assert";
import type { VideoStream } from "../../lib/media/frame.ts";
import {
  fittingFilters,
  shownFilters,
  tempoFilters,
  turned,
  turnFilters,
} from "../../lib/sinks/filters.ts";
import { GREY } from "../support/peers/scripted_server.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("turnFilters() rotates clockwise, and leaves upright video alone", () => {
  assertEquals(turnFilters({}), []);
  assertEquals(turnFilters({ rotation: 90 }), ["transpose=clock"]);
  assertEquals(turnFilters({ rotation: 180 }), ["hflip", "vflip"]);
  assertEquals(turnFilters({ rotation: 270 }), ["transpose=cclock"]);
});

pureTest("turned() swaps the sides and the pixel aspect ratio for quarter turns", () => {
  const wide: VideoStream = { ...GREY, width: 64, height: 48, sampleAspectRatio: [4, 3] };
  assertEquals(turned(wide), wide);
  const half = turned({ ...wide, rotation: 180 });
  assertEquals([half.width, half.height, half.rotation], [64, 48, undefined]);
  for (const rotation of [90, 270] as const) {
    const { width, height, sampleAspectRatio, ...rest } = turned({ ...wide, rotation });
    assertEquals([width, height, rest.rotation], [48, 64, undefined]);
    assertEquals(sampleAspectRatio, [3, 4]);
  }
});

pureTest("tempoFilters() reaches any speed in steps that drop no samples", () => {
  assertEquals(tempoFilters(1), []);
  assertEquals(tempoFilters(1.5), ["atempo=1.5"]);
  assertEquals(tempoFilters(4), ["atempo=2", "atempo=2"]);
  assertEquals(tempoFilters(0.25), ["atempo=0.5", "atempo=0.5"]);
  for (const speed of [0.01, 0.3, 0.7, 3, 8, 100]) {
    const steps = tempoFilters(speed).map((filter) => Number(filter.split("=")[1]));
    assertAlmostEquals(steps.reduce((product, step) => product * step, 1), speed, 1e-5 * speed);
    assertEquals(steps.every((step) => step >= 0.5 && step <= 2), true, String(speed));
  }
});

pureTest("fittingFilters() limits the range of JPEGs of a format that is not known", () => {
  const jpeg: VideoStream = { ...GREY, codec: "mjpeg", pixelFormat: undefined };
  assertEquals(fittingFilters(jpeg, "mp4"), ["scale=out_range=tv", "format=yuv420p"]);
  assertEquals(fittingFilters({ ...jpeg, codec: "h264" }, "mp4"), ["format=yuv420p"]);
});

pureTest("shownFilters() merges fields first, by the marks of frames if they have any", () => {
  const video = { ...GREY, rotation: 180, fieldOrder: "bt" } as const;
  const turn = ["hflip", "vflip"];
  assertEquals(shownFilters({ ...video, codec: "h264" }), [
    "bwdif=mode=send_frame:deint=interlaced",
    ...turn,
  ]);
  assertEquals(shownFilters({ ...video, codec: "rawvideo" }), [
    "bwdif=mode=send_frame:parity=bff:deint=all",
    ...turn,
  ]);
  assertEquals(shownFilters({ ...video, fieldOrder: undefined }), turn);
});
