/** What raw frames of a file are. Pure. */
import type { AudioStream, VideoStream } from "../core/frame.ts";
import type { NutStream } from "./nut_demux.ts";
import { rawPixelFormat } from "./pixel_format.ts";
import type { AudioInfo, VideoInfo } from "./probe.ts";
import { pcmCodec, type RawOptions } from "./raw_arguments.ts";

/** Stream ids as they are sent. */
const VIDEO_ID = 0;
const AUDIO_ID = 1;

/** FFmpeg's names of PCM codecs, and NUT's (nut4cc.txt): `PSD` and the bits of a sample. */
const PCM_FOURCC: Record<string, string> = { pcm_s16le: "PSD\x10", pcm_s32le: "PSD\x20" };

/** Describes raw pictures: what NUT says of them, and what only the file says. */
export function toVideoStream(nut: NutStream, info: VideoInfo, options: RawOptions): VideoStream {
  const pixelFormat = options.pixelFormat ?? rawPixelFormat(info.pixelFormat);
  const asIs = options.pixelFormat === undefined;
  return {
    id: VIDEO_ID,
    type: "video",
    codec: "rawvideo",
    fourcc: nut.fourcc,
    timeBase: options.still ? nut.timeBase : sourceTimeBase(nut, info),
    extradata: nut.extradata,
    width: nut.width ?? info.width,
    height: nut.height ?? info.height,
    pixelFormat,
    frameRate: info.frameRate,
    sampleAspectRatio: nut.sampleAspectRatio,
    colorRange: asIs ? info.colorRange : undefined,
    colorSpace: asIs ? info.colorSpace : undefined,
  };
}

/** The source's own time base where NUT's is a refinement of it, as FFmpeg makes it. */
function sourceTimeBase(nut: NutStream, { timeBase }: VideoInfo): VideoStream["timeBase"] {
  const ticks = (timeBase[0] * nut.timeBase[1]) / (timeBase[1] * nut.timeBase[0]);
  return Number.isInteger(ticks) ? timeBase : nut.timeBase;
}

/** Describes PCM before FFmpeg does. */
export function toAudioStream(info: AudioInfo): AudioStream {
  const codec = pcmCodec(info);
  return {
    id: AUDIO_ID,
    type: "audio",
    codec,
    fourcc: PCM_FOURCC[codec],
    timeBase: [1, info.sampleRate],
    extradata: new Uint8Array(0),
    sampleRate: info.sampleRate,
    channels: info.channels,
  };
}
