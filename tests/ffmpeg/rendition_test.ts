import { assertEquals } from "@std/assert";
import { deinterlaceFilters } from "../../lib/ffmpeg/rendition.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest("deinterlaceFilters() leaves frames that are not marked, unless none are", () => {
  assertEquals(deinterlaceFilters(undefined), []);
  assertEquals(deinterlaceFilters("tt"), ["bwdif=mode=send_frame:deint=interlaced"]);
  assertEquals(
    (["tt", "tb", "bb", "bt"] as const).map((order) =>
      deinterlaceFilters(order, { isMarked: false })[0]
    ),
    ["tff", "tff", "bff", "bff"].map((parity) =>
      `bwdif=mode=send_frame:parity=${parity}:deint=all`
    ),
  );
});
