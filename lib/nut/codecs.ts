/**
 * FFmpeg's names of the codecs that it copies into NUT and reads back unchanged, found by experiment.
 * Others have no fourcc in NUT (QuickTime animation, ALAC, WebP), come back as another codec
 * (E-AC-3), or without what their decoder needs (Windows Media audio).
 */
const CARRIED = new Set(
  [
    "h264 hevc av1 vp8 vp9 mpeg4 mpeg2video mpeg1video mjpeg theora h261 h263 flv1 dirac snow",
    "msmpeg4v2 msmpeg4v3 wmv1 wmv2 msvideo1 cinepak svq1 asv1 asv2 amv speedhq flashsv zmbv zlib",
    "ffv1 ffvhuff huffyuv utvideo magicyuv png gif jpeg2000 jpegls targa dpx",
    "prores dvvideo cfhd hap cljr r210 r10k v210 v308 v408 v410 ayuv y41p yuv4",
    "aac mp3 mp2 ac3 dts opus vorbis flac wavpack speex g723_1 gsm_ms",
    "adpcm_g722 adpcm_ima_wav adpcm_ms adpcm_swf adpcm_yamaha",
    "pcm_alaw pcm_mulaw pcm_u8 pcm_s8 pcm_s16le pcm_s16be pcm_u16le pcm_u16be pcm_s24le pcm_s24be",
    "pcm_u24le pcm_u24be pcm_s32le pcm_s32be pcm_u32le pcm_u32be pcm_s64le pcm_s64be",
    "pcm_f32le pcm_f32be pcm_f64le pcm_f64be",
    "pcm_s8_planar pcm_s16le_planar pcm_s16be_planar pcm_s24le_planar pcm_s32le_planar",
  ].flatMap((names) => names.split(" ")),
);

/** Lossless audio codecs that NUT does not carry. */
const LOSSLESS_SOUND = /^(alac|ape|tta|mlp|truehd|tak|shorten|als|wmalossless|ralf|pcm_.*)$/;

/**
 * Whether NUT carries packets of a codec unchanged.
 *
 * @param codec FFmpeg's name
 */
export function isCarried(codec: string): boolean {
  return CARRIED.has(codec);
}

/** Whether an audio codec that NUT does not carry is lossless, so that its replacement should be. */
export function isLosslessSound(codec: string): boolean {
  return LOSSLESS_SOUND.test(codec);
}
