/** Describes the streams of a live source by its NUT headers. */
import { RequestError } from "../../base/errors.ts";
import { bitsPerPixel } from "../../ffmpeg/pixel_formats.ts";
import { rawFourcc } from "../../ffmpeg/raw_fourccs.ts";
import type { Rendition } from "../../ffmpeg/rendition.ts";
import type { Encoding, StreamDescription, VideoStream } from "../../media/frame.ts";
import type { NutStream } from "../../nut/demuxer.ts";

/** Stream ids as they are sent. */
const VIDEO_ID = 0;
const AUDIO_ID = 1;

/** NUT's four bytes of raw video as FFmpeg writes them, and FFmpeg's pixel formats. */
const PIXEL_FORMATS: Record<string, string> = {
  "I420": "yuv420p",
  "Y42B": "yuv422p",
  "444P": "yuv444p",
  "440P": "yuv440p",
  "Y41B": "yuv411p",
  "YUV9": "yuv410p",
  "NV12": "nv12",
  "NV21": "nv21",
  "YUY2": "yuyv422",
  "UYVY": "uyvy422",
  "YVYU": "yvyu422",
  "RGB\x18": "rgb24",
  "BGR\x18": "bgr24",
  "RGBA": "rgba",
  "BGRA": "bgra",
  "ARGB": "argb",
  "ABGR": "abgr",
  "RGB\0": "rgb0",
  "BGR\0": "bgr0",
  "\0RGB": "0rgb",
  "\0BGR": "0bgr",
  "Y800": "gray",
  "Y1\0\x0a": "gray10le",
  "Y1\0\x0c": "gray12le",
  "Y1\0\x10": "gray16le",
  "Y2\0\x08": "ya8",
  "Y4\x0b\x08": "yuva420p",
  "Y4\x0a\x08": "yuva422p",
  "Y4\0\x08": "yuva444p",
  "G3\0\x08": "gbrp",
  "G4\0\x08": "gbrap",
  "G3\0\x0a": "gbrp10le",
  "Y3\x0b\x0a": "yuv420p10le",
  "Y3\x0a\x0a": "yuv422p10le",
  "Y3\0\x0a": "yuv444p10le",
  "Y3\x0b\x0c": "yuv420p12le",
  "Y3\x0a\x0c": "yuv422p12le",
  "Y3\0\x0c": "yuv444p12le",
  "RGB0": "rgb48le",
  "BGR0": "bgr48le",
  "RBA@": "rgba64le",
};

/**
 * Pixel formats in which raw video of a live source is sent; FFmpeg converts others to the nearest one.
 * Without full-range variants (`yuvj420p`), since NUT does not state the range.
 */
export const SENT_RAW: readonly string[] = Object.values(PIXEL_FORMATS);

/** NUT's bytes of codecs whose packets are copied, and FFmpeg's names. */
const CODECS: Record<string, string> = {
  ...named("h264", "H264", "h264", "avc1", "avc3", "X264", "x264", "DAVC"),
  ...named("hevc", "HEVC", "hevc", "hvc1", "hev1", "H265", "h265"),
  ...named("vp8", "VP80", "VP8 "),
  ...named("vp9", "VP90", "vp09"),
  ...named("av1", "AV01", "av01"),
  ...named("mpeg4", "FMP4", "mp4v", "MP4V", "XVID", "DIVX", "DX50", "xvid", "divx"),
  ...named("mpeg2video", "mpg2", "MPG2", "MPEG", "mpgv"),
  ...named("mpeg1video", "mpg1", "MPG1"),
  ...named("mjpeg", "MJPG", "mjpg", "JPEG", "jpeg", "mjpa", "dmb1"),
  ...named("h263", "H263", "h263", "s263", "U263"),
  ...named("ffv1", "FFV1"),
  ...named("huffyuv", "HFYU"),
  ...named("ffvhuff", "FFVH"),
  ...named("png", "MPNG", "png "),
  ...named("theora", "theo", "Thra"),
  ...named("flv1", "FLV1"),
  ...named("dvvideo", "dvsd", "dvcp", "dvc ", "dv25"),
  ...named("prores", "apch", "apcn", "apcs", "apco", "ap4h", "ap4x"),
  ...named("jpeg2000", "mjp2", "MJ2C"),
  ...named("dirac", "drac"),
  ...named("gif", "GIF\0"),
  ...named("aac", "\xff\0\0\0", "mp4a", "\x0f\0\0\0"),
  ...named("mp3", "U\0\0\0", ".mp3", "\x03\0\0\0"),
  ...named("mp2", "P\0\0\0"),
  ...named("ac3", "\0 \0\0", "ac-3"),
  ...named("dts", "\x01 \0\0"),
  ...named("opus", "Opus"),
  ...named("vorbis", "oV\0\0"),
  ...named("flac", "\xac\xf1\0\0", "fLaC"),
  ...named("speex", "\x09\xa1\0\0"),
  ...named("wavpack", "wvpk"),
  ...named("pcm_alaw", "\x06\0\0\0", "alaw"),
  ...named("pcm_mulaw", "\x07\0\0\0", "ulaw"),
  ...named("pcm_s16le", "PSD\x10", "\x01\0\0\0", "sowt"),
  ...named("pcm_s16be", "\x10DSP", "twos"),
  ...named("pcm_s24le", "PSD\x18"),
  ...named("pcm_s32le", "PSD\x20"),
  ...named("pcm_u8", "PUD\x08"),
  ...named("pcm_f32le", "PFD\x20"),
  ...named("adpcm_ima_wav", "\x11\0\0\0"),
  ...named("adpcm_ms", "\x02\0\0\0"),
};

/** Name of a codec that is not in the table. */
const UNKNOWN = "unknown";

