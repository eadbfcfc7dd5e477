/** First packets of streams of real encoders, and what FFmpeg's decoders report about them. */
import type { AudioFacts, Colors, VideoFacts } from "../../../lib/containers/codecs/facts.ts";
import type { PacketTrack } from "../../../lib/containers/packet_file.ts";

/** A stream as an encoder made it; bytes are in base64. */
export interface CodedStream<Facts> {
  name: string;
  /** FFmpeg's name. */
  codec: string;
  extradata: string;
  /** The first packet; of audio the part that matters. */
  packet: string;
  /** Colours of the container, if it states any. */
  container?: Colors;
  /** As ffprobe reports them. */
  expected: Facts;
}

/** Video that ffprobe describes by these fields. */
export type CodedVideo = CodedStream<
  Omit<VideoFacts, "codedWidth" | "codedHeight" | "sampleAspectRatio">
>;

/** The track that a container without further facts would give. */
export function trackOf(stream: CodedVideo | CodedStream<AudioFacts>): PacketTrack {
  const { codec, extradata, container, expected } = stream;
  return {
    index: 0,
    number: 0,
    codec,
    timeBase: [1, 1000],
    extradata: Uint8Array.fromBase64(extradata),
    ...container,
    ...("width" in expected
      ? {
        type: "video",
        width: expected.width,
        height: expected.height,
        sampleAspectRatio: [1, 1],
      }
      : { type: "audio", sampleRate: expected.sampleRate, channels: expected.channels }),
  };
}

/** The bytes of the first packet. */
export function packetOf({ packet }: CodedStream<unknown>): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromBase64(packet);
}

