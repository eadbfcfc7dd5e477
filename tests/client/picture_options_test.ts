/** Requests for tags of files, and for the range and the fields of pictures. */
import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../lib/base/errors.ts";
import { parseClientFlags } from "../../lib/client/options.ts";
import { pureTest } from "../support/pure_test.ts";

function requestOf(line: string) {
  const action = parseClientFlags(line.split(" "));
  if (action.kind !== "media") throw new Error(`"${line}" is a ${action.kind}`);
  return action.request;
}

pureTest("parseClientFlags() asks for the tags of what is recorded, and of nothing else", () => {
  const recorded = ["x.mp4", "x.mkv --encoding copy", "-", "x.mp4 --view window", "site/"];
  for (const output of recorded) {
    assertEquals(requestOf(`--video --output ${output}`).metadata, true, output);
  }
  const others = [
    ...["--video", "--video --view none", "--image --output x.png", "--video --output a%03d.png"],
    ...["--video --output rtmp://host/app/key", "--video --output x.srt"],
  ];
  for (const line of others) assertEquals(requestOf(line).metadata, undefined, line);
});

pureTest("parseClientFlags() asks for the range and the fields that are wanted", () => {
  for (const kind of ["--video", "--image"]) {
    const plain = requestOf(kind);
    assertEquals([plain.toneMap, plain.deinterlace], [undefined, undefined]);
    const { toneMap, deinterlace } = requestOf(`${kind} --no-tone-map --deinterlace`);
    assertEquals([toneMap, deinterlace], [false, true]);
  }
});

pureTest(
  "parseClientFlags() refuses to deinterlace packets, or to publish without tone mapping",
  () => {
    assertThrows(
      () => parseClientFlags(["--video", "--encoding", "copy", "--deinterlace"]),
      UsageError,
      "Cannot use --deinterlace with --encoding copy",
    );
    assertThrows(
      () => parseClientFlags(["--publish", "cam", "--input", "a.mp4", "--no-tone-map"]),
      UsageError,
      "Cannot use --no-tone-map with --publish",
    );
  },
);
