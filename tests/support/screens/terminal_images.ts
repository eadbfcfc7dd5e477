/** Decodes images that terminals receive. */

/** A regular expression in which `ESC` is the escape character. */
export function pattern(text: string, flags?: string): RegExp {
  return new RegExp(text.replaceAll("ESC", "\x1b"), flags);
}

const SIXEL = pattern(String.raw`ESCP0;1;0q"1;1;(\d+);(\d+)([^ESC]*)ESC\\`);
const KITTY = pattern(String.raw`ESC_G([^;ESC]*);([^ESC]*)ESC\\`, "g");

/** A picture. */
export interface Drawing {
  width: number;
  height: number;
  /** Red, green and blue, 0 … 255. */
  colourAt(x: number, y: number): number[];
}

/** Decodes the first sixel image in a text; each pixel has to be drawn exactly once. */
export function decodeSixel(text: string): Drawing {
  const [, w, h, body] = text.match(SIXEL) ?? [];
  const [width, height] = [Number(w), Number(h)];
  const palette = new Map<number, number[]>();
  const pixels = new Int32Array(width * height).fill(-1);
  let [x, y, colour] = [0, 0, -1];
  for (const [part] of body.matchAll(/#\d+;2;\d+;\d+;\d+|#\d+|!\d+[?-~]|[?-~]|[$-]/g)) {
    const numbers = part.match(/\d+/g)?.map(Number) ?? [];
    if (part === "$") x = 0;
    else if (part === "-") [x, y] = [0, y + 6];
    else if (part.startsWith("#") && numbers.length > 1) {
      palette.set(numbers[0], numbers.slice(2).map((hundredths) => hundredths * 2.55));
    } else if (part.startsWith("#")) colour = numbers[0];
    else {
      const count = part.startsWith("!") ? numbers[0] : 1;
      const bits = part.charCodeAt(part.length - 1) - 0x3f;
      for (const end = x + count; x < end; x++) {
        for (let row = 0; row < 6; row++) {
          if ((bits >> row & 1) === 0) continue;
          const at = (y + row) * width + x;
          if (x >= width || y + row >= height || pixels[at] !== -1) {
            throw new Error(`Cannot draw ${x}, ${y + row}: outside, or there already`);
          }
          pixels[at] = colour;
        }
      }
    }
  }
  const missing = pixels.indexOf(-1);
  if (missing >= 0) throw new Error(`Cannot find pixel ${missing}`);
  return { width, height, colourAt: (x, y) => palette.get(pixels[y * width + x]) ?? [] };
}

/** An image of kitty's protocol with its keys. */
export interface KittyDrawing extends Drawing {
  keys: Map<string, string>;
}

/** Decodes all whole images of kitty's protocol in a text. */
export async function decodeKitty(text: string): Promise<KittyDrawing[]> {
  const drawings: KittyDrawing[] = [];
  let keys = new Map<string, string>();
  let data = "";
  for (const [, control, piece] of text.matchAll(KITTY)) {
    const given = new Map(
      control.split(",").map((pair): [string, string] => {
        const [key, value] = pair.split("=");
        return [key, value];
      }),
    );
    if (given.get("a") === "q") continue;
    if (given.get("a") === "T") [keys, data] = [given, ""];
    if (piece.length > 4096) throw new Error(`Cannot take ${piece.length} characters at once`);
    data += piece;
    if (given.get("m") !== "0") continue;
    const packed = new Blob([Uint8Array.fromBase64(data)]).stream();
    const pixels = await new Response(packed.pipeThrough(new DecompressionStream("deflate")))
      .bytes();
    const [width, height] = [Number(keys.get("s")), Number(keys.get("v"))];
    if (pixels.length !== width * height * 3) throw new Error(`Cannot use ${pixels.length} bytes`);
    drawings.push({
      ...{ width, height, keys },
      colourAt: (x, y) => [...pixels.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)],
    });
  }
  return drawings;
}
