/** Raw video of 32-bit floats as whole numbers, since NUT carries no floats. */
import type { StreamDescription, VideoStream } from "./frame.ts";

/** Formats of floats, and those of 16 bits in which their planes have the same order. */
const WHOLE: Record<string, Pick<VideoStream, "pixelFormat" | "fourcc">> = {
  grayf32: { pixelFormat: "gray16le", fourcc: "Y1\0\x10" },
  gbrpf32: { pixelFormat: "gbrp16le", fourcc: "G3\0\x10" },
  gbrapf32: { pixelFormat: "gbrap16le", fourcc: "G4\0\x10" },
};

/** Greatest value of a 16-bit sample, which stands for 1. */
const WHITE = 0xffff;

/** How frames of floats are converted. */
export interface FloatConversion {
  /** The stream of the converted frames. */
  stream: VideoStream;
  /** Bytes of floats are little-endian. */
  isLittleEndian: boolean;
}

/** How a stream of raw floats is converted; `undefined` for all other streams. */
export function floatConversion(stream: StreamDescription): FloatConversion | undefined {
  if (stream.type !== "video" || stream.codec !== "rawvideo") return undefined;
  const [, name = "", order] = stream.pixelFormat?.match(/^(.*f32)(le|be)$/) ?? [];
  const whole = WHOLE[name];
  if (whole === undefined) return undefined;
  return { stream: { ...stream, ...whole }, isLittleEndian: order === "le" };
}

/**
 * Converts samples from floats of 32 bits to whole numbers of 16 bits, little-endian: 0 and below
 * become 0, 1 and above 65535, what is no number 0.
 *
 * @param frame samples of 4 bytes; an incomplete one at the end is ignored
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { toWholeSamples } from "./float_pixels.ts";
 *
 * const frame = new Uint8Array(new Float32Array([-1, 0.5, 7]).buffer);
 * const samples = toWholeSamples(frame, { isLittleEndian: true });
 * assertEquals([...new Uint16Array(samples.buffer)], [0, 32768, 65535]);
 * ```
 */
export function toWholeSamples(
  frame: Uint8Array,
  { isLittleEndian }: Pick<FloatConversion, "isLittleEndian">,
): Uint8Array<ArrayBuffer> {
  const floats = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const count = Math.floor(frame.byteLength / 4);
  const samples = new Uint8Array(count * 2);
  const whole = new DataView(samples.buffer);
  for (let at = 0; at < count; at++) {
    const value = floats.getFloat32(at * 4, isLittleEndian);
    whole.setUint16(at * 2, value > 0 ? Math.round(Math.min(1, value) * WHITE) : 0, true);
  }
  return samples;
}
