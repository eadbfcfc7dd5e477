/** Chooses how pictures are drawn: kitty, sixel, half blocks or characters. */
import { type TerminalCapabilities, type TerminalStyle, USUAL_CELL } from "./capabilities.ts";
import {
  deleteKitty,
  encodeKitty,
  encodeSixel,
  loadDeflate,
  PALETTE_BYTES,
} from "./graphics_renderer.ts";
import {
  colourOf256,
  fitPicture,
  renderAscii,
  renderHalfBlocks,
  type Size,
} from "./text_renderer.ts";

/** Size of a picture on the terminal. */
export interface Layout {
  /** Pixels that FFmpeg scales it to. */
  pixels: Size;
  /** Columns and rows that it fills. */
  cells: Size;
}

/** A way to draw pictures on a terminal. */
export interface RenderMode {
  /** FFmpeg's filters behind the scaling, whose output {@linkcode render} takes. */
  filters: readonly string[];
  /** Fits a picture, in pixels, into columns and rows. */
  fit(picture: Size, room: Size): Layout;
  /** Bytes of a scaled picture. */
  bytes(pixels: Size): number;
  /**
   * Renders a picture as a text for each row; as one text from the cursor on if it is drawn as a
   * whole.
   */
  render(picture: Uint8Array, layout: Layout): string[];
  /** Pictures consist of characters, row by row, and so have few pixels. */
  isText: boolean;
  /** Escape sequence that deletes the last picture. */
  wipe: string;
}

/** Largest sixel picture in pixels; larger ones take longer to encode than they are seen. */
const SIXEL_LIMIT: Size = { width: 800, height: 480 };

/** Largest kitty picture in pixels; the terminal stretches it to its cells. */
const KITTY_LIMIT: Size = { width: 1280, height: 720 };

/** Options of {@linkcode chooseRenderMode}. */
export interface RenderModeOptions {
  style: TerminalStyle;
  /** Capabilities that the terminal reports. */
  capabilities?: TerminalCapabilities;
  /** ID of the picture, above 0. */
  id: number;
}

/** Chooses the best mode that the terminal supports. */
export async function chooseRenderMode(
  { style, capabilities, id }: RenderModeOptions,
): Promise<RenderMode> {
  if (capabilities?.graphics === "kitty") return await kittyMode(capabilities, id);
  if (capabilities?.graphics === "sixel") return sixelMode(capabilities);
  const cell = capabilities?.cell ?? USUAL_CELL;
  return style === "ascii" ? asciiMode(cell) : halfBlockMode(style, cell);
}

function halfBlockMode(style: TerminalStyle, cell: Size): RenderMode {
  const code = style === "256 colours" ? colourOf256 : undefined;
  return {
    filters: ["format=rgb24"],
    fit(picture, room) {
      const pixels = fitPicture(inHalfCells(picture, cell), room);
      return { pixels, cells: { width: pixels.width, height: pixels.height / 2 } };
    },
    bytes: ({ width, height }) => width * height * 3,
    render: (picture, { pixels }) => renderHalfBlocks(picture, pixels, code),
    isText: true,
    wipe: "",
  };
}

function asciiMode(cell: Size): RenderMode {
  return {
    filters: ["format=gray"],
    fit(picture, room) {
      const { width, height } = fitPicture(inHalfCells(picture, cell), room);
      const pixels = { width, height: height / 2 };
      return { pixels, cells: pixels };
    },
    bytes: ({ width, height }) => width * height,
    render: (picture, { pixels }) => renderAscii(picture, pixels),
    isText: true,
    wipe: "",
  };
}

function sixelMode({ cell, colours }: TerminalCapabilities): RenderMode {
  return {
    filters: [
      // A palette for each picture.
      "split[a][b];" +
      `[a]palettegen=max_colors=${colours}:reserve_transparent=0:stats_mode=single[p];` +
      "[b][p]paletteuse=new=1:dither=bayer:bayer_scale=3",
    ],
    fit: (picture, room) => fitGraphics(picture, { room, cell, limit: SIXEL_LIMIT }),
    bytes: ({ width, height }) => width * height + PALETTE_BYTES,
    render: (picture, { pixels }) => [encodeSixel(picture, pixels)],
    isText: false,
    wipe: "",
  };
}

async function kittyMode({ cell }: TerminalCapabilities, id: number): Promise<RenderMode> {
  const deflate = await loadDeflate();
  return {
    filters: ["format=rgb24"],
    fit(picture, room) {
      const { pixels: { width, height }, cells } = fitGraphics(picture, { room, cell });
      const scale = Math.min(1, KITTY_LIMIT.width / width, KITTY_LIMIT.height / height);
      return { pixels: scaled({ width, height }, scale), cells };
    },
    bytes: ({ width, height }) => width * height * 3,
    render: (
      picture,
      { pixels, cells },
    ) => [encodeKitty(picture, { size: pixels, cells, id, deflate })],
    isText: false,
    wipe: deleteKitty(id),
  };
}

/** Converts pixels to half cells, which are square in most terminals. */
function inHalfCells(picture: Size, cell: Size): Size {
  return { width: picture.width / cell.width, height: picture.height / (cell.height / 2) };
}

/** Largest size at which a picture fits into cells and the limit, with its aspect ratio. */
function fitGraphics(
  picture: Size,
  { room, cell, limit }: { room: Size; cell: Size; limit?: Size },
): Layout {
  const width = Math.min(Math.max(1, room.width) * cell.width, limit?.width ?? Infinity);
  const height = Math.min(Math.max(1, room.height) * cell.height, limit?.height ?? Infinity);
  const scale = Math.min(width / picture.width, height / picture.height);
  const pixels = scaled(picture, scale);
  const cells = {
    width: Math.ceil(pixels.width / cell.width),
    height: Math.ceil(pixels.height / cell.height),
  };
  return { pixels, cells };
}

function scaled({ width, height }: Size, scale: number): Size {
  // Rounding errors must not add a pixel, and so a cell.
  return {
    width: Math.max(1, Math.floor(width * scale + 1e-6)),
    height: Math.max(1, Math.floor(height * scale + 1e-6)),
  };
}
