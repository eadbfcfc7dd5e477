/** What this browser can be fed with. */

/** What a browser's way of feeding media is called there; iPhones have the second alone. */
export const Source = globalThis.MediaSource ??
  /** @type {typeof MediaSource | undefined} */ (Reflect.get(globalThis, "ManagedMediaSource"));

/** Names of codecs, and a type that whoever plays them accepts. */
const PROBES = {
  h264: 'video/mp4; codecs="avc1.640028"',
  vp9: 'video/mp4; codecs="vp09.00.10.08"',
  av1: 'video/mp4; codecs="av01.0.05M.08"',
  hevc: 'video/mp4; codecs="hvc1.1.6.L93.B0"',
  aac: 'audio/mp4; codecs="mp4a.40.2"',
  opus: 'audio/mp4; codecs="opus"',
  flac: 'audio/mp4; codecs="flac"',
  mp3: 'audio/mp4; codecs="mp4a.6B"',
};

/** Whether this browser can be fed at all. */
export function canFeed() {
  return Source !== undefined;
}

/** The codecs that this browser plays, as the query of a play names them. */
export function playableCodecs() {
  return Object.entries(PROBES).filter(([, type]) => Source?.isTypeSupported(type))
    .map(([name]) => name).join(",");
}
