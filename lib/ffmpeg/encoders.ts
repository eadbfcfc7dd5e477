/** FFmpeg's encoders of H.264 in hardware, and its arguments for them. */

/** FFmpeg's names of the encoders of H.264 that can be chosen. */
export const H264_ENCODERS = [
  "libx264",
  "h264_vaapi",
  "h264_nvenc",
  "h264_qsv",
  "h264_videotoolbox",
  "h264_v4l2m2m",
] as const;

/** One of {@linkcode H264_ENCODERS}. */
export type H264Encoder = typeof H264_ENCODERS[number];

/** An encoder that runs in hardware. */
export type HardwareEncoder = Exclude<H264Encoder, "libx264">;

/** Values of `--encoder`. */
export const ENCODER_CHOICES = ["auto", ...H264_ENCODERS] as const;

/** One of {@linkcode ENCODER_CHOICES}. */
export type EncoderChoice = typeof ENCODER_CHOICES[number];

/** How FFmpeg decodes video, and encodes H.264. */
export interface Hardware {
  encoder: H264Encoder;
  /** FFmpeg's name of the method that decodes. @default the processor decodes */
  hwaccel?: string;
}

/** The processor decodes and encodes. */
export const SOFTWARE: Hardware = { encoder: "libx264" };

/** Constant quantizer of encoders without a bitrate: the default quality of x264. */
const QUANTIZER = "23";

/** Quality of VideoToolbox, which counts up to 100. */
const VIDEOTOOLBOX_QUALITY = "65";

/** Bits per second of encoders that need a bitrate if none is requested: enough for 1080p. */
const ASSUMED_BITRATE = 4_000_000;

/** FFmpeg's name of the device that {@linkcode deviceArguments} open. */
const DEVICE = "encoder";

/** The arguments that one encoder needs. */
interface EncoderTraits {
  /** FFmpeg's type of the device to open; absent if the encoder opens it itself. */
  device?: string;
  /** FFmpeg's names of filters behind all others, the last of which sets the pixel format. */
  filters: readonly string[];
  /** Settings for low delay and for keyframes that a decoder may begin at. */
  settings: readonly string[];
  /** Constant quality. */
  quality: readonly string[];
  /** A bitrate on average and, over a second, at most; by default as x264 takes it. */
  bitrate?: (bitsPerSecond: number) => readonly string[];
}

const TRAITS: Readonly<Record<HardwareEncoder, EncoderTraits>> = {
  h264_vaapi: {
    device: "vaapi",
    filters: ["format=nv12", "hwupload"],
    settings: ["-async_depth", "1"],
    // Drivers lack the other modes of constant quality.
    quality: ["-rc_mode", "CQP", "-qp", QUANTIZER],
    bitrate: (rate) => ["-rc_mode", "VBR", ...limitedRate(rate)],
  },
  h264_nvenc: {
    filters: ["format=yuv420p"],
    settings: [
      ...["-preset", "p4", "-tune", "ull", "-profile:v", "high", "-zerolatency", "1"],
      ...["-delay", "0", "-forced-idr", "1"],
    ],
    quality: ["-rc", "constqp", "-qp", QUANTIZER],
    bitrate: (rate) => ["-rc", "vbr", ...limitedRate(rate)],
  },
  h264_qsv: {
    filters: ["format=nv12"],
    settings: ["-preset", "veryfast", "-async_depth", "1", "-forced_idr", "1"],
    quality: ["-q:v", QUANTIZER],
  },
  h264_videotoolbox: {
    filters: ["format=nv12"],
    settings: ["-realtime", "1", "-profile:v", "high"],
    quality: ["-q:v", VIDEOTOOLBOX_QUALITY],
  },
  h264_v4l2m2m: {
    filters: ["format=yuv420p"],
    settings: [],
    // It knows bitrates only.
    quality: ["-b:v", String(ASSUMED_BITRATE)],
    bitrate: (rate) => ["-b:v", String(rate)],
  },
};

/**
 * Encoders that are tried for `auto`, the first one that works is used. A graphics card comes before
 * the graphics of the processor; VA-API needs fewer libraries than Quick Sync, which is the same
 * hardware. Not `h264_v4l2m2m`: FFmpeg's wrapper gives the parameter sets with the first frame only,
 * so that viewers cannot join later.
 *
 * @param system operating system, by Deno's name
 */
export function encodersOf(system: string): readonly HardwareEncoder[] {
  if (system === "darwin") return ["h264_videotoolbox"];
  if (system === "windows") return ["h264_nvenc", "h264_qsv"];
  return ["h264_nvenc", "h264_vaapi", "h264_qsv"];
}

/** Options of {@linkcode encoderArguments}. */
export interface EncoderOptions {
  /** Bits per second; constant quality without it. */
  bitrate?: number;
  /** Frames from one keyframe to the next at most. */
  keyframeDistance: number;
}

/** FFmpeg's global arguments that open the device of an encoder; once in a command line. */
export function deviceArguments(encoder: HardwareEncoder): string[] {
  const { device } = TRAITS[encoder];
  if (device === undefined) return [];
  return ["-init_hw_device", `${device}=${DEVICE}`, "-filter_hw_device", DEVICE];
}

/** FFmpeg's filters that give an encoder its frames, in place of a conversion to `yuv420p`. */
export function encoderFilters(encoder: HardwareEncoder): readonly string[] {
  return TRAITS[encoder].filters;
}

/** FFmpeg's output arguments for an encoder: without reordered frames, and with little delay. */
export function encoderArguments(
  encoder: HardwareEncoder,
  { bitrate, keyframeDistance }: EncoderOptions,
): string[] {
  const { settings, quality, bitrate: rated = limitedRate } = TRAITS[encoder];
  return [
    ...["-c:v", encoder, ...settings, "-bf", "0", "-g", String(keyframeDistance)],
    ...(bitrate === undefined ? quality : rated(bitrate)),
  ];
}

function limitedRate(bitsPerSecond: number): string[] {
  return ["-b:v", "-maxrate", "-bufsize"].flatMap((flag) => [flag, String(bitsPerSecond)]);
}

/** FFmpeg's input arguments for decoding in hardware; the frames come back as the processor's do. */
export function decodingArguments({ hwaccel }: Hardware = SOFTWARE): string[] {
  return hwaccel === undefined ? [] : ["-hwaccel", hwaccel];
}

/** Codecs whose standards state each decoded pixel, by FFmpeg's names. */
const EXACT_CODECS = new Set(["h264", "hevc", "vp8", "vp9", "av1"]);

/**
 * Whether video is the same to the byte when it is made a second time, perhaps on another machine.
 * Hardware that encodes promises nothing, and hardware that decodes only what the standard states.
 *
 * @param codec FFmpeg's name of the codec that is decoded
 */
export function isRepeatable(
  { encoder, hwaccel }: Hardware,
  { encoding, codec }: { encoding: string; codec: string },
): boolean {
  if (encoding === "copy") return true;
  if (encoding === "h264" && encoder !== "libx264") return false;
  return hwaccel === undefined || EXACT_CODECS.has(codec);
}
