/** URLs as outputs: their types, and how they are shown without secrets. */
import { UsageError } from "../../base/errors.ts";
import { hideSecrets } from "../../ffmpeg/stderr.ts";
import {
  extensionOf,
  isImageType,
  muxerOf,
  type OutputTarget,
  typeOf,
  unseekableOptions,
} from "./target.ts";

/** Seconds of a segment at least; segments begin with keyframes. */
const SEGMENT_DURATION = 2;

/** Segments in the playlist of endless media. */
const WINDOW = 6;

/** Microseconds without progress until the other side counts as gone. */
const PATIENCE = ["-rw_timeout", "15000000"];

/** Largest whole number of MPEG-TS packets in an Ethernet frame. */
const DATAGRAM_SIZE = "pkt_size=1316";

/** Formats by URL scheme. */
const SCHEMES = new Map<string, string | undefined>([
  ...["rtmp", "rtmps", "rtmpt", "rtmpts", "rtmpe"].map((name): [string, string] => [name, "flv"]),
  ["rtsp", "rtsp"],
  ...["srt", "udp", "tcp", "rist"].map((name): [string, string] => [name, "mpegts"]),
  ["rtp", "rtp_mpegts"],
  ["icecast", "mp3"],
  // By the extension, as for files.
  ...["http", "https", "ftp", "sftp"].map((name): [string, undefined] => [name, undefined]),
]);

/** URLs of files, which nobody watches while they are written. */
const FILE_SCHEMES = /^s?ftp:/i;

/** Playlists, by extension. */
const PLAYLISTS = new Set(["m3u8", "mpd"]);

/** Types that are sent as H.264 and AAC. */
const LIVE_TYPES = new Set(["flv", "rtsp", "ts", "mp4", "mkv", "hls", "dash"]);

/** Whether an output is a URL and no file. */
export function isAddress(output: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(output);
}

/** Whether an output is a URL that takes media in real time. */
export function isUrlOutput(output: string): boolean {
  return isAddress(output) && !FILE_SCHEMES.test(output);
}

/**
 * Path of the playlist, if an output is one; `undefined` if not.
 *
 * @param format FFmpeg's name of the format, if the user gives one
 */
export function playlistPath(output: string, format?: string): string | undefined {
  if (isAddress(output) || output === "-") return undefined;
  const muxer = format === undefined ? undefined : muxerOf(format);
  const isPlaylist = muxer === "hls" || muxer === "dash";
  if (output.endsWith("/") && (isPlaylist || muxer === undefined)) {
    return `${output}index.${muxer === "dash" ? "mpd" : "m3u8"}`;
  }
  return isPlaylist || (muxer === undefined && PLAYLISTS.has(extensionOf(output)))
    ? output
    : undefined;
}

/**
 * Target for a URL.
 *
 * @throws {UsageError} if FFmpeg cannot write to its scheme, or its format is unknown
 */
export function urlTarget(url: string, format?: string): OutputTarget {
  const [, scheme = ""] = url.match(/^([a-z0-9+.-]+):/i) ?? [];
  const known = SCHEMES.get(scheme.toLowerCase());
  if (!SCHEMES.has(scheme.toLowerCase())) {
    throw new UsageError(
      `Cannot write to "${shownAddress(url)}": ${scheme}:// is not supported, expected a file or ` +
        "one of rtmp rtmps rtsp srt udp tcp rtp http https icecast ftp sftp",
    );
  }
  const chosen = format ?? known ?? extensionOf(url.replace(/[?#][^]*$/, ""));
  const type = typeOf(chosen);
  if (type === "" || !url.replace(/^\w+:\/\//, "").includes("/") && known === undefined) {
    throw new UsageError(
      `Cannot write to "${
        shownAddress(url)
      }": its name tells no type, expected --format as well, ` +
        "such as mpegts",
    );
  }
  const isRtsp = type === "rtsp";
  const isPlaylist = type === "hls" || type === "dash";
  return {
    name: withPacketSize(url, type),
    type,
    muxer: isImageType(type) ? "image2pipe" : muxerOf(chosen),
    // Audio types, and those that players of H.264 do not read, have codecs of their own.
    watched: LIVE_TYPES.has(type) && isUrlOutput(url) ? "live" : undefined,
    options: [
      ...(isRtsp ? ["-rtsp_transport", "tcp"] : PATIENCE),
      ...(isPlaylist ? ["-method", "PUT"] : ["-flush_packets", "1"]),
      ...(isUrlOutput(url) ? unseekableOptions(type) : []),
    ],
  };
}

/**
 * Target for a playlist, HLS (RFC 8216) or DASH, with its segments in the same folder.
 *
 * @param endless the playlist names the newest segments only, others are removed
 */
export function playlistTarget(
  path: string,
  { format, endless }: { format?: string; endless: boolean },
): OutputTarget {
  const muxer = format === undefined ? muxerOf(extensionOf(path)) : muxerOf(format);
  const target = { name: `file:${path}`, type: muxer, muxer, watched: "segments" as const };
  const slash = path.lastIndexOf("/") + 1;
  const stem = path.slice(slash).replace(/\.[^.]*$/, "");
  if (muxer === "dash") {
    const names = stem.replaceAll("$", "$$$$");
    return {
      ...target,
      options: [
        ...["-seg_duration", String(SEGMENT_DURATION)],
        ...["-init_seg_name", `${names}-$RepresentationID$-init.m4s`],
        ...["-media_seg_name", `${names}-$RepresentationID$-$Number%05d$.m4s`],
        ...(endless ? ["-window_size", String(WINDOW), "-extra_window_size", "2"] : []),
      ],
    };
  }
  const pieces = `file:${path.slice(0, slash)}${stem}`;
  const flags = ["independent_segments", "temp_file", ...(endless ? ["delete_segments"] : [])];
  return {
    ...target,
    options: [
      ...["-hls_time", String(SEGMENT_DURATION), "-hls_segment_filename", `${pieces}%05d.ts`],
      ...["-hls_flags", flags.join("+")],
      ...(endless ? ["-hls_list_size", String(WINDOW)] : ["-hls_playlist_type", "vod"]),
    ],
  };
}

/** A URL without its password and query, for messages. */
export function shownAddress(url: string): string {
  return hideSecrets(url).replace(/\?[^]*$/, "?***");
}

/** Removes the secrets of a URL from a text about it. */
export function withoutSecrets(text: string, url: string): string {
  const { password, query } = secretsOf(url);
  const hidden = [password, query].reduce(
    (rest, secret) => secret.length > 2 ? rest.replaceAll(secret, "***") : rest,
    text.replaceAll(url, shownAddress(url)),
  );
  return hideSecrets(hidden);
}

function secretsOf(url: string): { password: string; query: string } {
  const [, password = ""] = url.match(/\/\/[^/?#\s:@]*:([^/?#\s]*)@/) ?? [];
  const [, query = ""] = url.match(/\?([^]*)$/) ?? [];
  return { password, query };
}

function withPacketSize(url: string, type: string): string {
  if (type !== "ts" || !/^(udp|srt):/i.test(url) || /[?&]pkt_size=/.test(url)) return url;
  return `${url}${url.includes("?") ? "&" : "?"}${DATAGRAM_SIZE}`;
}