/** Range and matrix of encodings to whose defaults video is converted. */
const DEFAULT_COLORS: Partial<Record<Encoding, Pick<VideoStream, "colorRange" | "colorSpace">>> = {
  h264: { colorRange: "tv", colorSpace: "smpte170m" },
  mjpeg: { colorRange: "pc", colorSpace: "bt470bg" },
};

/** Options of {@linkcode describeLive}. */
export interface LiveDescriptionOptions {
  /** Compressed video has the default colours of its encoding. */
  restatesColors?: boolean;
  /** Accept codecs that are not in the table: FFmpeg, which reads them, may know them. */
  isCapture?: boolean;
}

/**
 * Describes the streams that FFmpeg writes, video before audio.
 *
 * @throws {RequestError} `unsupported` for a codec or pixel format that is not in the tables
 */
export function describeLive(
  found: readonly NutStream[],
  rendition: Rendition,
  { restatesColors = false, isCapture = false }: LiveDescriptionOptions = {},
): StreamDescription[] {
  const video = found.find(({ type }) => type === "video");
  const audio = found.find(({ type }) => type === "audio");
  const colors = restatesColors ? DEFAULT_COLORS[rendition.encoding ?? "raw"] : undefined;
  const streams = [
    ...(video === undefined ? [] : [{ ...describeVideo(video, rendition), ...colors }]),
    ...(audio === undefined ? [] : [describeAudio(audio)]),
  ];
  if (!isCapture) refuseUnknown(streams);
  return streams;
}

/** @throws {RequestError} `unsupported` for a codec whose name is unknown */
export function refuseUnknown(streams: readonly StreamDescription[]): void {
  for (const { codec, fourcc } of streams) {
    if (codec === UNKNOWN) throw unknownCodec("codec", fourcc);
  }
}

/** Bytes of a raw video frame; of a compressed one, its size as 4:2:0. 0 without video. */
export function decodedFrameSize(streams: readonly StreamDescription[]): number {
  const video = streams.find((stream) => stream.type === "video");
  if (video === undefined) return 0;
  const bits = bitsPerPixel(video.pixelFormat ?? "yuv420p") ?? 24;
  return Math.ceil(video.width * video.height * bits / 8);
}

/** Whether the frames of a source are raw, and in a rendition already. */
export function isSentAsIs(
  { streams }: { streams: readonly StreamDescription[] },
  { encoding = "raw", pixelFormat, width, height, fps, deinterlace }: Rendition,
): boolean {
  // There is nothing to encode in a source of data alone.
  if (streams.length === 0) return true;
  return encoding === "raw" && fps === undefined && !deinterlace &&
    streams.every((stream) =>
      stream.type === "audio" ? stream.codec.startsWith("pcm_") : stream.codec === "rawvideo" &&
        (pixelFormat ?? stream.pixelFormat) === stream.pixelFormat &&
        (width ?? stream.width) === stream.width && (height ?? stream.height) === stream.height
    );
}

/** NUT's four bytes of a codec or pixel format; those of an unknown one are zero. */
export function fourccOf(codec: string, pixelFormat?: string): string {
  const fourcc = codec === "rawvideo"
    ? rawFourcc(pixelFormat ?? "")
    : Object.entries(CODECS).find(([, known]) => known === codec)?.[0];
  return fourcc ?? "\0\0\0\0";
}

/** The id in which one of FFmpeg's streams is sent; `undefined` if it is not sent. */
export function liveStreamId(found: readonly NutStream[], id: number): number | undefined {
  const type = found.find((stream) => stream.id === id)?.type;
  return type === "video" ? VIDEO_ID : type === "audio" ? AUDIO_ID : undefined;
}

function describeVideo(nut: NutStream, rendition: Rendition): VideoStream {
  const { encoding = "raw", pixelFormat, fps } = rendition;
  const found = PIXEL_FORMATS[nut.fourcc];
  const isRaw = encoding === "raw" || (encoding === "copy" && found !== undefined);
  const codec = isRaw ? "rawvideo" : codecOf(nut);
  const rawFormat = pixelFormat ?? found;
  if (isRaw && rawFormat === undefined) throw unknownCodec("pixel format", nut.fourcc);
  return {
    ...baseOf(nut, codec),
    id: VIDEO_ID,
    type: "video",
    width: nut.width ?? 0,
    height: nut.height ?? 0,
    pixelFormat: isRaw ? rawFormat : undefined,
    frameRate: fps === undefined ? undefined : [Math.round(fps * 1000), 1000],
    sampleAspectRatio: nut.sampleAspectRatio,
    decodeDelay: nut.decodeDelay === 0 ? undefined : nut.decodeDelay,
  };
}

function describeAudio(nut: NutStream): StreamDescription {
  const { sampleRate = 0, channels = 0 } = nut;
  return { ...baseOf(nut, codecOf(nut)), id: AUDIO_ID, type: "audio", sampleRate, channels };
}

function baseOf({ fourcc, timeBase, extradata }: NutStream, codec: string) {
  return { codec, fourcc: fourBytes(fourcc), timeBase, extradata };
}

function codecOf(nut: NutStream): string {
  return CODECS[fourBytes(nut.fourcc)] ?? UNKNOWN;
}

/** NUT may name audio codecs by two bytes, the numbers of WAVE. */
function fourBytes(fourcc: string): string {
  return fourcc.padEnd(4, "\0");
}

function unknownCodec(what: string, fourcc: string): RequestError {
  const shown = JSON.stringify(fourcc);
  return new RequestError(
    "unsupported",
    `Cannot pass on ${what} ${shown}: it is not known, ask for encoding h264 or mjpeg`,
  );
}

function named(codec: string, ...fourccs: readonly string[]): Record<string, string> {
  return Object.fromEntries(fourccs.map((fourcc) => [fourcc, codec]));
}
