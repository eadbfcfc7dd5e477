import { assertEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../../lib/base/errors.ts";
import type { Description, VideoStream } from "../../../lib/media/frame.ts";
import { MAX_CHAPTERS, MAX_COVER_SIZE, MAX_TAG_LENGTH } from "../../../lib/media/tags.ts";
import { encodeDescription, parseDescription } from "../../../lib/protocol/native/response.ts";
import { encodeCover, readMediaTags, readStreamTags } from "../../../lib/protocol/native/tags.ts";
import { pureTest } from "../../support/pure_test.ts";

const VIDEO: VideoStream = {
  ...{ type: "video", id: 0, codec: "h264", fourcc: "H264", timeBase: [1, 25] },
  ...{ extradata: new Uint8Array(), width: 2, height: 2 },
};

pureTest("parseDescription() gives the tags that were encoded", () => {
  const description: Description = {
    ...{ name: "film", live: false },
    streams: [{ ...VIDEO, language: "deu", title: "Main", disposition: ["default"] }],
    metadata: { title: "Film", artist: "Nobody" },
    chapters: [{ start: 0, end: 1.5, title: "one" }],
    cover: { codec: "png", data: new Uint8Array([1, 2, 3]) },
  };
  const parsed = parseDescription(encodeDescription(description));
  const { metadata, chapters, cover, streams: [stream] } = parsed;
  assertEquals({ metadata, chapters, cover }, {
    metadata: description.metadata,
    chapters: [{ start: 0, end: 1.5, title: "one" }],
    cover: description.cover,
  });
  assertEquals([stream.language, stream.title, stream.disposition], ["deu", "Main", ["default"]]);
});

pureTest("readMediaTags() gives nothing of what is absent", () => {
  assertEquals([readMediaTags({}), readStreamTags({})], [{}, {}]);
  assertEquals(encodeCover(undefined), {});
});

pureTest("readMediaTags() bounds what it takes, and ignores unknown texts", () => {
  const chapters = Array.from({ length: MAX_CHAPTERS + 1 }, () => ({ start: 1, end: 2 }));
  const long = "x".repeat(MAX_TAG_LENGTH + 1);
  const tags = readMediaTags({ metadata: { title: long, location: "here", date: 5 }, chapters });
  assertEquals(tags.metadata, { title: long.slice(1) });
  assertEquals(tags.chapters?.length, MAX_CHAPTERS);
  const backward = readMediaTags({ chapters: [{ start: 2, end: 1 }, { title: "no time" }] });
  assertEquals(backward.chapters, []);
  assertEquals(readStreamTags({ title: long }), { title: long.slice(1) });
});

pureTest("readMediaTags() ignores covers that are too large, of another kind or broken", () => {
  const data = new Uint8Array(MAX_COVER_SIZE + 3).toBase64();
  const covers = [
    { codec: "mjpeg", data },
    { codec: "gif", data: "AAAA" },
    { codec: "png", data: "?" },
    { codec: "png", data: 7 },
  ];
  for (const cover of covers) assertEquals(readMediaTags({ cover }), {});
  const largest = new Uint8Array(MAX_COVER_SIZE);
  assertEquals(readMediaTags({ cover: { codec: "png", data: largest.toBase64() } }), {
    cover: { codec: "png", data: largest },
  });
});

pureTest("readMediaTags() refuses fields of a wrong type", () => {
  const refused = [{ metadata: "no" }, { chapters: {} }, { chapters: [1] }, { cover: 1 }];
  for (const object of refused) assertThrows(() => readMediaTags(object), FormatError);
  for (const object of [{ language: 1 }, { disposition: "default" }, { title: [] }]) {
    assertThrows(() => readStreamTags(object), FormatError);
  }
});
