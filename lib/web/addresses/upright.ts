/** The orientation of JPEGs (Exif 2.32, section 4.6.4, "Orientation"). */
import type { VideoStream } from "../../media/frame.ts";

/** Values of the orientation by the degrees clockwise to rotate by. */
const ORIENTATIONS = { 90: 6, 180: 3, 270: 8 } as const;

/** Start of an image, and the marker of Exif. */
const START_OF_IMAGE = [0xff, 0xd8];
const APP1 = [0xff, 0xe1];

/**
 * States in a JPEG how it has to be rotated for display, since its pixels are as the camera took them.
 *
 * @param jpeg file of the picture, without Exif
 * @returns the same bytes if there is nothing to rotate
 */
export function orient(
  jpeg: Uint8Array<ArrayBuffer>,
  rotation: VideoStream["rotation"],
): Uint8Array<ArrayBuffer> {
  if (rotation === undefined || jpeg[0] !== 0xff || jpeg[1] !== 0xd8) return jpeg;
  const exif = [
    ...new TextEncoder().encode("Exif\0\0MM"),
    // A big-endian TIFF header, and one directory with one entry: a short number.
    ...[0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1],
    ...[0, ORIENTATIONS[rotation], 0, 0, 0, 0, 0, 0],
  ];
  const length = exif.length + 2;
  const head = [...START_OF_IMAGE, ...APP1, length >> 8, length & 0xff, ...exif];
  const oriented = new Uint8Array(head.length + jpeg.byteLength - START_OF_IMAGE.length);
  oriented.set(head);
  oriented.set(jpeg.subarray(START_OF_IMAGE.length), head.length);
  return oriented;
}
