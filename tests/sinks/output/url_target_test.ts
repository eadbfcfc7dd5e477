import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../../lib/base/errors.ts";
import {
  isAddress,
  isUrlOutput,
  playlistPath,
  playlistTarget,
  shownAddress,
  urlTarget,
  withoutSecrets,
} from "../../../lib/sinks/output/url_target.ts";
import { pureTest } from "../../support/pure_test.ts";

pureTest("urlTarget() takes the format from the scheme, the extension, or the user", () => {
  for (
    const [url, format, muxer, watched] of [
      ["rtmp://h/app/key", undefined, "flv", "live"],
      ["RTMPS://h/app/key", undefined, "flv", "live"],
      ["rtsp://h/x", undefined, "rtsp", "live"],
      ["srt://h:9", undefined, "mpegts", "live"],
      ["tcp://h:9", "mkv", "matroska", "live"],
      ["tcp://h:9", "nut", "nut", undefined],
      ["rtp://h:9", undefined, "rtp_mpegts", "live"],
      ["http://h/x.ts?a=b.c", undefined, "mpegts", "live"],
      ["http://h/x.m3u8", undefined, "hls", "live"],
      ["icecast://h/x", undefined, "mp3", undefined],
      ["icecast://h/x", "ogg", "ogg", undefined],
      ["sftp://h/x.mp4", undefined, "mp4", undefined],
      ["http://h/x.png", undefined, "image2pipe", undefined],
    ]
  ) {
    const target = urlTarget(`${url}`, format);
    assertEquals([target.muxer, target.watched], [muxer, watched], url);
  }
  assertEquals(urlTarget("udp://h:9").name, "udp://h:9?pkt_size=1316");
  assertEquals(urlTarget("srt://h:9?mode=caller").name, "srt://h:9?mode=caller&pkt_size=1316");
  assertEquals(urlTarget("udp://h:9?pkt_size=188").name, "udp://h:9?pkt_size=188");
  assertEquals(urlTarget("http://h/x.mp4").options?.slice(-2), [
    "-movflags",
    "frag_keyframe+empty_moov+default_base_moof",
  ]);
  assertEquals(urlTarget("rtsp://h/x").options?.slice(0, 2), ["-rtsp_transport", "tcp"]);
});

pureTest("urlTarget() refuses unsupported schemes, and URLs without a type", () => {
  for (
    const [url, reason] of [
      ["gopher://h/x", "gopher:// is not supported"],
      ["file:///tmp/x.mp4", "file:// is not supported"],
      ["http://h/x", "its name tells no type"],
      ["https://example.com", "its name tells no type"],
    ]
  ) {
    assertThrows(() => urlTarget(url), UsageError, reason);
  }
});

pureTest("isAddress() and isUrlOutput() recognise URLs, and those that are watched live", () => {
  for (
    const [output, address, feed] of [
      ["rtmp://h/x", true, true],
      ["sftp://h/x.mp4", true, false],
      ["a:b/c.mp4", false, false],
      ["-", false, false],
    ] as const
  ) {
    assertEquals([isAddress(output), isUrlOutput(output)], [address, feed], output);
  }
});

pureTest("playlistPath() recognises playlists by extension, by format, and as folders", () => {
  for (
    const [output, format, path] of [
      ["a/x.m3u8", undefined, "a/x.m3u8"],
      ["x.mpd", undefined, "x.mpd"],
      ["site/", undefined, "site/index.m3u8"],
      ["site/", "dash", "site/index.mpd"],
      ["x.bin", "hls", "x.bin"],
      ["x.m3u8", "mp4", undefined],
      ["site/", "mp4", undefined],
      ["x.mp4", undefined, undefined],
      ["http://h/x.m3u8", undefined, undefined],
      ["-", "hls", undefined],
    ]
  ) {
    assertEquals(playlistPath(`${output}`, format), path, output);
  }
});

pureTest("playlistTarget() keeps all segments, or the newest of endless media", () => {
  const options = (path: string, endless: boolean) =>
    playlistTarget(path, { endless }).options?.join(" ");
  assertEquals(
    options("a/x.m3u8", false),
    "-hls_time 2 -hls_segment_filename file:a/x%05d.ts -hls_flags " +
      "independent_segments+temp_file -hls_playlist_type vod",
  );
  assertEquals(
    options("x.m3u8", true),
    "-hls_time 2 -hls_segment_filename file:x%05d.ts -hls_flags " +
      "independent_segments+temp_file+delete_segments -hls_list_size 6",
  );
  assertEquals(
    options("a/x.mpd", true),
    "-seg_duration 2 -init_seg_name x-$RepresentationID$-init.m4s " +
      "-media_seg_name x-$RepresentationID$-$Number%05d$.m4s -window_size 6 -extra_window_size 2",
  );
});

pureTest("shownAddress() and withoutSecrets() hide passwords and queries", () => {
  const url = "rtmp://me:geheim@h:1935/app/x?key=abc&more=def";
  assertEquals(shownAddress(url), "rtmp://me:***@h:1935/app/x?***");
  assertEquals(shownAddress("srt://h:9"), "srt://h:9");
  assertEquals(
    withoutSecrets(`${url}: refused; me:geheim; key=abc&more=def; tcp://h`, url),
    "rtmp://me:***@h:1935/app/x?***: refused; me:***; ***; tcp://h",
  );
});