/** Black pictures of 32 × 32 pixels and less. */
export const CODED_VIDEO: readonly CodedVideo[] = [
  {
    name: "av1 420",
    codec: "av1",
    extradata: "gQAMAAoKAAAAAif+bXyAIA==",
    packet: "CgoAAAACJ/5tfIAgMg4QAJaAAAIAAAAAPv07oA==",
    expected: { width: 32, height: 32, pixelFormat: "yuv420p", colorRange: "tv", decodeDelay: 0 },
  },
  {
    name: "av1 422",
    codec: "av1",
    extradata: "gUBIAAoKQAAAAif+bXygQA==",
    packet: "CgpAAAACJ/5tfKBAMg4QAJkAAAIAAAAAPv0+UA==",
    expected: {
      width: 32,
      height: 32,
      pixelFormat: "yuv422p10le",
      colorRange: "tv",
      decodeDelay: 0,
    },
  },
  {
    name: "av1 444",
    codec: "av1",
    extradata: "gSAAAAoMIAAAAif+bXyQEBAZ",
    packet: "CgwgAAACJ/5tfJAQEBkyDhAAloAAAgAAAAA+/TuQ",
    expected: {
      width: 32,
      height: 32,
      pixelFormat: "yuv444p",
      colorRange: "pc",
      colorSpace: "bt709",
      decodeDelay: 0,
    },
  },
  {
    name: "av1 gray",
    codec: "av1",
    extradata: "gQAcAAoJAAAAAif+bXyV",
    packet: "CgkAAAACJ/5tfJUyDRAAloAACAAAAPHn2YA=",
    expected: { width: 32, height: 32, pixelFormat: "gray", colorRange: "pc", decodeDelay: 0 },
  },
  {
    name: "h264 baseline",
    codec: "h264",
    extradata: "AULACv/hABVnQsAK2QlsBEAAAAMAQAAADIPEiZIBAAVoy4PLIA==",
    packet: "AAAADWWIhAzyYoAAsLyddeA=",
    expected: { width: 32, height: 32, pixelFormat: "yuv420p", decodeDelay: 0 },
  },
  {
    name: "h264 colours",
    codec: "h264",
    extradata: "AXoACv/hABtnegAKts2UlsBagICAoAAAAwAgAAAGQeJEssABAAZo6+PLIsD++voA",
    packet: "AAAAFGWIhAAR//73iB8yy2+catdqphTf",
    expected: {
      width: 32,
      height: 32,
      pixelFormat: "yuv422p10le",
      colorRange: "tv",
      colorSpace: "bt709",
      decodeDelay: 2,
    },
  },
  {
    name: "h264 cropped",
    codec: "h264",
    extradata: "AWQACv/hAB1nZAAKrNlJepP/AA0ADxAAAAMAEAAAAwMg8SJZYAEABmjr48siwP34+AA=",
    packet: "AAAAFGWIhAAz//727L4FNhTIUJZ5xxfB",
    container: { colorRange: "tv" },
    expected: { width: 30, height: 26, pixelFormat: "yuv420p", colorRange: "tv", decodeDelay: 2 },
  },
  {
    name: "h264 full",
    codec: "h264",
    extradata: "AWQACv/hABhnZAAKrNlJbAWyAAADAAIAAAMAZB4kSywBAAZo6+PLIsD9+PgA",
    packet: "AAAAFGWIhAAz//727L4FNhTIUJZ5xxfB",
    expected: { width: 32, height: 32, pixelFormat: "yuvj420p", colorRange: "pc", decodeDelay: 2 },
  },
  {
    name: "h264 main",
    codec: "h264",
    extradata: "AWQACv/hABdnZAAKrNlJbARAAAADAEAAAAyDxIllgAEABmjr48siwP34+AA=",
    packet: "AAAAFGWIhAAz//727L4FNhTIUJZ5xxfB",
    expected: { width: 32, height: 32, pixelFormat: "yuv420p", decodeDelay: 2 },
  },
  {
    name: "h264 model",
    codec: "h264",
    extradata: "AWQACf/hACBnZAAJrNlJbARAAAADAEAAAAyYCAGGgAYapMMAeJEssAEABGjvj8v9+PgA",
    packet: "AAAACQYABZPIEEZXgAAAAAcGAQMAAEiAAAAAF2WIhAAv/834HufnTRiV2P/fZQbUchP9",
    expected: { width: 32, height: 32, pixelFormat: "yuv420p", decodeDelay: 2 },
  },
  {
    name: "hevc colours",
    codec: "hevc",
    extradata:
      "AQIgAAAAkAAAAAAAHvAA/P36+gAADwMgAAEAGEABDAH//wIgAAADAJAAAAMAAAMAHpWYCSEAAQAsQgEBAiAA" +
      "AAMAkAAAAwAAAwAeoEIITZZWa5MrwFqEiASCAAADAAIAAAMAMhAiAAEABkQBwXPQiQ==",
    packet: "AAAADSgBrx2A7iWQ//5Lu4A=",
    expected: {
      width: 32,
      height: 32,
      pixelFormat: "yuv420p10le",
      colorRange: "tv",
      colorSpace: "bt2020nc",
      colorTransfer: "smpte2084",
      colorPrimaries: "bt2020",
      decodeDelay: 2,
    },
  },
  {
    name: "hevc cropped",
    codec: "hevc",
    extradata:
      "AQQIAAAAnQgAAAAAHvAA/P74+AAADwMgAAEAF0ABDAH//wQIAAADAJ0IAAADAAAelZgJIQABACxCAQEECAAA" +
      "AwCdCAAAAwAAHrBCCHU+WVmq8r/8ADQAPaAgAAADACAAAAMDISIAAQAGRAHBc9CJ",
    packet: "AAAADigBrx2A7iLe/+x9oXXr",
    expected: { width: 30, height: 26, pixelFormat: "yuv422p", colorRange: "tv", decodeDelay: 2 },
  },
  {
    name: "hevc full",
    codec: "hevc",
    extradata:
      "AQFgAAAAkAAAAAAAHvAA/P34+AAADwMgAAEAGEABDAH//wFgAAADAJAAAAMAAAMAHpKAkCEAAQAoQgEBAWAA" +
      "AAMAkAAAAwAAAwAeoEIIWWSrkyvAWwIAAAMAAgAAAwAyECIAAQAGRAHBc9CJ",
    packet: "AAAADCgBrx2A7iRz//fFmA==",
    expected: { width: 32, height: 32, pixelFormat: "yuvj420p", colorRange: "pc", decodeDelay: 0 },
  },
  {
    name: "hevc lists",
    codec: "hevc",
    extradata:
      "AQFgAAAAkAAAAAAAPPAC/f34+AAAEwQgAAEAHEABDAL//wFgAAADAJAAAAMAAAMAPAAAlZiswEghAAEAPUIB" +
      "AgFgAAADAJAAAAMAAAMAPAAAoEIIWWVmKzXJyvAWgIAAAAMAgAAADLAKSy8AB6EgAPQlwAHoSAA9CRAiAAEA" +
      "BkQBwXPQiScAAQAGTgGBAQ+A",
    packet: "AAAADCgBrx2A7iRz//fFmA==",
    expected: { width: 32, height: 32, pixelFormat: "yuv420p", colorRange: "tv", decodeDelay: 2 },
  },
  {
    name: "hevc main",
    codec: "hevc",
    extradata:
      "AQFgAAAAkAAAAAAAHvAA/P34+AAADwMgAAEAGEABDAH//wFgAAADAJAAAAMAAAMAHpWYCSEAAQAoQgEBAWAA" +
      "AAMAkAAAAwAAAwAeoEIIWWVmuTK8BaAgAAADACAAAAMDISIAAQAGRAHBc9CJ",
    packet: "AAAADCgBrx2A7iRz//fFmA==",
    expected: { width: 32, height: 32, pixelFormat: "yuv420p", colorRange: "tv", decodeDelay: 2 },
  },
  {
    name: "mjpeg 420",
    codec: "mjpeg",
    extradata: "",
    packet: "/9j/4AAQSkZJRgABAgAAAQABAAD//gAQTGF2YzU5LjM3LjEwMAD/2wBDAAgEBAQEBAUFBQUFBQYGBgYGBgYG" +
      "BgYGBgYHBwcICAgHBwcGBgcHCAgICAkJCQgICAgJCQoKCgwMCwsODg4RERT/xABLAAEBAAAAAAAAAAAAAAAA" +
      "AAAACAEBAAAAAAAAAAAAAAAAAAAAABABAAAAAAAAAAAAAAAAAAAAABEBAAAAAAAAAAAAAAAAAAAAAP/AABEI" +
      "ACAAIAMBIgACEQADEQD/2gAMAwEAAhEDEQA/AJ/AAAAAAAB//9k=",
    expected: {
      width: 32,
      height: 32,
      pixelFormat: "yuvj420p",
      colorRange: "pc",
      colorSpace: "bt470bg",
      decodeDelay: 0,
    },
  },
  {
    name: "mjpeg 422",
    codec: "mjpeg",
    extradata: "",
    packet: "/9j/4AAQSkZJRgABAgAAAQABAAD//gAQTGF2YzU5LjM3LjEwMAD/2wBDAAgEBAQEBAUFBQUFBQYGBgYGBgYG" +
      "BgYGBgYHBwcICAgHBwcGBgcHCAgICAkJCQgICAgJCQoKCgwMCwsODg4RERT/xABLAAEBAAAAAAAAAAAAAAAA" +
      "AAAACAEBAAAAAAAAAAAAAAAAAAAAABABAAAAAAAAAAAAAAAAAAAAABEBAAAAAAAAAAAAAAAAAAAAAP/AABEI" +
      "ACAAIAMBIgACEgADEgD/2gAMAwEAAhEDEQA/AJ/AAAAAAAAAAH//2Q==",
    expected: {
      width: 32,
      height: 32,
      pixelFormat: "yuvj422p",
      colorRange: "pc",
      colorSpace: "bt470bg",
      decodeDelay: 0,
    },
  },
  {
    name: "mjpeg limited",
    codec: "mjpeg",
    extradata: "",
    packet: "/9j/4AAQSkZJRgABAgAAAQABAAD//gAQTGF2YzU5LjM3LjEwMAD//gAMQ1M9SVRVNjAxAP/bAEMACAQEBAQE" +
      "BQUFBQUFBgYGBgYGBgYGBgYGBgcHBwgICAcHBwYGBwcICAgICQkJCAgICAkJCgoKDAwLCw4ODhERFP/EAEsA" +
      "AQEAAAAAAAAAAAAAAAAAAAAHAQEAAAAAAAAAAAAAAAAAAAAAEAEAAAAAAAAAAAAAAAAAAAAAEQEAAAAAAAAA" +
      "AAAAAAAAAAAA/8AAEQgAIAAgAwEiAAIRAAMRAP/aAAwDAQACEQMRAD8Ah4AAAAAAAP/Z",
    expected: {
      width: 32,
      height: 32,
      pixelFormat: "yuv420p",
      colorRange: "tv",
      colorSpace: "bt470bg",
      decodeDelay: 0,
    },
  },
  {
    name: "vp8",
    codec: "vp8",
    extradata: "",
    packet: "MAIAnQEqIAAgAABHCIWFiIWEiAICAAeQ88nA/v+rUIA=",
    expected: { width: 32, height: 32, pixelFormat: "yuv420p", decodeDelay: 0 },
  },
  {
    name: "vp9 10",
    codec: "vp9",
    extradata: "",
    packet: "kkmDQgAA+AD7ABwSDgwsAAAYYAAAEN///JOtAAA=",
    expected: {
      width: 32,
      height: 32,
      pixelFormat: "yuv420p10le",
      colorRange: "tv",
      decodeDelay: 0,
    },
  },
  {
    name: "vp9 420",
    codec: "vp9",
    extradata: "",
    packet: "gkmDQgAB8AH2ADgkHBhKAAAwYAAAEN///VkVgAA=",
    expected: { width: 32, height: 32, pixelFormat: "yuv420p", colorRange: "tv", decodeDelay: 0 },
  },
  {
    name: "vp9 444",
    codec: "vp9",
    extradata: "",
    packet: "okmDQlAAPgA+wAcEg4MJQAAGYAAAEN///VkVgAA=",
    expected: {
      width: 32,
      height: 32,
      pixelFormat: "yuv444p",
      colorRange: "pc",
      colorSpace: "bt709",
      decodeDelay: 0,
    },
  },
];

