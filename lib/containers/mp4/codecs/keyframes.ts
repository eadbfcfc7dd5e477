/** Keyframes by the content of packets: for some codecs FFmpeg does not believe the container. */
import { BitReader } from "./bits.ts";

/**
 * Tells whether a packet is a keyframe.
 *
 * @param isSync whether the container says so
 */
export type KeyframeTest = (data: Uint8Array, isSync: boolean) => boolean;

/**
 * The test of FFmpeg's parser of a codec; `undefined` if it takes what the container says. It has a
 * state, which begins with the first packet that is read.
 *
 * @param extradata of the codec
 */
export function keyframeTest(codec: string, extradata: Uint8Array): KeyframeTest | undefined {
  if (codec === "h264") return h264Test((extradata[4] & 3) + 1);
  if (codec === "vp9") return vp9Test();
  return codec === "av1" ? av1Test(extradata) : undefined;
}

/** Types of units (ITU-T H.264, table 7-1). */
const SLICE = 1;
const IDR_SLICE = 5;
const SUPPLEMENTAL = 6;

const RECOVERY_POINT = 6;

/** Largest number of frames until the picture is whole. */
const MAX_RECOVERY = 65_535;

/** A picture is a keyframe if it is an IDR picture, or one at which decoding may start. */
function h264Test(lengthSize: number): KeyframeTest {
  return (data) => {
    let isRecovery = false;
    for (let at = 0; at + lengthSize < data.byteLength;) {
      let size = 0;
      for (let count = 0; count < lengthSize; count++) size = size * 256 + data[at++];
      if (size === 0) continue;
      if (size > data.byteLength - at) return false;
      const type = data[at] & 0x1f;
      if (type === IDR_SLICE) return true;
      if (type === SLICE) return isRecovery;
      if (type === SUPPLEMENTAL) isRecovery ||= hasRecoveryPoint(data.subarray(at + 1, at + size));
      at += size;
    }
    return false;
  };
}

/** Whether supplemental information has a recovery point (ITU-T H.264, D.1.8). */
function hasRecoveryPoint(unit: Uint8Array): boolean {
  const bytes = unescaped(unit);
  for (let at = 0; at + 2 < bytes.byteLength;) {
    let type = 0;
    let size = 0;
    for (; bytes[at] === 255; at++) type += 255;
    type += bytes[at++];
    for (; bytes[at] === 255; at++) size += 255;
    size += bytes[at++];
    if (!(size <= bytes.byteLength - at)) return false;
    if (type === RECOVERY_POINT) {
      const frames = new BitReader(bytes.subarray(at, at + size)).readUnary();
      return frames !== undefined && frames <= MAX_RECOVERY;
    }
    at += size;
  }
  return false;
}

/** Removes the bytes that keep start codes from occurring (ITU-T H.264, 7.4.1). */
function unescaped(unit: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(unit.byteLength);
  let size = 0;
  let zeros = 0;
  for (const byte of unit) {
    if (zeros >= 2 && byte === 3) {
      zeros = 0;
      continue;
    }
    zeros = byte === 0 ? zeros + 1 : 0;
    bytes[size++] = byte;
  }
  return bytes.subarray(0, size);
}

/** Reads the uncompressed header of VP9; a frame that shows another again changes nothing. */
function vp9Test(): KeyframeTest {
  let last: boolean | undefined;
  return (data, isSync) => {
    const bits = new BitReader(data);
    bits.read(2);
    const profile = bits.read(1) + 2 * bits.read(1);
    const isKnown = profile < 3 || bits.read(1) === 0;
    if (isKnown && bits.read(1) === 0) last = bits.read(1) === 0;
    return last ?? isSync;
  };
}

/** Types of units (AV1 specification, 6.2.2). */
const SEQUENCE_HEADER = 1;
const FRAME_HEADER = 3;
const FRAME = 6;

/** Bytes of "av1C" before its units. */
const AV1_CONFIGURATION = 4;

/** A temporal unit is a keyframe if the frame that it shows is one. */
function av1Test(extradata: Uint8Array): KeyframeTest {
  let isStill = false;
  const units = (data: Uint8Array): boolean | undefined => {
    let found: boolean | undefined;
    for (let at = 0; at < data.byteLength;) {
      const header = data[at++];
      const type = header >> 3 & 0xf;
      // A byte with the layer.
      const layer = header & 4 ? data[at++] >> 3 & 3 : 0;
      let size = data.byteLength - at;
      if (header & 2) {
        size = 0;
        for (let count = 0, more = true; more && count < 8; count++) {
          size += (data[at] & 0x7f) * 2 ** (7 * count);
          more = (data[at++] & 0x80) !== 0;
        }
      }
      if (!(size <= data.byteLength - at)) return undefined;
      const bits = new BitReader(data.subarray(at, at + Math.min(size, 2)));
      if (type === SEQUENCE_HEADER) {
        bits.read(4);
        isStill = bits.read(1) === 1;
      } else if ((type === FRAME || type === FRAME_HEADER) && layer === 0) {
        const isRepeated = !isStill && bits.read(1) === 1;
        const isKey = isStill || bits.read(2) === 0;
        const isShown = isStill || bits.read(1) === 1;
        if (isRepeated) found = false;
        else if (isShown) found = isKey;
      }
      at += size;
    }
    return found;
  };
  units(extradata.subarray(AV1_CONFIGURATION));
  return (data, isSync) => units(data) ?? isSync;
}
