/** The content of a file by its name, before anybody has looked into it. */

/** Kind of media by the extension of a name. */
export type NamedKind = "image" | "video" | "audio";

/** The usual extensions of media. Others are looked at by content, and listed if that is media. */
const EXTENSIONS: Readonly<Record<NamedKind, string>> = {
  image: "jpg jpeg jpe jfif png webp bmp dib tif tiff heic heif avif jxl jp2 j2k tga exr dpx " +
    "psd ppm pgm pbm pnm pam qoi dng ico gif",
  video: "mp4 m4v mov qt mkv webm avi mpg mpeg mpe m1v m2v vob ts m2ts mts m2t wmv asf flv f4v " +
    "3gp 3g2 ogv ogm mxf nut dv y4m mjpg mjpeg rm rmvb divx h264 264 h265 hevc ivf gxf wtv",
  audio: "mp3 m4a m4b aac wav wave flac ogg oga opus spx wma aif aiff aifc au snd ac3 eac3 dts " +
    "mp2 mka ape wv tta tak caf amr alac ra w64 mpc dsf dff",
};

/**
 * Extensions of files beside media that are never media: texts, subtitles, playlists, documents,
 * programs, archives. They are not looked into, since each would take a process.
 */
const OTHERS =
  "txt text md rst nfo log csv tsv json jsonl xml yaml yml toml ini cfg conf html htm " +
  "css js mjs py pyc ipynb sh bat c h cpp rs go java srt vtt ass ssa sub idx smi lrc cue " +
  "m3u m3u8 pls mpd xspf ffconcat sdp torrent url webloc lnk desktop pdf doc docx odt xls xlsx ods " +
  "ppt pptx zip gz tgz bz2 xz zst 7z rar tar iso exe dll so deb rpm apk dmg db sqlite md5 sha1 " +
  "sha256 sha512 sfv sig asc pem key part crdownload tmp bak swp";

const KINDS = new Map<string, NamedKind>(
  (["image", "video", "audio"] as const).flatMap((kind) =>
    EXTENSIONS[kind].split(" ").map((extension) => [extension, kind] as const)
  ),
);

const NEVER_MEDIA = new Set(OTHERS.split(" "));

/** The kind of media that a name stands for; `undefined` if it says nothing. */
export function kindByName(name: string): NamedKind | undefined {
  return KINDS.get(extensionOf(name));
}

/** Whether a name stands for something beside media, that is not looked into for a list. */
export function isBesideMedia(name: string): boolean {
  return NEVER_MEDIA.has(extensionOf(name));
}

/** The extension in lower case; empty without one. */
function extensionOf(name: string): string {
  const dot = name.lastIndexOf(".");
  return dot <= name.lastIndexOf("/") ? "" : name.slice(dot + 1).toLowerCase();
}
