/** Media types of files, and their names for downloads. */

/** Media types by extension, for what FFmpeg reads and browsers, players and editors know. */
const TYPES: Readonly<Record<string, string>> = {
  // Video.
  "3gp": "video/3gpp",
  avi: "video/x-msvideo",
  flv: "video/x-flv",
  m2ts: "video/mp2t",
  m4v: "video/mp4",
  mjpeg: "video/x-motion-jpeg",
  mkv: "video/matroska",
  mov: "video/quicktime",
  mp4: "video/mp4",
  mpeg: "video/mpeg",
  mpg: "video/mpeg",
  mts: "video/mp2t",
  mxf: "application/mxf",
  ogv: "video/ogg",
  ts: "video/mp2t",
  webm: "video/webm",
  wmv: "video/x-ms-wmv",
  // Audio.
  aac: "audio/aac",
  ac3: "audio/ac3",
  aiff: "audio/aiff",
  flac: "audio/flac",
  m4a: "audio/mp4",
  mka: "audio/matroska",
  mp3: "audio/mpeg",
  oga: "audio/ogg",
  ogg: "audio/ogg",
  opus: "audio/ogg",
  wav: "audio/wav",
  wma: "audio/x-ms-wma",
  // Images; not SVG, which browsers would run scripts of.
  avif: "image/avif",
  bmp: "image/bmp",
  gif: "image/gif",
  heic: "image/heic",
  jpeg: "image/jpeg",
  jpg: "image/jpeg",
  jxl: "image/jxl",
  png: "image/png",
  tif: "image/tiff",
  tiff: "image/tiff",
  webp: "image/webp",
};

/** Media type of a file by its name. */
export function mediaTypeOf(name: string): string {
  const extension = /\.([^./]+)$/.exec(name)?.[1].toLowerCase() ?? "";
  return Object.hasOwn(TYPES, extension) ? TYPES[extension] : "application/octet-stream";
}

/**
 * The header Content-Disposition for a file (RFC 6266): its name without folders, for programs that
 * know only ASCII, and in full.
 *
 * @param name as listed
 * @param disposition `attachment` to save the file, `inline` to show it
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { dispositionOf } from "./media_types.ts";
 *
 * assertEquals(dispositionOf("trips/sea.mkv", "inline"), 'inline; filename="sea.mkv"');
 * ```
 */
export function dispositionOf(name: string, disposition: "attachment" | "inline"): string {
  const file = name.slice(name.lastIndexOf("/") + 1).toWellFormed();
  const plain = file.replaceAll(/[^\x20-\x7e]|["\\%]/gu, "_");
  if (plain === file) return `${disposition}; filename="${plain}"`;
  // Of those that encodeURIComponent() leaves, these have to be encoded, too (RFC 8187).
  const encoded = encodeURIComponent(file).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${disposition}; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
