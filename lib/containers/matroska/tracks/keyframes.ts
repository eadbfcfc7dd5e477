/** Keyframes as FFmpeg marks them: its parsers go before the marks of the container. */
import type { PacketTrack } from "../../packet_file.ts";

/** Tells whether a frame is a keyframe. */
export type KeyframeRule = (data: Uint8Array, isMarked: boolean) => boolean;

/** Types of NAL units of H.264 (ITU-T H.264, table 7-1). */
const SLICE = 1, PARTITION = 2, IDR = 5, SEI = 6;

/** The SEI message after which decoding may begin (ITU-T H.264, D.1.8). */
const RECOVERY_POINT = 6;

/** The rule for a track. */
export function keyframeRule({ type, codec, extradata }: PacketTrack): KeyframeRule {
  // Every frame of sound is one.
  if (type === "audio" || codec === "mjpeg") return () => true;
  if (codec === "h264") {
    const lengthSize = (extradata[4] & 3) + 1;
    return (data) => isH264Key(data, lengthSize);
  }
  if (codec === "vp8") return (data) => (data[0] & 1) === 0;
  if (codec === "vp9") return isVp9Key;
  if (codec === "mpeg4") return isMpeg4Key;
  if (codec === "av1") return isAv1Key;
  return (_data, isMarked) => isMarked;
}

/** Whether the first slice is of an IDR picture or follows a recovery point. */
function isH264Key(data: Uint8Array, lengthSize: number): boolean {
  let isRecovery = false;
  for (let at = 0; at + lengthSize < data.byteLength;) {
    let size = 0;
    for (let index = 0; index < lengthSize; index++) size = size * 256 + data[at + index];
    at += lengthSize;
    const type = data[at] & 31;
    if (type === IDR) return true;
    if (type === SLICE || type === PARTITION) return isRecovery;
    if (type === SEI) isRecovery ||= hasRecoveryPoint(data.subarray(at + 1, at + size));
    at += size;
  }
  return false;
}

function hasRecoveryPoint(sei: Uint8Array): boolean {
  const bytes = withoutEmulation(sei);
  for (let at = 0; at + 2 < bytes.length;) {
    let [type, size] = [0, 0];
    while (bytes[at] === 255) type += bytes[at++];
    type += bytes[at++];
    while (bytes[at] === 255) size += bytes[at++];
    size += bytes[at++];
    if (type === RECOVERY_POINT) return true;
    at += size;
  }
  return false;
}

/** Drops the bytes that keep start codes from occurring (ITU-T H.264, 7.4.1). */
function withoutEmulation(bytes: Uint8Array): Uint8Array {
  let zeros = 0;
  return bytes.filter((byte) => {
    const isDropped = zeros >= 2 && byte === 3;
    zeros = byte === 0 ? zeros + 1 : 0;
    return !isDropped;
  });
}

/** The frame type is behind the marker, the profile and the repetition of a frame. */
function isVp9Key(data: Uint8Array): boolean {
  const profile = data[0] >> 5 & 1 | data[0] >> 3 & 2;
  const at = profile === 3 ? 1 : 0;
  const bits = data[0] << 8 | data[1];
  const isRepeated = (bits >> (11 - at) & 1) !== 0;
  return !isRepeated && (bits >> (10 - at) & 1) === 0;
}

/** Types of the units of AV1 that begin a frame (AV1 specification, 6.2.2). */
const FRAME_HEADER = 3, FRAME = 6;

/**
 * Whether the frame that is shown is a key frame (AV1 specification, 5.9.2). For a repetition of an
 * earlier one, the mark tells.
 */
function isAv1Key(data: Uint8Array, isMarked: boolean): boolean {
  for (let at = 0; at < data.byteLength;) {
    const header = data[at];
    const type = header >> 3 & 15;
    at += (header & 4) === 0 ? 1 : 2;
    let size = data.byteLength - at;
    if ((header & 2) !== 0) {
      size = 0;
      for (let index = 0, byte = 128; byte >= 128 && index < 8; index++) {
        byte = data[at++];
        size += (byte & 127) * 128 ** index;
      }
    }
    if (type === FRAME || type === FRAME_HEADER) {
      const isRepeated = data[at] >> 7 !== 0;
      if (isRepeated) return isMarked;
      const isShown = (data[at] >> 4 & 1) !== 0;
      if (isShown) return (data[at] >> 5 & 3) === 0;
    }
    at += size;
  }
  return isMarked;
}

/** The type of the first picture (ISO/IEC 14496-2, 6.2.5): 0 is intra. */
function isMpeg4Key(data: Uint8Array): boolean {
  for (let at = 0; at + 4 < data.byteLength; at++) {
    const isPicture = data[at] === 0 && data[at + 1] === 0 && data[at + 2] === 1 &&
      data[at + 3] === 0xb6;
    if (isPicture) return data[at + 4] >> 6 === 0;
  }
  return false;
}
