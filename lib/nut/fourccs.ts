/**
 * The four bytes by which FFmpeg's NUT names the codecs of copied packets, found by experiment.
 *
 * FFmpeg keeps the tag of the container if NUT knows it for the codec; otherwise each codec has one.
 */

/** Four bytes by FFmpeg's name of the codec. */
const BY_CODEC: Readonly<Record<string, string>> = {
  ...{ h264: "H264", hevc: "HEVC", av1: "AV01", vp8: "VP80", vp9: "VP90", mpeg4: "FMP4" },
  ...{ mpeg1video: "mpg1", mpeg2video: "mpg2", mjpeg: "MJPG", theora: "theo", dirac: "drac" },
  ...{ h261: "H261", h263: "H263", snow: "SNOW", msmpeg4v3: "MP43", png: "MPNG" },
  ...{ aac: "\xff\0\0\0", mp3: "U\0\0\0", mp2: "P\0\0\0", ac3: "\0 \0\0", dts: "\x01 \0\0" },
  ...{ opus: "Opus", vorbis: "oV\0\0", flac: "\xac\xf1\0\0", wavpack: "wvpk" },
  ...{ pcm_alaw: "\x06\0\0\0", pcm_mulaw: "\x07\0\0\0", pcm_u8: "PUD\x08", pcm_s8: "PSD\x08" },
  ...{ pcm_s16le: "PSD\x10", pcm_s24le: "PSD\x18", pcm_s32le: "PSD ", pcm_s64le: "PSD@" },
  ...{ pcm_s16be: "\x10DSP", pcm_s24be: "\x18DSP", pcm_s32be: " DSP", pcm_s64be: "@DSP" },
  ...{ pcm_f32le: "PFD ", pcm_f64le: "PFD@", pcm_f32be: " DFP", pcm_f64be: "@DFP" },
};

/** Tags of containers that FFmpeg keeps. */
const KEPT: Readonly<Record<string, readonly string[]>> = {
  h264: ["avc1", "davc", "H264", "X264"],
  av1: ["av01", "AV01"],
  vp8: ["VP80"],
  vp9: ["VP90"],
  mpeg4: ["mp4v", "DIVX", "XVID", "3IV2", "FMP4"],
  mjpeg: ["jpeg", "mjpa", "dmb1", "MJPG"],
  prores: ["apch", "apcn", "apcs", "apco", "ap4h", "ap4x"],
  opus: ["Opus"],
  pcm_alaw: ["alaw"],
  pcm_mulaw: ["ulaw"],
};

/** Tags of containers that FFmpeg replaces. */
const REPLACED = new Set([
  ...["avc2", "avc3", "avc4", "dvav", "dva1", "hvc1", "hev1", "vp08", "vp09", "m4ds", "mp4v"],
  ...["AVDJ", "AVRn", "m2v1", "m1v ", "png "],
  ...["mp4a", ".mp3", ".mp2", "ac-3", "dtsc", "fLaC", "sowt", "twos", "raw ", "lpcm"],
  ...["in24", "in32", "fl32", "fl64"],
]);

/**
 * NUT's four bytes of copied packets, each as one Latin-1 character; `undefined` if they are not
 * known.
 *
 * @param codec FFmpeg's name
 * @param tag the four bytes by which the container of the packets names it; absent if it has none
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { copiedFourcc } from "./fourccs.ts";
 *
 * assertEquals(copiedFourcc("h264"), "H264");
 * assertEquals(copiedFourcc("h264", "avc1"), "avc1");
 * assertEquals(copiedFourcc("hevc", "hvc1"), "HEVC");
 * assertEquals(copiedFourcc("h264", "????"), undefined);
 * ```
 */
export function copiedFourcc(codec: string, tag?: string): string | undefined {
  if (tag !== undefined && KEPT[codec]?.includes(tag)) return tag;
  return tag === undefined || REPLACED.has(tag) ? BY_CODEC[codec] : undefined;
}
