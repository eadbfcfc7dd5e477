/** Numbers that scripts pack in front of the pieces of a JPEG, one piece a datagram. */

/** Pieces of the largest frame. */
export const MAX_PIECES = 4096;

/** Place of a piece in its frame. */
export interface PiecePlace {
  /** Number of the frame, if the script packs one; any value that differs from frame to frame. */
  frame?: number | bigint;
  /** Ordinal of the piece; it grows by 1 from piece to piece. */
  at: number;
  /** Ordinal of the first piece; absent if only that piece itself tells. */
  first?: number;
  /** Ordinal of the last piece. */
  last: number;
}

/** Numbers in front of each piece. */
export interface Layout {
  /** Bytes of the numbers. */
  size: number;
  /**
   * Reads the numbers of a datagram.
   *
   * @param view at least `size` bytes
   * @returns `undefined` if no script packs such numbers
   */
  read(view: DataView): PiecePlace | undefined;
}

/** Bytes of an unsigned integer. */
type Width = 1 | 2 | 4;

/** Python's `B`, `H` and `I`. */
const WIDTHS: readonly Width[] = [1, 2, 4];

/** Bytes of the number of a frame, 0 for none; with the padding of native alignment, if any. */
const FRAME_SIZES = [0, 1, 2, 4, 8] as const;

/** Both byte orders; one for bytes. */
const ordersOf = (width: Width) => width === 1 ? [false] : [false, true];

/** Scripts count from either. */
const BASES = [0, 1];

/** Every known layout, the commoner ones first. */
const LAYOUTS: readonly Layout[] = [
  ...FRAME_SIZES.flatMap((frameSize) =>
    WIDTHS.flatMap((width) =>
      ordersOf(width).flatMap((isLittle) =>
        [false, true].flatMap((countsFirst) =>
          BASES.map((base) => numbered({ frameSize, width, isLittle, countsFirst, base }))
        )
      )
    )
  ),
  ...WIDTHS.flatMap((width) =>
    ordersOf(width).flatMap((isLittle) =>
      [1, 0].map((base) => countdown({ width, isLittle, base }))
    )
  ),
];

/** Bytes of the longest numbers. */
export const LONGEST_NUMBERS = Math.max(...LAYOUTS.map(({ size }) => size));

/** The layouts of so many bytes, which may be none. */
export function layoutsOf(size: number): readonly Layout[] {
  return LAYOUTS.filter((layout) => layout.size === size);
}

/** The number of the frame, if any, then that of the piece and the count of pieces. */
function numbered(
  { frameSize, width, isLittle, countsFirst, base }: {
    frameSize: typeof FRAME_SIZES[number];
    width: Width;
    isLittle: boolean;
    /** The count stands in front of the number of the piece. */
    countsFirst: boolean;
    /** Number of the first piece. */
    base: number;
  },
): Layout {
  return {
    size: frameSize + 2 * width,
    read(view) {
      const numbers = [frameSize, frameSize + width].map((at) =>
        uint(view, at, { width, isLittle })
      );
      const [number, count] = countsFirst ? numbers.reverse() : numbers;
      const at = number - base;
      if (at < 0 || at >= count || count > MAX_PIECES) return undefined;
      return { frame: frameNumber(view, frameSize), at, first: 0, last: count - 1 };
    },
  };
}

/** The number of pieces that are left, with or without this one: the last has 1 or 0. */
function countdown(
  { width, isLittle, base }: { width: Width; isLittle: boolean; base: number },
): Layout {
  return {
    size: width,
    read(view) {
      const left = uint(view, 0, { width, isLittle }) - base;
      return left < 0 || left >= MAX_PIECES
        ? undefined
        : { at: MAX_PIECES - left, last: MAX_PIECES };
    },
  };
}

/** The number of a frame. Its byte order does not matter, since numbers are only compared. */
function frameNumber(
  view: DataView,
  size: typeof FRAME_SIZES[number],
): number | bigint | undefined {
  if (size === 0) return undefined;
  return size === 8 ? view.getBigUint64(0) : uint(view, 0, { width: size, isLittle: false });
}

function uint(
  view: DataView,
  at: number,
  { width, isLittle }: { width: Width; isLittle: boolean },
): number {
  if (width === 1) return view.getUint8(at);
  return width === 2 ? view.getUint16(at, isLittle) : view.getUint32(at, isLittle);
}
