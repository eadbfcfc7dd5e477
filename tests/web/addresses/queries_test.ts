import { assertEquals, assertThrows } from "@std/assert";
import { RequestError } from "../../../lib/base/errors.ts";
import { parseQuery } from "../../../lib/web/addresses/queries.ts";
import { pureTest } from "../../support/pure_test.ts";

/** The fields of a request that are there. */
function fieldsOf(kind: "snapshot" | "stream" | "hls", query: string): Record<string, unknown> {
  const request = parseQuery(kind, "a.mkv", new URLSearchParams(query));
  return Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined));
}

pureTest("parseQuery() asks for a JPEG, JPEGs in time, or H.264", () => {
  const name = "a.mkv";
  assertEquals(fieldsOf("snapshot", ""), { command: "get_image", name, encoding: "mjpeg" });
  const video = { command: "get_video", name, redescribe: true };
  assertEquals(fieldsOf("stream", ""), { ...video, encoding: "mjpeg", audio: false, late: "drop" });
  assertEquals(fieldsOf("hls", ""), { ...video, encoding: "h264" });
});

pureTest("parseQuery() takes the parameters that the address has, and no others", () => {
  const query = "width=640&quality=50&fps=5&loop=1&bitrate=100000&token=x&_=17&encoding=raw&late=x";
  const { width, quality, fps, loop, ...rest } = fieldsOf("stream", query);
  assertEquals([width, quality, fps, loop], [640, 50, 5, true]);
  assertEquals(Object.keys(rest).sort(), [
    ...["audio", "command", "encoding", "late", "name", "redescribe"],
  ]);
  const { bitrate, fps: rate, ...others } = fieldsOf("hls", query);
  assertEquals([bitrate, rate], [100_000, 5]);
  assertEquals(Object.keys(others).includes("loop"), false);
  assertEquals(fieldsOf("snapshot", "fps=5&start=1.5").start, 1.5);
  assertEquals(fieldsOf("hls", "audio=0").audio, false);
  assertEquals(fieldsOf("hls", "track=2").audioTrack, 2);
  assertEquals(fieldsOf("hls", "track=deu").audioTrack, "deu");
});

pureTest("parseQuery() refuses what the protocol refuses, and quotes it", () => {
  for (
    const [query, message] of [
      ["width=0", "Cannot use width 0: expected a whole number from 1 to 16384"],
      ["width=1e9", "Cannot use width 1000000000: expected"],
      ["width=big", 'Cannot use width "big": expected'],
      ["quality=101", "Cannot use quality 101: expected"],
      ["fps=NaN", 'Cannot use fps "NaN": expected'],
      ["fps=Infinity", 'Cannot use fps "Infinity": expected'],
      ["start=-1", "Cannot use start -1: expected"],
      ["loop=yes", 'Cannot use loop "yes": expected true or false'],
    ]
  ) {
    const parse = () => parseQuery("stream", "a", new URLSearchParams(query));
    const error = assertThrows(parse, RequestError, message);
    assertEquals(error.code, "bad_request");
  }
  for (const name of ["a\0b", "x".repeat(1025)]) {
    assertThrows(
      () => parseQuery("hls", name, new URLSearchParams()),
      RequestError,
      "Cannot use name",
    );
  }
});