/** Silence. */
export const CODED_AUDIO: readonly CodedStream<AudioFacts>[] = [
  {
    name: "aac 51",
    codec: "aac",
    extradata: "EbBW5QA=",
    packet: "3gIATGF2YzU5LjM3LjEwMAACMEACEQBGCMBGIAjBGBhGAAHA",
    expected: { sampleRate: 48000, channels: 6, sampleFormat: "fltp" },
  },
  {
    name: "aac mono",
    codec: "aac",
    extradata: "EYhW5QA=",
    packet: "3gIATGF2YzU5LjM3LjEwMAACMEAO",
    expected: { sampleRate: 48000, channels: 1, sampleFormat: "fltp" },
  },
  {
    name: "aac stereo",
    codec: "aac",
    extradata: "EhBW5QA=",
    packet: "3gIATGF2YzU5LjM3LjEwMABCIAjBGDg=",
    expected: { sampleRate: 44100, channels: 2, sampleFormat: "fltp" },
  },
  {
    name: "ac3",
    codec: "ac3",
    extradata: "",
    packet: "C3dOdwxAL4Qpw/51fPnz58+fPnz58+fP",
    expected: { sampleRate: 48000, channels: 1, sampleFormat: "fltp" },
  },
  {
    name: "ac3 51",
    codec: "ac3",
    extradata: "",
    packet: "C3coGR5A6/hAPv+ZwghBCCEEIFVePnz5",
    expected: { sampleRate: 48000, channels: 6, sampleFormat: "fltp" },
  },
  {
    name: "ac3 stereo",
    codec: "ac3",
    extradata: "",
    packet: "C3ehelRAQ+EG9XXwgIIQEEFcfPnz58+f",
    expected: { sampleRate: 44100, channels: 2, sampleFormat: "fltp" },
  },
  {
    name: "alac",
    codec: "alac",
    extradata: "AAAAJGFsYWMAAAAAAAAQAAAQKAoOAgAAAABABAAViIAAAKxE",
    packet: "IAAAAAAPCAEAAAAAAAAADwgBAAAAAAAA",
    expected: { sampleRate: 44100, channels: 2, sampleFormat: "s16p" },
  },
  {
    name: "alac 24",
    codec: "alac",
    extradata: "AAAAJGFsYWMAAAAAAAAQAAAYKAoOAQAAAAAwBAARlAAAALuA",
    packet: "AAAEAAAPCAEAAAAAAAAAAAAAAAAAAAAA",
    expected: { sampleRate: 48000, channels: 1, sampleFormat: "s32p" },
  },
  {
    name: "flac",
    codec: "flac",
    extradata: "EgASAAAACwAACwu4APAAABLAdlHxNX0unI/NK/R6KtbXig==",
    packet: "//haCACBAAAAK4g=",
    expected: { sampleRate: 48000, channels: 1, sampleFormat: "s16" },
  },
  {
    name: "flac 24",
    codec: "flac",
    extradata: "EgASAAAAEgAAEgrEQ3AAABE6OIh87ftl36ItXyAK4wGzIA==",
    packet: "//h5HAARObMAAAAAAAAAAEvU",
    expected: { sampleRate: 44100, channels: 2, sampleFormat: "s32" },
  },
  {
    name: "mp3",
    codec: "mp3",
    extradata: "",
    packet: "//uQZAAP8AAAaQAAAAgAAA0gAAABAAAB",
    expected: { sampleRate: 44100, channels: 2, sampleFormat: "fltp" },
  },
  {
    name: "mp3 mono",
    codec: "mp3",
    extradata: "",
    packet: "//NAxAAAAANIAAAAAExBTUUzLjEwMFVV",
    expected: { sampleRate: 22050, channels: 1, sampleFormat: "fltp" },
  },
  {
    name: "opus",
    codec: "opus",
    extradata: "T3B1c0hlYWQBAjgBgLsAAAAAAA==",
    packet: "/P/+",
    expected: { sampleRate: 48000, channels: 2, sampleFormat: "fltp" },
  },
  {
    name: "pcm s24",
    codec: "pcm_s24be",
    extradata: "",
    packet: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    expected: { sampleRate: 44100, channels: 2, sampleFormat: "s32" },
  },
];
