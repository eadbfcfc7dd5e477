import { assertEquals } from "@std/assert";
import { describeNotice, type NoticeOptions } from "../../../lib/client/terminal/status.ts";
import type { Notice } from "../../../lib/protocol/native/response.ts";
import { pureTest } from "../../support/pure_test.ts";

const SLOW: Notice = { code: "slow_link", message: "slow", needed: 93e6, achieved: 12.5e6 };
const SAID = "The link is too slow: 93.0 MB/s needed, 12.5 MB/s achieved; try ";

const HELP: [NoticeOptions, string][] = [
  [{ encoding: "raw", recording: false }, "--encoding h264, or --size"],
  [{ encoding: "raw", recording: true }, "--encoding copy, or --encoding h264"],
  [{ encoding: "mjpeg", recording: false }, "--encoding h264, or a lower --quality"],
  [{ encoding: "copy", recording: true }, "--encoding h264 with --bitrate or --size"],
  [{ encoding: "h264", recording: false }, "a lower --bitrate, or --size"],
];

pureTest(
  "describeNotice() tells of a slow link what is needed, what there is, and what helps",
  () => {
    for (const [asked, help] of HELP) assertEquals(describeNotice(SLOW, asked), SAID + help);
    const [asked, help] = HELP[0];
    assertEquals(
      describeNotice({ ...SLOW, needed: undefined }, asked),
      `slow; try ${help}`,
    );
  },
);

pureTest(
  "describeNotice() hands on what it does not know, and leaves drops to the progress line",
  () => {
    const [asked] = HELP[0];
    assertEquals(describeNotice({ code: "source_lost", message: "it went" }, asked), "it went");
    assertEquals(describeNotice({ code: "new", message: "" }, asked), "new");
    assertEquals(describeNotice({ code: "dropped", message: "x", dropped: 3 }, asked), undefined);
  },
);
