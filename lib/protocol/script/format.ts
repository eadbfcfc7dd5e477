/** Names of the ways in which scripts send frames: a length, and a payload behind it. */
import { FormatError } from "../../base/errors.ts";
import { LENGTH_PREFIXES } from "./lengths.ts";

/** Lengths in front of each message; `line` ends each with a line feed, `none` with nothing. */
export const LENGTH_NAMES = ["i32le", "u64le", "u32be", "ascii16", "line", "none"] as const;

/** One of {@linkcode LENGTH_NAMES}. */
export type LengthName = typeof LENGTH_NAMES[number];

/** Contents of a message. `raw` needs a size and a pixel format. */
export const PAYLOAD_NAMES = [
  ...["pickle", "jpeg", "pickled-jpeg", "raw", "base64", "npy"] as const,
] as const;

/** The content of a script's messages. */
export type PayloadFormat =
  | { kind: Exclude<typeof PAYLOAD_NAMES[number], "raw"> }
  | { kind: "raw"; width: number; height: number; pixelFormat: RawFormatName };

/** The framing of a script: the length in front of each message, and its payload. */
export interface ScriptFormat {
  length: LengthName;
  payload: PayloadFormat;
}

/** A raw pixel format of scripts. */
export interface RawFormat {
  /** Bits per pixel. */
  bits: number;
  /** NUT's four bytes of it; zeros if NUT does not carry it. */
  fourcc: string;
}

/** Raw pixel formats that scripts send, by FFmpeg's names. */
export const RAW_FORMATS = {
  gray: { bits: 8, fourcc: "Y800" },
  bgr24: { bits: 24, fourcc: "BGR\x18" },
  rgb24: { bits: 24, fourcc: "RGB\x18" },
  bgra: { bits: 32, fourcc: "BGRA" },
  rgba: { bits: 32, fourcc: "RGBA" },
  yuv420p: { bits: 12, fourcc: "I420" },
  nv12: { bits: 12, fourcc: "NV12" },
  yuyv422: { bits: 16, fourcc: "YUY2" },
  uyvy422: { bits: 16, fourcc: "UYVY" },
  gray16le: { bits: 16, fourcc: "Y1\0\x10" },
  bgr48le: { bits: 48, fourcc: "BGR0" },
  rgba64le: { bits: 64, fourcc: "RBA@" },
  grayf32le: { bits: 32, fourcc: "\0\0\0\0" },
  gbrpf32le: { bits: 96, fourcc: "\0\0\0\0" },
  gbrapf32le: { bits: 128, fourcc: "\0\0\0\0" },
} satisfies Record<string, RawFormat>;

/** Names of {@linkcode RAW_FORMATS}. */
export type RawFormatName = keyof typeof RAW_FORMATS;

/** Pixel formats whose chroma planes have half the width or height. */
const HALVED: readonly string[] = ["yuv420p", "nv12", "yuyv422", "uyvy422"];

/** Largest width or height, pixels. */
const MAX_EXTENT = 65_535;

const WORDS: Record<PayloadFormat["kind"], string> = {
  pickle: "a pickle",
  jpeg: "a JPEG",
  "pickled-jpeg": "a pickled JPEG",
  raw: "raw pixels",
  base64: "a JPEG as base64",
  npy: "a .npy array",
};

/**
 * Parses a value of `--framing`.
 *
 * @throws {FormatError} for anything that is not one
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseScriptFormat } from "./format.ts";
 *
 * assertEquals(parseScriptFormat("u64le+jpeg"), { length: "u64le", payload: { kind: "jpeg" } });
 * ```
 */
export function parseScriptFormat(text: string): ScriptFormat {
  const [lengthName, payloadName, ...rest] = text.split("+");
  const length = LENGTH_NAMES.find((name) => name === lengthName);
  if (length === undefined) {
    throw unusable(text, `no length "${lengthName}"`, `one of ${LENGTH_NAMES.join(" ")}`);
  }
  if (payloadName === undefined || rest.length > 0) {
    throw unusable(text, "no length and payload", "both, as in u64le+jpeg");
  }
  const payload = parsePayload(text, payloadName);
  if (length === "line" && payload.kind !== "base64") {
    throw unusable(text, `${WORDS[payload.kind]} may hold an end of line`, "line+base64");
  }
  if (length === "none" && !["jpeg", "raw", "npy"].includes(payload.kind)) {
    throw unusable(
      text,
      `${WORDS[payload.kind]} has no length of its own`,
      "a length in front of it, or jpeg, raw or npy",
    );
  }
  return { length, payload };
}

/** Name of a format, as {@linkcode parseScriptFormat} reads it. */
export function formatName({ length, payload }: ScriptFormat): string {
  if (payload.kind !== "raw") return `${length}+${payload.kind}`;
  const { width, height, pixelFormat } = payload;
  return `${length}+raw:${width}x${height}:${pixelFormat}`;
}

/** Describes a format in words: `8-byte length (little-endian), then a JPEG`. */
export function describeFormat({ length, payload }: ScriptFormat): string {
  const words = payload.kind === "raw"
    ? `${WORDS.raw} (${payload.width}x${payload.height} ${payload.pixelFormat})`
    : WORDS[payload.kind];
  if (length === "line") return `lines, each ${words}`;
  if (length === "none") {
    const each = payload.kind === "raw" ? words : `${words.replace(/^a /, "one ")} after the other`;
    return `${each}, without lengths`;
  }
  return `${LENGTH_PREFIXES[length].words}, then ${words}`;
}

/** Bytes of a raw frame. */
export function rawSize(
  { width, height, pixelFormat }: { width: number; height: number; pixelFormat: RawFormatName },
): number {
  return Math.ceil(width * height * RAW_FORMATS[pixelFormat].bits / 8);
}

/** Whether a name is one of {@linkcode RAW_FORMATS}. */
export function isRawFormat(name: string): name is RawFormatName {
  return Object.hasOwn(RAW_FORMATS, name);
}

function parsePayload(text: string, name: string): PayloadFormat {
  const [kind, ...parameters] = name.split(":");
  if (kind === "raw") return parseRaw(text, parameters);
  const known = PAYLOAD_NAMES.find((payload) => payload === kind);
  if (known !== undefined && known !== "raw" && parameters.length === 0) return { kind: known };
  throw unusable(text, `no payload "${name}"`, `one of ${PAYLOAD_NAMES.join(" ")}`);
}

function parseRaw(text: string, [size = "", pixelFormat = ""]: readonly string[]): PayloadFormat {
  const [, width, height] = (size.match(/^(\d{1,5})x(\d{1,5})$/) ?? []).map(Number);
  const isExtent = (extent: number) => extent >= 1 && extent <= MAX_EXTENT;
  if (!isExtent(width) || !isExtent(height)) {
    throw unusable(text, "raw without a size", "raw:WIDTHxHEIGHT:FORMAT, as raw:640x480:bgr24");
  }
  if (!isRawFormat(pixelFormat)) {
    const names = Object.keys(RAW_FORMATS).join(" ");
    throw unusable(text, `no pixel format "${pixelFormat}" of scripts`, `one of ${names}`);
  }
  if (HALVED.includes(pixelFormat) && (width % 2 === 1 || height % 2 === 1)) {
    throw unusable(text, `${pixelFormat} of an odd size`, "an even width and height");
  }
  return { kind: "raw", width, height, pixelFormat };
}

function unusable(text: string, found: string, expected: string): FormatError {
  const shown = JSON.stringify(text.slice(0, 60));
  return new FormatError(`Cannot use framing ${shown}: ${found}, expected ${expected}`);
}
