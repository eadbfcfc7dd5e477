/** The playlist of HLS (RFC 8216, section 4). */
import { SEGMENT_LENGTH } from "./segmenter.ts";

/** A segment of a playlist. */
export interface ListedSegment {
  /** Its file, relative to the playlist. */
  file: string;
  /** The file that decoders need before it. */
  init: string;
  /** Seconds. */
  duration: number;
}

/** A playlist. */
export interface Playlist {
  segments: readonly ListedSegment[];
  /** Number of the first segment; those before are gone. */
  sequence: number;
  /** Changes of the streams before the first segment. */
  discontinuities: number;
  /** Seconds of the longest segment so far. */
  longest: number;
  /** No more segments follow. */
  isEnded: boolean;
  /** The query of all its files, `""` or with its question mark. */
  query: string;
}

/** Version of the format with fragmented MP4 in playlists of any kind. */
const VERSION = 7;

/** Media type of a playlist. */
export const PLAYLIST_TYPE = "application/vnd.apple.mpegurl";

/** Writes a playlist. */
export function encodePlaylist(playlist: Playlist): string {
  const { segments, sequence, discontinuities, longest, isEnded, query } = playlist;
  const lines = [
    "#EXTM3U",
    `#EXT-X-VERSION:${VERSION}`,
    `#EXT-X-TARGETDURATION:${Math.max(SEGMENT_LENGTH, Math.round(longest))}`,
    `#EXT-X-MEDIA-SEQUENCE:${sequence}`,
    `#EXT-X-DISCONTINUITY-SEQUENCE:${discontinuities}`,
    "#EXT-X-INDEPENDENT-SEGMENTS",
  ];
  let before: string | undefined;
  for (const { file, init, duration } of segments) {
    if (before !== undefined && init !== before) lines.push("#EXT-X-DISCONTINUITY");
    if (init !== before) lines.push(`#EXT-X-MAP:URI="${init}${query}"`);
    lines.push(`#EXTINF:${duration.toFixed(6)},`, `${file}${query}`);
    before = init;
  }
  if (isEnded) lines.push("#EXT-X-ENDLIST");
  return `${lines.join("\n")}\n`;
}
